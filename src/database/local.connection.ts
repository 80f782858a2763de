/** One native connection to an SQLite file: its statements stay prepared, its values and errors are those of libSQL's clients. */
import { closeSync, openSync } from "node:fs";
import {
  type InArgs,
  type InStatement,
  LibsqlBatchError,
  LibsqlError,
  type ResultSet,
  type Row,
  type Value,
} from "@libsql/core/api";
import { ResultSetImpl } from "@libsql/core/util";
import Database from "libsql";
import { type ParsedSql, parseSql, refuseNul, toBoundValues } from "./local.sql.ts";

/** A statement in any of the forms that `Client.batch` takes. */
export type BatchStatement = InStatement | [string, InArgs?];

/** One connection. Every call is synchronous and throws LibsqlError, once closed with code CLIENT_CLOSED. */
export interface Connection {
  /** Runs one statement to its end. Only safe against a stuck SQLITE_BUSY inside a transaction. */
  execute(statement: BatchStatement): ResultSet;
  /** Runs statements without arguments and results. They are finalized even when SQLITE_BUSY is met. */
  exec(sql: string): void;
  /** Whether BEGIN was run, and neither the caller nor SQLite itself has ended the transaction. */
  inTransaction(): boolean;
  /** Rolls back, unless there is no transaction: SQLite ends it by itself after SQLITE_FULL and the like. */
  rollback(): void;
  /** Closes the connection, rolling back; does nothing if closed. */
  close(): void;
}

interface Prepared extends ParsedSql {
  statement: ReturnType<InstanceType<typeof Database>["prepare"]>;
  returnsRows: boolean;
  columns: string[];
  columnTypes: string[];
}

/** Statements kept prepared per connection; more than an application has, so only generated SQL is evicted. */
const maxPrepared = 500;

/**
 * Opens the SQLite file at `path`, made with mode 0600 if it does not exist, and runs `pragmas` on the new connection.
 *
 * Throws LibsqlError: SQLITE_CANTOPEN, SQLITE_NOTADB, or what a pragma gave.
 */
