/**
 * What a request, or a part of one, does to a user's rows. An operation is data until it is run: statements that change
 * rows, and one that then asks what became of it. It needs nothing that its statements return. So operations can run
 * one after another in a transaction, and the database can keep what an answer is made of beside what was changed.
 */
import { type SQL, sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import type { Database } from "../database/drizzle.ts";
import { sessions, users } from "../database/schema.ts";
import { type Bound, runBatch, type Statement, statement } from "../database/statement.ts";
import { raiseRevision } from "./revision.ts";
import type { Sweep } from "./sweep.ts";

export interface Operation<Result> {
  /** Who asks. */
  session: SessionRef;
  /** Each changes rows, and gives them the next revision, or does nothing. */
  changes: Bound<unknown>[];
  /** One row, or none when the session has ended. */
  outcome: Bound<unknown>;
  /**
   * @param row the outcome's
   * @throws Failure when nothing was changed, and why
   */
  read(row: ArrayLike<unknown>): Result;
}

/** What the statement of an outcome returns: columns by name, and in their order. */
export type Outcome<Row> = Row & ArrayLike<unknown>;

/** An operation whose outcome is typed. */
export const operation = <Row, Result>(
  session: SessionRef,
  changes: Bound<unknown>[],
  outcome: Bound<Row>,
  read: (row: Outcome<Row>) => Result,
): Operation<Result> => ({
  session,
  changes,
  outcome,
  // `as`: the row is what the statement returns.
  read: read as Operation<Result>["read"],
});

/**
 * Asks for the columns of the live session's user and of what is joined to it. After a change, and before the revision
 * is raised, a changed row is one whose `rev` is the next revision.
 */
export const askOutcome = <Row>(columns: SQL, joins: SQL = sql``): Statement<Row> =>
  statement<Row>(sql`
    SELECT ${columns} FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id} ${joins}
    WHERE ${isLive()}`);

/**
 * Runs an operation in one transaction and one round trip, and takes along what has had its time.
 * @throws Failure `unauthorized`, and what the operation throws
 */
export async function run<Result>(
  { database, sweep }: { database: Database; sweep: Sweep },
  { session, changes, outcome, read }: Operation<Result>,
): Promise<Result> {
  const { user_id } = session;
  const ride = sweep.ride();
  const results: ArrayLike<unknown>[][] = await runBatch(database, [
    ...changes,
    outcome,
    raiseRevision({ user_id }),
    ...ride.statements,
  ]);
  ride.learn(results as unknown[][]);
  const [row] = results[changes.length] ?? [];
  return read(live(row));
}
