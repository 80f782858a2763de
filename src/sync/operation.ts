/**
 * What a request, or a part of a batch, does to a user's rows. An operation is data until it runs: statements that
 * change rows, and one statement that reads the outcome. It does not need the results of its own statements. So several
 * operations can run one after another in a transaction, and the database can store the content of an answer together
 * with the change.
 */
import { type SQL, sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { jsonOf } from "../database/columns.ts";
import type { Database } from "../database/drizzle.ts";
import { kept_answers, sessions, users } from "../database/schema.ts";
import {
  type Bound,
  runBatch,
  type Statement,
  statement,
  type Values,
} from "../database/statement.ts";
import { isChanged, nextRevision, raiseRevision } from "./revision.ts";
import type { Sweep } from "./sweep.ts";
import type { Watch } from "./watch.ts";
import { isNew } from "./writer.ts";

/** Who asks for an operation, and when. */
export interface Asker extends SessionRef {
  /**
   * Milliseconds since the epoch. All statements of a request have the same time, so what has expired for one of them has
   * expired for all.
   */
  now: number;
  /** The `Idempotency-Key`, if there is one: see `idempotency.ts`. */
  idempotency_key?: string;
}

export interface Operation<Result> {
  /** Each statement changes rows and gives them the next revision, or does nothing. */
  changes: Bound<unknown>[];
  /** The statement that reads the outcome after them. It has no row when the session has ended. */
  outcome: Bound<Found>;
  /** Stores the outcome under the asker's key. For a single request, only if it has succeeded. */
  keep: Keep;
  /**
   * @param outcome as it was read, or as it was stored for a repeated request
   * @throws Failure when nothing was changed, with the reason
   */
  read(outcome: string): Result;
}

/**
 * @param expires_at milliseconds since the epoch
 * @param part the number of the operation in a batch, from 1. Without it, the operation is the whole request
 */
export type Keep = (expires_at: number, part?: number) => Bound<never>;

/** What the statement for the outcome has found. */
export interface Found {
  /** The values of the outcome's columns, as one JSON array. */
  outcome: string;
  /** The revision to which the user's is raised; null when nothing was changed. */
  raised: number | null;
}

/** The values of an outcome by name, and in the order of the columns. */
export type OutcomeRow<Row> = Row & ArrayLike<unknown>;

/** The services that run operations. */
export interface Ground {
  database: Database;
  clock: Clock;
  config: Config;
  sweep: Sweep;
  watch: Watch;
}

/** How the outcome of an operation is read and stored. */
export interface Outcome<Row> {
  ask: Statement<Found>;
  keep: Statement<never>;
  rowOf(outcome: string): OutcomeRow<Row>;
}

interface OutcomeParts {
  /** Columns by name, in the order in which `read` gets their values. */
  columns: Record<string, SQL>;
  /** Joins to the row of the live session's user. */
  joins?: SQL;
  /** Whether the operation has succeeded. Without it, the outcome is stored only as a part of a batch. */
  succeeded?: SQL;
  /** The id of the todo that the operation is about, if there is one. */
  todo_id?: SQL;
  /** The id of the list that the operation is about, if there is one. */
  list_id?: SQL;
}

/** After a change, and before the revision is raised, the changed rows are those whose `rev` is the next revision. */
export function outcomeOf<Row>(parts: OutcomeParts): Outcome<Row> {
  const { columns, joins = sql``, succeeded = sql`false` } = parts;
  const { todo_id = sql`NULL`, list_id = sql`NULL` } = parts;
  const from = sql`
    FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id} ${joins} WHERE ${isLive()}`;
  const outcome = jsonOf(columns);
  const names = Object.keys(columns);
  return {
    // One text is read faster than a row of many columns.
    ask: statement<Found>(
      sql`SELECT ${outcome} AS outcome, iif(${isChanged}, ${nextRevision}, NULL) AS raised ${from}`,
    ),
    keep: statement(sql`
      INSERT INTO ${kept_answers} (user_id, key, todo_id, list_id, outcome, expires_at)
      SELECT ${users.id}, ${sql.placeholder("idempotency_key")} || ${sql.placeholder("part")}, ${todo_id}, ${list_id},
        ${outcome}, ${sql.placeholder("expires_at")}
      ${from} AND ${isNew} AND (${sql.placeholder("part")} <> '' OR ${succeeded})`),
    rowOf(text) {
      const row: unknown[] & Record<string, unknown> = JSON.parse(text);
      for (const [index, name] of names.entries()) row[name] = row[index];
      // `as`: the columns of the outcome.
      return row as OutcomeRow<Row>;
    },
  };
}

/** An operation whose outcome is typed. */
export const operation = <Row, Result>(
  values: Asker & Values,
  changes: Statement<unknown>[],
  { ask, keep, rowOf }: Outcome<Row>,
  read: (row: OutcomeRow<Row>) => Result,
): Operation<Result> => {
  const all = { idempotency_key: null, ...values };
  return {
    changes: changes.map((change) => change(all)),
    outcome: ask(all),
    keep: (expires_at, part) =>
      keep({ ...all, expires_at, part: part === undefined ? "" : `/${part}` }),
    read: (found) => read(rowOf(found)),
  };
};

/**
 * Runs an operation in one transaction and one round trip. Deletes some expired rows with it, and tells the listeners.
 * @param make makes the operation for its asker
 * @throws Failure `unauthorized`, and the failures of the operation
 */
export async function runOperation<Result>(
  { database, clock, sweep, watch }: Ground,
  session: SessionRef,
  make: (asker: Asker) => Operation<Result>,
): Promise<Result> {
  const { user_id } = session;
  const { changes, outcome, read } = make({ ...session, now: clock() });
  const ride = sweep.ride();
  const rows = await runBatch(database, {
    changes,
    outcome,
    raise: raiseRevision({ user_id }),
    swept: ride.statements,
  });
  ride.learn(rows.swept);
  tellRaised(watch, user_id, rows.outcome);
  return read(live(rows.outcome[0]).outcome);
}

/** @param found of each operation, in their order */
export function tellRaised(watch: Watch, user_id: number, found: Pick<Found, "raised">[]): void {
  const last = found.findLast(({ raised }) => raised !== null)?.raised;
  if (last) watch.tell(user_id, last);
}
