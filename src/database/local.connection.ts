/** One native connection to an SQLite file. It keeps statements prepared, checks what is bound, and throws LibsqlError. */
import { closeSync, openSync } from "node:fs";
import {
  type InArgs,
  type InStatement,
  LibsqlBatchError,
  LibsqlError,
  type ResultSet,
  type Row,
} from "@libsql/core/api";
import { ResultSetImpl } from "@libsql/core/util";
import Database from "libsql";
import { startsWithSelect } from "./sql.ts";

/** One statement. Arguments are given by position. */
export interface Statement {
  sql: string;
  args?: InArgs;
}

/** Brings any of the forms that libSQL's clients take into one. */
export function statementOf(given: InStatement | [sql: string, args?: InArgs]): Statement {
  if (typeof given === "string") return { sql: given };
  return Array.isArray(given) ? { sql: given[0], args: given[1] ?? [] } : given;
}

/** One connection. Every call is synchronous and throws LibsqlError, with code CLIENT_CLOSED after `close`. */
export interface Connection {
  /**
   * Runs one statement. Write statements belong into a transaction: a statement that meets SQLITE_BUSY stays in
   * progress, and later commits on its connection then acknowledge what they never store.
   */
  run(sql: string, args?: InArgs): ResultSet;
  /** Runs statements that have no arguments and no results. None stays in progress, whatever it meets. */
  exec(sql: string): void;
  /** Rolls back, unless SQLite has ended the transaction itself, as it does after SQLITE_FULL. */
  rollback(): void;
  /** Rolls back and closes. Does nothing when closed. */
  close(): void;
}

type Native = ReturnType<InstanceType<typeof Database>["prepare"]>;

interface Prepared {
  native: Native;
  /** How many arguments it takes. */
  parameters: number;
  /** Whether a column is written as `*`. */
  hasStar: boolean;
  isRead: boolean;
  /** Missing when it returns no rows. */
  result: Columns | undefined;
}

interface Columns {
  names: string[];
  types: string[];
  toRow(values: unknown[]): Row;
}

/** Statements kept prepared. The service has fewer, so none of its own is ever evicted. */
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
    if (!isOpen) throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
  }

  function prepare(sql: string): Prepared {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const inspected = inspect(sql);
    const native = database.prepare(sql);
    const result = native.reader ? columnsOf(native.raw()) : undefined;
    const prepared = { native, ...inspected, isRead: startsWithSelect(sql), result };
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
        if (hasStar) prepared.result = columnsOf(native);
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
    rollback() {
      if (isOpen && database.inTransaction) connection.exec("ROLLBACK");
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
export function runAll(connection: Connection, statements: Statement[]): ResultSet[] {
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

/** Strings, quoted names and comments. A doubled quote inside a string reads as two strings side by side. */
const QUOTED = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g;

/** What SQLite would take, but the service does not use and this file does not support. */
const UNSUPPORTED: [found: RegExp, what: string][] = [
  // SQLite ignores what follows a NUL, and the native library all statements but the first.
  [/\0/, "a NUL in SQL"],
  [/^$/, "SQL without a statement"],
  [/;/, "several statements in one text"],
  [/\?\d|[:@$#]\w/, "parameters with a name or number"],
  [
    /^(?:begin|commit|end|rollback|savepoint|release)\b/i,
    "a statement that begins or ends a transaction",
  ],
];

/** Reads what the native library does not tell of a statement. @throws LibsqlError NOT_SUPPORTED */
function inspect(sql: string): { parameters: number; hasStar: boolean } {
  const bare = sql.replace(QUOTED, " ").trim().replace(/;$/, "").trim();
  for (const [found, what] of UNSUPPORTED) if (found.test(bare)) throw unsupported(what);
  if (sql.includes("\0")) throw unsupported("a NUL in SQL");
  // `count(*)` has one column, whatever the schema.
  return { parameters: bare.split("?").length - 1, hasStar: /\*(?!\))/.test(bare) };
}

/** The one error for everything that the service does not use. */
export function unsupported(what: string): LibsqlError {
  return new LibsqlError(`The embedded database does not support ${what}`, "NOT_SUPPORTED");
}

/** A value as the native library takes it. Other types abort the whole process. */
type Bound = null | number | bigint | string;

/**
 * The arguments as the native library takes them.
 * @throws LibsqlError ARGS_INVALID for another number of arguments than `count`, since a prepared statement keeps the
 * last run's value for a missing one; and for a value that SQLite could not give back unchanged
 */
function toBound(args: InArgs, count: number): Bound[] {
  if (!Array.isArray(args)) throw unsupported("arguments by name");
  if (args.length !== count) {
    throw invalid(`the statement has ${count} parameters, ${args.length} were given`);
  }
  return args.map(toBoundValue);
}

/** `unknown`, because an untyped caller may pass anything. */
function toBoundValue(value: unknown): Bound {
  if (value === null) return null;
  if (typeof value === "string") {
    // The native library aborts on a NUL, and UTF-8 has no lone surrogates.
    if (value.includes("\0")) throw invalid("text holds a NUL");
    if (!value.isWellFormed()) throw invalid("text holds a lone surrogate");
    return value;
  }
  if (typeof value === "number") {
    // The native library binds each number as REAL.
    if (Number.isSafeInteger(value)) return BigInt(value);
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
    throw invalid("number is not finite, or exceeds 2^53 - 1");
  }
  if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  throw invalid(
    typeof value === "bigint" ? "integer exceeds 64 bits" : `${typeof value} is no SQL value`,
  );
}

function invalid(message: string): LibsqlError {
  return new LibsqlError(message, "ARGS_INVALID");
}

function columnsOf(native: Native): Columns {
  const columns = native.columns();
  const names = columns.map(({ name }) => name);
  return { names, types: columns.map(({ type }) => type ?? ""), toRow: rowsOf(names) };
}

/**
 * Makes the rows of one statement, as libSQL's clients have them: each value by its column's name and, not enumerable,
 * by its index. Of columns with the same name the first has it. What all rows share is in their prototype, because to
 * define it for each row takes ten times as long.
 */
function rowsOf(columns: string[]): (values: unknown[]) => Row {
  const prototype = Object.create(null, { length: { value: columns.length } });
  // Without a name: a name's second column, and columns called `length` or `0`.
  const names = columns.map((name, index) =>
    name === "length" || /^\d+$/.test(name) || columns.indexOf(name) !== index ? undefined : name,
  );
  for (const [index, name] of names.entries()) {
    if (name === undefined) continue;
    Object.defineProperty(prototype, index, {
      get() {
        return this[name];
      },
    });
  }
  return (values) => {
    const row = Object.create(prototype);
    for (let index = 0; index < names.length; index++) {
      const name = names[index];
      const value = checkedRead(values[index]);
      if (name === undefined) Object.defineProperty(row, index, { value });
      else row[name] = value;
    }
    return row;
  };
}

/** Refuses an integer that a number cannot hold, because the native library has rounded it. */
function checkedRead(value: unknown): unknown {
  if (typeof value !== "number" || Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  throw new LibsqlError(`number ${value} exceeds 2^53 - 1`, "INTEGER_UNSAFE");
}

/** `code` is SQLite's primary result code, `extendedCode` says more (https://sqlite.org/rescode.html). */
function toLibsqlError(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const [code = "SQLITE_ERROR"] = /^SQLITE_[A-Z]+/.exec(error.code) ?? [];
  return new LibsqlError(error.message, code, error.code, error.rawCode, error);
}
