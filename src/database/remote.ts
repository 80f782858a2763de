/** A database on a libSQL server: libSQL's `Client`. Each call is one round trip with a time limit. */
import {
  type Client,
  type InArgs,
  type InStatement,
  LibsqlError,
  type ResultSet,
} from "@libsql/core/api";
import type { WritesMeter } from "../instruments.ts";
import { createHeard, type Heard, sinceNow } from "./heard.ts";
import { openHrana, type Step, succeeded } from "./hrana.ts";
import { COUNT, countOf } from "./position.ts";
import { createReads, type Replica } from "./remote.reads.ts";
import { createWrites, noTurn, type PrimaryAnswer, type RemoteWrites } from "./remote.writes.ts";
import { openServerReplica } from "./replica.server.ts";
import type { RequestScope } from "./request-view.ts";
import { startsWithSelect } from "./sql.ts";

export interface RemoteOptions {
  authToken?: string | undefined;
  /** Milliseconds for one round trip to the server, including the answer (2000). */
  timeout?: number;
  /** Milliseconds for one migration (60,000). */
  migrationTimeout?: number;
  /** Milliseconds for which a replica may answer after it last heard from the primary (0: never). */
  staleReads?: number;
  /** The primary's own URL, when `url` is a replica. Requests for the primary then go there directly. */
  primaryUrl?: string | undefined;
  /** Opens the replica that may answer reads. Without it, the server at `url` counts as the replica. */
  openReplica?: (heard: Heard) => Replica;
  /**
   * Knows how new the state is that a request has seen. With it, a replica answers reads. Without it, a replica answers
   * them only while the primary is unreachable.
   */
  scope?: RequestScope | undefined;
  /**
   * Only where the writes of several requests cannot share round trips: makes a write's trip when it is its turn. On
   * workerd, a trip ends with its own request.
   */
  takeTurn?: <Result>(trip: () => Promise<Result>) => Promise<Result>;
  /** Is told about waiting writes and commits. */
  meter?: WritesMeter | undefined;
  /** Completes work that no request waits for, on runtimes where it would end with the request that began it. */
  background?: (work: Promise<void>) => void;
}

/**
 * A replica on a server answers a program of plain reads by itself, some milliseconds behind the primary. If one
 * statement is anything else, it forwards the whole program to its primary. It does not count this statement as a plain
 * read (libsql-server, query_analysis.rs). On the primary the statement locks nothing and costs nothing. So a program
 * that ends with it sees the state of the primary.
 */
const BY_THE_PRIMARY: Step = { sql: "PRAGMA foreign_keys" };

/**
 * Opens the database at `url` (`libsql://`, `https://` or `http://`). Nothing is sent before the first call.
 *
 * A read is one round trip, or a few when the replica is asked first and does not answer. A write is one round trip, and
 * may wait for its turn before (see `createWrites`). A call rejects within `timeout`, or within one and a half times as
 * long after a wait, with LibsqlError: the errors of `openHrana`, SQLite's codes, PROXY_ERROR for an error of the
 * primary that came through a replica, CLIENT_CLOSED. Statements that belong together go into one `batch`. Interactive
 * transactions are refused (NOT_SUPPORTED), because each of their statements would be a round trip.
 */
export function openRemote(url: string, options: RemoteOptions = {}): Client {
  const { authToken, timeout = 2000, migrationTimeout = 60_000, takeTurn } = options;
  const { primaryUrl = url, staleReads = 0, scope, meter, background = () => {} } = options;
  const run = openHrana(primaryUrl, authToken);
  const heard = createHeard(staleReads);
  const replica = options.openReplica?.(heard) ?? openServerReplica(url, authToken, background);
  // The position only matters for replicas that may answer reads.
  const counting = staleReads > 0;
  const queue: RemoteWrites = takeTurn
    ? (steps) => createWrites(askInTurn(takeTurn), timeout, { counting, meter })(steps)
    : createWrites(askPrimary, timeout, { counting, meter });
  const read = createReads({ replica, heard, staleReads, scope, askPrimary, background });
  let isClosed = false;

  async function askPrimary(given: Step[], milliseconds = timeout): Promise<PrimaryAnswer> {
    if (isClosed) throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
    const steps = [...given, ...(counting ? [COUNT] : []), BY_THE_PRIMARY];
    const age = sinceNow();
    const outcome = await run({ steps, timeout: milliseconds });
    const counted = counting ? outcome.steps[given.length] : undefined;
    // Before the migrations have run, the table for the count does not exist.
    if (counted === undefined || counted instanceof LibsqlError) {
      return { ...outcome, position: undefined };
    }
    const position = { count: countOf(counted), index: outcome.index };
    heard.note(position, age);
    return { ...outcome, position };
  }

  /** As `askPrimary`, when it is this trip's turn. The trip continues when nobody waits for it any more. */
  function askInTurn(turn: NonNullable<RemoteOptions["takeTurn"]>): typeof askPrimary {
    return (steps, milliseconds) => {
      const { promise, resolve, reject } = Promise.withResolvers<PrimaryAnswer>();
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        reject(noTurn(timeout / 2));
      }, timeout / 2);
      const trip = turn(async () => {
        clearTimeout(timer);
        if (!isLate) await askPrimary(steps, milliseconds).then(resolve, reject);
      });
      // The queue refuses it when too many wait.
      background(trip.catch(reject).finally(() => clearTimeout(timer)));
      return promise;
    };
  }

  async function write(steps: Step[]): Promise<ResultSet[]> {
    const { results, position } = await queue(steps);
    if (position) scope?.getStore()?.sawPrimary(position);
    return results;
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
      // One snapshot for all statements.
      const answer = await askPrimary([{ sql: "BEGIN" }, ...steps, { sql: "COMMIT" }]);
      if (answer.position) scope?.getStore()?.sawPrimary(answer.position);
      const [, ...results] = answer.steps.slice(0, steps.length + 1).map(succeeded);
      return results;
    },
    async migrate(statements) {
      const { steps, first, last } = migration(statements.map(toStep));
      const answer = await askPrimary(steps, migrationTimeout);
      const results = answer.steps.slice(0, last + 1).map(succeeded);
      return results.slice(first, last);
    },
    transaction: () => refuse("an interactive transaction"),
    executeMultiple: () => refuse("a script"),
    sync: () => refuse("a sync"),
    reconnect() {
      isClosed = false;
    },
    close() {
      isClosed = true;
      replica.close();
    },
  };
}

function toStep(statement: InStatement | [string, InArgs?]): Step {
  if (typeof statement === "string") return { sql: statement };
  if (Array.isArray(statement)) return { sql: statement[0], args: statement[1] };
  return statement;
}

/**
 * A migration as one transaction, with the numbers of its first statement and of its commit. It begins in the way that
 * SQLite recommends for altering tables (https://sqlite.org/lang_altertable.html#otheralter). Inside a transaction that
 * pragma has no effect.
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

async function refuse(what: string): Promise<never> {
  throw new LibsqlError(`The database on a server does not take ${what}`, "NOT_SUPPORTED");
}