export function connect(path: string, pragmas: string): Connection {
  const database = openNative(path);
  const prepared = new Map<string, Prepared>();
  let isOpen = true;

  function prepare(sql: string): Prepared {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const parsed = parseSql(sql);
    const statement = database.prepare(sql).safeIntegers();
    const returnsRows = statement.reader;
    if (returnsRows) statement.raw();
    const entry = { ...parsed, statement, returnsRows, columns: [], columnTypes: [] };
    if (returnsRows) readColumns(entry);
    const [oldest] = prepared.keys();
    if (oldest !== undefined && prepared.size >= maxPrepared) prepared.delete(oldest);
    prepared.set(sql, entry);
    return entry;
  }

  function run(sql: string, args: InArgs): ResultSet {
    const entry = prepare(sql);
    const values = toBoundValues(entry.parameters, args);
    if (!entry.returnsRows) {
      const { changes, lastInsertRowid } = entry.statement.run(values);
      return new ResultSetImpl([], [], [], changes, BigInt(lastInsertRowid));
    }
    // all(), never get() or run(): these leave a statement that returns rows in progress, and COMMIT fails.
    // `as`: the native types call rows unknown; in raw mode each is an array of SQLite values.
    const raw = entry.statement.all(values) as (Value | Uint8Array)[][];
    // SQLite re-prepares by itself after a schema change, even another process's; `*` then has new columns.
    if (entry.hasStar) readColumns(entry);
    const { columns, columnTypes } = entry;
    const rows = raw.map((row) => toRow(row.map(toValue), columns));
    return new ResultSetImpl(
      columns,
      columnTypes,
      rows,
      entry.isChange ? rows.length : 0,
      undefined,
    );
  }

  /** A closed connection must never reach the native library: that would abort the process. */
  function checked<T>(work: () => T): T {
    if (!isOpen) throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
    try {
      return work();
    } catch (error) {
      throw toLibsqlError(error);
    }
  }

  const connection: Connection = {
    execute(statement) {
      if (typeof statement === "string") return checked(() => run(statement, []));
      if (Array.isArray(statement)) return checked(() => run(statement[0], statement[1] ?? []));
      return checked(() => run(statement.sql, statement.args ?? []));
    },
    exec(sql) {
      checked(() => {
        refuseNul(sql);
        database.exec(sql);
      });
    },
    inTransaction: () => isOpen && database.inTransaction,
    rollback() {
      if (connection.inTransaction()) connection.exec("ROLLBACK");
    },
    close() {
      if (!isOpen) return;
      connection.rollback();
      isOpen = false;
      // The native connection lives on until its statements are collected.
      prepared.clear();
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

/** Runs the statements in order. Throws LibsqlBatchError with the index of the one that failed. */
export function executeAll(connection: Connection, statements: BatchStatement[]): ResultSet[] {
  return statements.map((statement, index) => {
    try {
      return connection.execute(statement);
    } catch (error) {
      if (!(error instanceof LibsqlError)) throw error;
      const { code, extendedCode, rawCode, cause } = error;
      const message = error.message.replace(`${code}: `, "");
      const origin = cause instanceof Error ? cause : error;
      throw new LibsqlBatchError(message, index, code, extendedCode, rawCode, origin);
    }
  });
}

/** Ends the transaction that is open: by COMMIT after `work`, or by ROLLBACK if either of them throws. */
export function commit<T>(connection: Connection, work: (connection: Connection) => T): T {
  try {
    const result = work(connection);
    connection.exec("COMMIT");
    return result;
  } catch (error) {
    connection.rollback();
    throw error;
  }
}

function openNative(path: string): InstanceType<typeof Database> {
  // These names are no plain files to the native library: memory, a temporary file, URIs, or a crash (NUL).
  if (path === "" || path === ":memory:" || /^(?:file|libsql|https?):|\0/.test(path)) {
    throw new LibsqlError(`not a plain file path: ${JSON.stringify(path)}`, "SQLITE_CANTOPEN");
  }
  try {
    // The file holds password hashes. SQLite gives its -wal and -shm files the same mode.
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // It exists, or SQLite will say below why it cannot be made.
  }
  try {
    return new Database(path);
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    const message = `unable to open database file ${path}`;
    throw new LibsqlError(message, "SQLITE_CANTOPEN", "SQLITE_CANTOPEN", 14, cause);
  }
}

function readColumns(entry: Prepared): void {
  const columns = entry.statement.columns();
  entry.columns = columns.map((column) => column.name);
  entry.columnTypes = columns.map((column) => column.type ?? "");
}

/** Builds a row like other libSQL clients: values by index, not enumerable, and by name, the first of equal names. */
function toRow(values: Value[], columns: string[]): Row {
  // `as`: only TypeScript's index signature asks that length be a Value; it is set right here.
  const row = Object.defineProperty({}, "length", { value: values.length }) as Row;
  values.forEach((value, i) => {
    const name = columns[i] ?? "";
    Object.defineProperty(row, i, { value });
    if (Object.hasOwn(row, name)) return;
    const property = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(row, name, property);
  });
  return row;
}

function toValue(value: Value | Uint8Array): Value {
  if (typeof value === "bigint") {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw new LibsqlError(`integer ${value} exceeds 2^53 - 1`, "INTEGER_UNSAFE");
  }
  if (value instanceof Uint8Array) return new Uint8Array(value).buffer;
  return value;
}

/** SQLite's primary result codes by number (https://sqlite.org/rescode.html). */
const primaryCodes =
  "OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB NOTICE WARNING".split(
    " ",
  );

function toLibsqlError(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  // The low byte of an extended code is its primary code.
  const code = `SQLITE_${primaryCodes[(error.rawCode ?? 1) & 0xff] ?? "ERROR"}`;
  // The native library has no name for some, such as a STRICT table's SQLITE_CONSTRAINT_DATATYPE.
  const extendedCode = error.code.startsWith(code) ? error.code : code;
  return new LibsqlError(error.message, code, extendedCode, error.rawCode, error);
}
