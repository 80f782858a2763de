/** A database on a libSQL server: every call is one trip, bounded in time, and no read is older than the last write. */
import {
  type Client,
  type InArgs,
  type InStatement,
  LibsqlError,
  type ResultSet,
} from "@libsql/core/api";
import type { WritesMeter } from "../instruments.ts";
import { outageOf } from "./errors.ts";
import { openHrana, type ProgramOutcome, type Step } from "./hrana.ts";
import { createWrites, type RemoteWrites } from "./remote.writes.ts";
import { startsWithSelect } from "./sql.ts";

export interface RemoteOptions {
  authToken?: string | undefined;
  /** Milliseconds for one trip to the server, answer included (2000). */
  timeout?: number;
  /** Milliseconds for one migration (60,000). */
  migrationTimeout?: number;
  /** What answers reads while the server is out of reach. Without one, nothing does. */
  copy?: Copy | undefined;
  /** Whether writes of several requests share trips (true). On workerd they cannot: a trip ends with its own request. */
  shareTrips?: boolean;
  /** Told about waiting writes and commits. */
  meter?: WritesMeter | undefined;
}

/** A copy of the database that may be behind. */
export interface Copy {
  read(statement: InStatement): Promise<ResultSet>;
  /** Whether it is fresh enough. `heardAt` is when the server last answered, on the clock of performance.now(). */
  isGood(heardAt: number): boolean;
  close(): void;
}

/** A statement in any of the forms that `Client.batch` takes. */
type BatchStatement = InStatement | [string, InArgs?];

/**
 * A server that is a replica answers a program of plain reads by itself, some milliseconds behind. It passes a program
 * on to its primary when one statement is anything else, and it counts this one as such (libsql-server,
 * query_analysis.rs). On the primary the statement locks nothing and costs nothing. With it at its end, a program sees
 * what the primary has, so a session that has ended on one node has ended on all.
 */
const BY_THE_PRIMARY: Step = { sql: "PRAGMA foreign_keys" };

/**
 * Opens the database at `url` (`libsql://`, `https://` or `http://`). Nothing is sent before the first call.
 *
 * A read is one trip. A write is one trip too, and may wait for a turn before it (see `createWrites`). A call rejects
 * within `timeout`, or half as much again after a wait, with LibsqlError: what `openHrana` names, SQLite's codes,
 * PROXY_ERROR for an error of the primary that came by way of a replica, CLIENT_CLOSED. Statements that belong together
 * go as one `batch`: interactive transactions are refused (NOT_SUPPORTED), since each of their statements would be a
 * trip.
 */
export function openRemote(url: string, options: RemoteOptions = {}): Client {
  const { authToken, timeout = 2000, migrationTimeout = 60_000 } = options;
  const { copy, shareTrips = true, meter } = options;
  const run = openHrana(url, authToken);
  const openWrites = () => createWrites((steps) => askPrimary(steps, timeout), timeout / 2, meter);
  const write: RemoteWrites = shareTrips ? openWrites() : (steps) => openWrites()(steps);
  let heardAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  async function askPrimary(steps: Step[], milliseconds: number): Promise<ProgramOutcome> {
    if (isClosed) throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
    const outcome = await run({ steps: [...steps, BY_THE_PRIMARY], timeout: milliseconds });
    heardAt = performance.now();
    return outcome;
  }

  async function read(step: Step): Promise<ResultSet> {
    try {
      const { steps } = await askPrimary([step], timeout);
      return succeeded(steps[0]);
    } catch (error) {
      if (!copy?.isGood(heardAt) || outageOf(error) !== "unreachable") throw error;
      const found = await copy.read({ sql: step.sql, args: step.args ?? [] });
      // Perhaps it is only too new for the copy. Above all, nobody may be told that a session has ended when it has not.
      if (found.rows.length === 0) throw error;
      return found;
    }
  }

  return {
    protocol: "http",
    get closed() {
      return isClosed;
    },
    async execute(statement: InStatement, args?: InArgs) {
      const step = typeof statement === "string" ? { sql: statement, args } : statement;
      if (startsWithSelect(step.sql)) return read(step);
      const [result] = await write([step]);
      return succeeded(result);
    },
    async batch(statements, mode) {
      const steps = statements.map(toStep);
      if (mode !== "read") return write(steps);
      // One snapshot for all of them.
      const outcome = await askPrimary([{ sql: "BEGIN" }, ...steps, { sql: "COMMIT" }], timeout);
      return outcome.steps
        .slice(0, steps.length + 1)
        .map(succeeded)
        .slice(1);
    },
    async migrate(statements) {
      const { steps, first, last } = migration(statements.map(toStep));
      const outcome = await askPrimary(steps, migrationTimeout);
      return outcome.steps
        .slice(0, last + 1)
        .map(succeeded)
        .slice(first, last);
    },
    transaction: () => refuse("an interactive transaction"),
    executeMultiple: () => refuse("a script"),
    sync: () => refuse("a sync"),
    reconnect() {
      isClosed = false;
    },
    close() {
      isClosed = true;
      copy?.close();
    },
  };
}

/**
 * A replica on a libSQL server, by what it has itself.
 * @param staleReads milliseconds since its primary was last heard for which it is still good
 */
export function openServerCopy(
  url: string,
  authToken: string | undefined,
  staleReads: number,
  timeout = 2000,
): Copy {
  const run = openHrana(url, authToken);
  return {
    async read(statement) {
      const outcome = await run({ steps: [toStep(statement)], timeout });
      return succeeded(outcome.steps[0]);
    },
    isGood: (heardAt) => performance.now() - heardAt < staleReads,
    close() {},
  };
}

function toStep(statement: BatchStatement): Step {
  if (typeof statement === "string") return { sql: statement };
  if (Array.isArray(statement)) return { sql: statement[0], args: statement[1] };
  return statement;
}

/**
 * A migration as one transaction, and the numbers of its first statement and of its commit. It begins as SQLite's way
 * to alter tables does (https://sqlite.org/lang_altertable.html#otheralter). Inside a transaction that pragma is void.
 */
function migration(statements: Step[]) {
  const steps: Step[] = [{ sql: "PRAGMA foreign_keys=off" }, { sql: "BEGIN IMMEDIATE" }];
  const first = steps.length;
  for (const step of [...statements, { sql: "COMMIT" }]) {
    steps.push({ ...step, condition: { type: "ok", step: steps.length - 1 } });
  }
  const last = steps.length - 1;
  steps.push({ sql: "ROLLBACK", condition: { type: "not", cond: { type: "ok", step: last } } });
  steps.push({ sql: "PRAGMA foreign_keys=on" });
  return { steps, first, last };
}

function succeeded(outcome: ResultSet | LibsqlError | undefined): ResultSet {
  if (outcome instanceof LibsqlError) throw outcome;
  if (outcome) return outcome;
  throw new LibsqlError("a statement was not run", "HRANA_PROTO_ERROR");
}

async function refuse(what: string): Promise<never> {
  throw new LibsqlError(`The database on a server does not take ${what}`, "NOT_SUPPORTED");
}
