/** A database on a libSQL server: libSQL's client, bounded in time, whose reads are never older than the last write. */

import { createClient } from "@libsql/client/web";
import {
  type Client,
  type InArgs,
  type InStatement,
  LibsqlError,
  type ResultSet,
  type TransactionMode,
} from "@libsql/core/api";
import { outageOf } from "./errors.ts";
import { startsWithSelect } from "./sql.ts";

export interface RemoteOptions {
  authToken?: string | undefined;
  /** Milliseconds for one trip to the server, answer included (2000). */
  timeout?: number;
  /** Milliseconds for one migration (60,000). */
  migrationTimeout?: number;
  /** What answers reads while the server is out of reach; without one, nothing does. */
  copy?: Copy | undefined;
}

/** A copy of the database that may be behind. */
export interface Copy {
  read(statement: InStatement): Promise<ResultSet>;
  /** Whether it is fresh enough. `heardAt` is when the server last answered, on the clock of performance.now(). */
  isGood(heardAt: number): boolean;
  close(): void;
}

/**
 * A server that is a replica passes a whole program on to its primary when one statement of it is no plain read, and
 * it takes this one for such (libsql-server, query_analysis.rs); on the primary it locks nothing and costs nothing. So
 * what is read with it is what the primary has, and a session that has ended on one node has ended on all. Without it
 * a replica answers by itself, some milliseconds behind.
 */
const BY_THE_PRIMARY = "PRAGMA foreign_keys";

/** Requests at once; libSQL's client would let the rest wait, and for longer than `timeout`. */
const CONCURRENCY = 1000;

/**
 * Opens the database at `url` (`libsql://`, `https://` or `http://`); nothing is sent before it is asked for something.
 * Each call is one trip, and rejects within `timeout` with LibsqlError: SERVER_UNREACHABLE, SERVER_ERROR with an HTTP
 * status, SQLite's codes, PROXY_ERROR for a primary's error that came by way of a replica.
 */
export function openRemote(url: string, options: RemoteOptions = {}): Client {
  const { authToken, timeout = 2000, migrationTimeout = 60_000, copy } = options;
  let heardAt = Number.NEGATIVE_INFINITY;

  const stock = connect(url, authToken, timeout);
  const migrator = connect(url, authToken, migrationTimeout);

  async function heard<T>(answer: Promise<T>): Promise<T> {
    const result = await answer;
    heardAt = performance.now();
    return result;
  }

  async function batch(statements: (InStatement | [string, InArgs?])[], mode: "read" | "write") {
    // At the end, so that an error's `statementIndex` is right.
    const results = await heard(stock.batch([...statements, BY_THE_PRIMARY], mode));
    return results.slice(0, -1);
  }

  async function read(statement: InStatement): Promise<ResultSet> {
    try {
      const [result] = await batch([statement], "read");
      if (result === undefined) throw new LibsqlError("No result", "HRANA_PROTO_ERROR");
      return result;
    } catch (error) {
      if (!copy?.isGood(heardAt) || outageOf(error) !== "unreachable") throw error;
      const found = await copy.read(statement);
      // Perhaps it is only too new for the copy. Above all, nobody may be told that a session has ended when it has not.
      if (found.rows.length === 0) throw error;
      return found;
    }
  }

  return {
    protocol: "http",
    get closed() {
      return stock.closed;
    },
    execute(statement: InStatement, args?: InArgs) {
      const given =
        typeof statement === "string" ? { sql: statement, args: args ?? [] } : statement;
      return startsWithSelect(given.sql) ? read(given) : heard(stock.execute(given));
    },
    // Never "deferred", the client's own default: it fails when it has read and then finds that another has written.
    batch: (statements, mode) => batch(statements, mode === "read" ? "read" : "write"),
    migrate: (statements) => heard(migrator.migrate(statements)),
    transaction: (mode?: TransactionMode) => stock.transaction(mode ?? "write"),
    executeMultiple: (sql) => heard(stock.executeMultiple(sql)),
    sync: () => stock.sync(),
    reconnect() {
      stock.reconnect();
      migrator.reconnect();
    },
    close() {
      stock.close();
      migrator.close();
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
  const stock = connect(url, authToken, timeout);
  return {
    read: (statement) => stock.execute(statement),
    isGood: (heardAt) => performance.now() - heardAt < staleReads,
    close: () => stock.close(),
  };
}

function connect(url: string, authToken: string | undefined, timeout: number): Client {
  return createClient({
    url,
    ...(authToken !== undefined && { authToken }),
    concurrency: CONCURRENCY,
    fetch: (request: Request) => fetchWithin(timeout, request),
  });
}

/** The whole answer, body and all. Every failure on the way is one LibsqlError, whatever the runtime calls it. */
async function fetchWithin(milliseconds: number, request: Request): Promise<Response> {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(milliseconds) });
    const body = await response.arrayBuffer();
    const { status, headers } = response;
    return new Response(body, { status, headers });
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    const what =
      cause.name === "TimeoutError"
        ? `no answer in ${milliseconds} ms, out of reach or kept busy`
        : cause.message;
    throw new LibsqlError(what, "SERVER_UNREACHABLE", undefined, undefined, cause);
  }
}
