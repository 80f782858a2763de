/**
 * What a request, or a part of one, does to a user's rows. An operation is data until it is run: statements that change
 * rows, and one that then asks what became of it. It needs nothing that its statements return. So operations can run
 * one after another in a transaction, and the database can keep what an answer is made of beside what was changed.
 */
import { type SQL, sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import { jsonOf, selectionOf } from "../database/columns.ts";
import type { Database } from "../database/drizzle.ts";
import { kept_answers, sessions, users } from "../database/schema.ts";
import {
  type Bound,
  runBatch,
  type Statement,
  statement,
  type Values,
} from "../database/statement.ts";
import { type Raised, raiseRevision } from "./revision.ts";
import type { Sweep } from "./sweep.ts";
import type { Watch } from "./watch.ts";
import { isNew } from "./writer.ts";

/** Who asks for an operation, and under which `Idempotency-Key`, if any: see `idempotency.ts`. */
export interface Asker extends SessionRef {
  idempotency_key?: string;
}

export interface Operation<Result> {
  asker: Asker;
  /** Each changes rows, and gives them the next revision, or does nothing. */
  changes: Bound<unknown>[];
  /** What is asked after them. */
  outcome: Bound<unknown>;
  /** Keeps what the outcome says under the asker's key. Of a request by itself, only if it has succeeded. */
  keep: Keep;
  /** The names of the outcome's columns. */
  names: string[];
  /**
   * @param row the outcome's
   * @throws Failure when nothing was changed, and why
   */
  read(row: ArrayLike<unknown>): Result;
}

/**
 * @param expires_at milliseconds since the epoch
 * @param part its number among the operations of a batch, from 1; without it, the operation is the whole request
 */
export type Keep = (expires_at: number, part?: number) => Bound<never>;

/** What the statement of an outcome returns: columns by name, and in their order. */
export type OutcomeRow<Row> = Row & ArrayLike<unknown>;

/** Asks what became of an operation: one row, or none when the session has ended. */
export interface Outcome<Row> {
  ask: Statement<Row>;
  keep: Statement<never>;
  names: string[];
}

interface OutcomeParts {
  /** By name, in the order in which `read` is given their values. */
  columns: Record<string, SQL>;
  /** What is joined to the live session's user. */
  joins?: SQL;
  /** Whether the operation has succeeded. Without it, the outcome is kept as a part of a batch alone. */
  succeeded?: SQL;
  /** The id of the todo that it is about, if it is about one. */
  todo_id?: SQL;
}

/**
 * After a change, and before the revision is raised, a changed row is one whose `rev` is the next revision.
 */
export function outcomeOf<Row>(parts: OutcomeParts): Outcome<Row> {
  const { columns, joins = sql``, succeeded = sql`false`, todo_id = sql`NULL` } = parts;
  const from = sql`
    FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id} ${joins} WHERE ${isLive()}`;
  return {
    ask: statement<Row>(sql`SELECT ${selectionOf(columns)} ${from}`),
    keep: statement(sql`
      INSERT INTO ${kept_answers} (user_id, key, todo_id, outcome, expires_at)
      SELECT ${users.id}, ${sql.placeholder("idempotency_key")} || ${sql.placeholder("part")}, ${todo_id},
        ${jsonOf(columns)}, ${sql.placeholder("expires_at")}
      ${from} AND ${isNew} AND (${sql.placeholder("part")} <> '' OR ${succeeded})`),
    names: Object.keys(columns),
  };
}

/** An operation whose outcome is typed. */
export const operation = <Row, Result>(
  values: Asker & Values,
  changes: Statement<unknown>[],
  { ask, keep, names }: Outcome<Row>,
  read: (row: OutcomeRow<Row>) => Result,
): Operation<Result> => {
  const all = { idempotency_key: null, ...values };
  return {
    asker: values,
    changes: changes.map((change) => change(all)),
    outcome: ask(all),
    keep: (expires_at, part) =>
      keep({ ...all, expires_at, part: part === undefined ? "" : `/${part}` }),
    names,
    // `as`: the row is what the statement returns.
    read: read as Operation<Result>["read"],
  };
};

/**
 * Runs an operation in one transaction and one round trip, takes along what has had its time, and tells whoever listens.
 * @throws Failure `unauthorized`, and what the operation throws
 */
export async function runOperation<Result>(
  { database, sweep, watch }: { database: Database; sweep: Sweep; watch: Watch },
  { asker, changes, outcome, read }: Operation<Result>,
): Promise<Result> {
  const { user_id } = asker;
  const ride = sweep.ride();
  const results: ArrayLike<unknown>[][] = await runBatch(database, [
    ...changes,
    outcome,
    raiseRevision({ user_id }),
    ...ride.statements,
  ]);
  ride.learn(results as unknown[][]);
  const [row] = results[changes.length] ?? [];
  tellRaised(watch, user_id, results[changes.length + 1]);
  return read(live(row));
}

/** @param rows what `raiseRevision` has returned */
export function tellRaised(watch: Watch, user_id: number, rows: ArrayLike<unknown>[] = []): void {
  // `as`: see its type.
  for (const { revision } of rows as (ArrayLike<unknown> & Raised)[]) watch.tell(user_id, revision);
}
