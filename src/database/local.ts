/** The embedded database: libSQL's `Client` over one SQLite file. A write is acknowledged when it is on the disk. */
import {
  type Client,
  type InArgs,
  type InStatement,
  LibsqlError,
  type ResultSet,
} from "@libsql/core/api";
import { ResultSetImpl } from "@libsql/core/util";
import type { WritesMeter } from "../instruments.ts";
import {
  type Connection,
  clientClosed,
  connect,
  EVERY_CONNECTION,
  runAll,
  whenNotBusy,
} from "./local.connection.ts";
import { openReads } from "./local.reads.ts";
import { type SqlStatement, statementOf, unsupported } from "./local.statement.ts";
import { openWrites } from "./local.writes.ts";
import { startsWithSelect } from "./sql.ts";

export interface LocalOptions {
  /** Milliseconds that a call waits for another process's lock, counted from the call (5000). */
  busyTimeout?: number;
  /** Told about waiting writes and commits. */
  meter?: WritesMeter | undefined;
}

// A table is altered with foreign keys off (https://sqlite.org/lang_altertable.html#otheralter).
const MIGRATING = `${EVERY_CONNECTION} PRAGMA foreign_keys=OFF;`;

/**
 * Opens the SQLite file at `path`. A file that does not exist is made with mode 0600; its folder must exist.
 *
 * It replaces `@libsql/client` for files. After one SQLITE_BUSY, that client acknowledges writes that are never
 * committed (libsql-client-ts#352): a prepared statement that met SQLITE_BUSY stays in progress and keeps its
 * connection's transaction open. Here only `exec("BEGIN IMMEDIATE")` ever meets another process's lock, and `exec`
 * leaves nothing in progress.
 *
 * - A statement that starts with SELECT, and a batch of only these, is a read. It waits for no write, and sees what is
 *   committed. Reads that are asked for together share one snapshot.
 * - Everything else is a write. Writes run in the order of the calls. Those that wait together share one transaction;
 *   when one fails, each of them runs again in one of its own, so that nothing is undone but its changes. A call resolves
 *   after the commit that holds it. No other code runs between the statements of one call.
 * - `migrate` runs whole or not at all, with foreign keys off, and checks them at its end.
 *
 * Opening throws LibsqlError SQLITE_CANTOPEN, SQLITE_NOTADB or SQLITE_BUSY, the last after it has blocked for
 * `busyTimeout`. Calls reject with LibsqlError: SQLITE_BUSY after `busyTimeout`, SQLite's other codes, CLIENT_CLOSED,
 * ARGS_INVALID, INTEGER_UNSAFE, and NOT_SUPPORTED for what the service does not use, such as interactive transactions.
 */
export function openLocal(path: string, { busyTimeout = 5000, meter }: LocalOptions = {}): Client {
  const { write, close: closeWrites } = openWrites(path, busyTimeout, meter);
  const { read, close: closeReads } = openReads(path, busyTimeout);
  let isClosed = false;

  function refuseClosed(): void {
    if (isClosed) throw clientClosed();
  }

  return {
    protocol: "file",
    get closed() {
      return isClosed;
    },
    execute(given: InStatement, args?: InArgs) {
      const statement = statementOf(args === undefined ? given : [String(given), args]);
      const run = (connection: Connection) => connection.run(statement.sql, statement.args);
      return isRead(statement) ? read(run) : write(run, 1);
    },
    batch(given, mode) {
      const statements = given.map(statementOf);
      return mode === "read" || statements.every(isRead)
        ? read((reader) => runAll(reader, statements))
        : write((writer) => runAll(writer, statements), statements.length);
    },
    async migrate(statements) {
      refuseClosed();
      const connection = connect(path, MIGRATING);
      try {
        const deadline = performance.now() + busyTimeout;
        await whenNotBusy(deadline, () => connection.exec("BEGIN IMMEDIATE"));
        const results = statements.map((statement) => migrateBy(connection, statement));
        refuseDanglingKeys(connection);
        connection.exec("COMMIT");
        return results;
      } finally {
        connection.close();
      }
    },
    async transaction(): Promise<never> {
      throw unsupported("interactive transactions");
    },
    async executeMultiple(): Promise<never> {
      throw unsupported("several statements in one text");
    },
    async sync(): Promise<never> {
      throw unsupported("sync");
    },
    reconnect(): never {
      throw unsupported("reconnect");
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      closeReads();
      closeWrites();
    },
  };
}

const isRead = ({ sql }: SqlStatement) => startsWithSelect(sql);

/** The text of a migration may be a trigger, which holds several statements. */
function migrateBy(connection: Connection, statement: InStatement): ResultSet {
  if (typeof statement !== "string") return connection.run(statement.sql, statement.args);
  connection.exec(statement);
  return new ResultSetImpl([], [], [], 0, undefined);
}

function refuseDanglingKeys(connection: Connection): void {
  const [row] = connection.run("PRAGMA foreign_key_check").rows;
  if (row === undefined) return;
  const message = `migration leaves rows of ${row[0]} without their ${row[2]}`;
  throw new LibsqlError(message, "SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_FOREIGNKEY", 787);
}
