/** One native connection to an SQLite file. It keeps its statements prepared, and throws LibsqlError. */
import { closeSync, openSync } from "node:fs";
import { type InArgs, LibsqlBatchError, LibsqlError, type ResultSet } from "@libsql/core/api";
import { ResultSetImpl } from "@libsql/core/util";
import Database from "libsql";
import AsyncDatabase from "libsql/promise";
import {
  type Inspected,
  inspect,
  type ResultColumns,
  resultColumnsOf,
  type SqlStatement,
  toBound,
} from "./local.statement.ts";

/** One connection. All calls except `commit` block. Errors are LibsqlError, with CLIENT_CLOSED after `close`. */
export interface Connection {
  /**
   * Runs one statement. Run writes only inside a transaction. A statement that gets SQLITE_BUSY stays open on its
   * connection. Later commits there report success, but store nothing.
   */
  run(sql: string, args?: InArgs): ResultSet;
  /** Runs statements that have no arguments and no results. None stays open, whatever error it gets. */
  exec(sql: string): void;
  /** Commits on another thread, because that waits for the disk. Nothing else may be called until it settles. */
  commit(): Promise<void>;
  /** Rolls back, unless there is no transaction: SQLite ends it by itself after SQLITE_FULL. Never throws. */
  rollback(): void;
  /** Rolls back and closes. Does nothing when closed. */
  close(): void;
}

interface Prepared extends Inspected {
  native: ReturnType<InstanceType<typeof Database>["prepare"]>;
  /** Missing when it returns no rows. */
  result: ResultColumns | undefined;
}

// The package has a class that calls and one that awaits, both over the same native handle. This one awaits.
const execOnThread = AsyncDatabase.prototype.exec;

// busy_timeout=0: SQLite itself would wait by blocking the event loop.
// synchronous=FULL, and fullfsync for macOS: an acknowledged write outlives a power cut.
// secure_delete=ON: what is deleted, such as a mail with a one-time password, is overwritten with zeros.
export const EVERY_CONNECTION =
  "PRAGMA busy_timeout=0; PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA secure_delete=ON;";

/** Statements that stay prepared. `GET /todos` alone may have more, but few of them are in use at the same time. */
const MAX_PREPARED = 500;

/**
 * Opens the SQLite file at `path` and runs `pragmas` on the new connection. A file that does not exist is made with
 * mode 0600.
 * @throws LibsqlError SQLITE_CANTOPEN, SQLITE_NOTADB, or what a pragma gave
 */
export function connect(path: string, pragmas: string): Connection {
  const database = openNative(path);
  const statements = new Map<string, Prepared>();
  let isOpen = true;

  /** The native library would abort the process if it were given a closed connection. */
  function refuseClosed(): void {
    if (!isOpen) throw clientClosed();
  }

  function prepare(sql: string): Prepared {
    const known = statements.get(sql);
    if (known !== undefined) {
      if (statements.size >= MAX_PREPARED) {
        // The statement that was used least recently is dropped first. Until the map is full, its order does not matter.
        statements.delete(sql);
        statements.set(sql, known);
      }
      return known;
    }
    const inspected = inspect(sql);
    const native = database.prepare(sql);
    const result = native.reader ? resultColumnsOf(native.raw().columns()) : undefined;
    const prepared = { ...inspected, native, result };
    const [oldest] = statements.keys();
    if (oldest !== undefined && statements.size >= MAX_PREPARED) statements.delete(oldest);
    statements.set(sql, prepared);
    return prepared;
  }

  const connection: Connection = {
    run(sql, args = []) {
      refuseClosed();
      try {
        const prepared = prepare(sql);
        const { native, parameters, hasStar, isRead } = prepared;
        const values = toBound(args, parameters);
        if (prepared.result === undefined) {
          const { changes, lastInsertRowid } = native.run(values);
          return new ResultSetImpl([], [], [], changes, BigInt(lastInsertRowid));
        }
        // Never get() or run(): they leave a statement that returns rows in progress, and COMMIT then fails.
        // `as`: the native types call a row unknown; in raw mode it is an array.
        const raw = native.all(values) as unknown[][];
        // Another process may have changed the schema. SQLite has then prepared the statement again.
        if (hasStar) prepared.result = resultColumnsOf(native.columns());
        const { names, types, toRow } = prepared.result;
        const rows = raw.map(toRow);
        return new ResultSetImpl(names, types, rows, isRead ? 0 : rows.length, undefined);
      } catch (error) {
        throw toLibsqlError(error);
      }
    },
    exec(sql) {
      refuseClosed();
      try {
        database.exec(sql);
      } catch (error) {
        throw toLibsqlError(error);
      }
    },
    async commit() {
      refuseClosed();
      try {
        await execOnThread.call(database, "COMMIT");
      } catch (error) {
        throw toLibsqlError(error);
      }
    },
    rollback() {
      try {
        if (isOpen && database.inTransaction) connection.exec("ROLLBACK");
      } catch {
        // SQLite has ended the transaction all the same.
      }
    },
    close() {
      if (!isOpen) return;
      connection.rollback();
      isOpen = false;
      // The native connection lives on until its statements are collected.
      statements.clear();
      database.close();
    },
  };

  try {
    connection.exec(pragmas);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/** Runs the statements in order. @throws LibsqlBatchError with the index of the one that failed */
export function runAll(connection: Connection, statements: SqlStatement[]): ResultSet[] {
  return statements.map(({ sql, args }, index) => {
    try {
      return connection.run(sql, args);
    } catch (error) {
      if (!(error instanceof LibsqlError)) throw error;
      const { code, extendedCode, rawCode, cause } = error;
      const message = error.message.replace(`${code}: `, "");
      const origin = cause instanceof Error ? cause : error;
      throw new LibsqlBatchError(message, index, code, extendedCode, rawCode, origin);
    }
  });
}

function openNative(path: string): InstanceType<typeof Database> {
  // To the native library these are not plain files: memory, a temporary file, a URI. A NUL aborts the process.
  if (path === "" || path === ":memory:" || /^(?:file|libsql|https?):|\0/.test(path)) {
    throw new LibsqlError(`not a plain file path: ${JSON.stringify(path)}`, "SQLITE_CANTOPEN");
  }
  try {
    // The file holds password hashes. SQLite gives its -wal and -shm files the same mode.
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // It exists, or cannot be made: then SQLite fails below and says why.
  }
  try {
    return new Database(path);
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    const message = `unable to open database file ${path}`;
    throw new LibsqlError(message, "SQLITE_CANTOPEN", "SQLITE_CANTOPEN", 14, cause);
  }
}

/** `code` is SQLite's primary result code, `extendedCode` says more (https://sqlite.org/rescode.html). */
function toLibsqlError(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const [code = "SQLITE_ERROR"] = /^SQLITE_[A-Z]+/.exec(error.code) ?? [];
  return new LibsqlError(error.message, code, error.code, error.rawCode, error);
}

/** Repeats `attempt` while it meets SQLITE_BUSY, until `deadline` on the clock of performance.now(). */
export async function whenNotBusy<T>(deadline: number, attempt: () => T): Promise<T> {
  for (let longest = 2; ; longest = Math.min(2 * longest, 50)) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
    }
    // Random, so that processes that wait for each other do not go on colliding.
    const delay = Math.min(longest * Math.random(), deadline - performance.now());
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
}

/** The error of every call after `close`. */
export const clientClosed = () => new LibsqlError("The client is closed", "CLIENT_CLOSED");

export function isBusy(error: unknown): boolean {
  return error instanceof LibsqlError && error.code === "SQLITE_BUSY";
}
