/** What goes into a statement of the embedded database, its text and arguments, and the rows that come out of it. */
import { type InArgs, type InStatement, LibsqlError, type Row } from "@libsql/core/api";
import { startsWithSelect } from "./sql.ts";

/** One statement. Arguments are given by position. */
export interface SqlStatement {
  sql: string;
  args?: InArgs;
}

/** Brings any of the forms that libSQL's clients take into one. */
export function statementOf(given: InStatement | [sql: string, args?: InArgs]): SqlStatement {
  if (typeof given === "string") return { sql: given };
  return Array.isArray(given) ? { sql: given[0], args: given[1] ?? [] } : given;
}

/** Strings, quoted names and comments. A doubled quote inside a string reads as two strings side by side. */
const QUOTED = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g;

/** What SQLite would take, but the service does not use and this file does not support. */
const UNSUPPORTED: [found: RegExp, what: string][] = [
  [/^$/, "SQL without a statement"],
  // The native library would run the first and ignore the others.
  [/;/, "several statements in one text"],
  [/\?\d|[:@$#]\w/, "parameters with a name or number"],
  [
    /^(?:begin|commit|end|rollback|savepoint|release)\b/i,
    "a statement that begins or ends a transaction",
  ],
];

/** Facts about a statement that the native library does not report. */
export interface Inspected {
  /** How many arguments it takes. */
  parameters: number;
  /** Whether a column is written as `*`, so that the columns change with the schema. */
  hasStar: boolean;
  isRead: boolean;
}

/** Reads the text of one statement. @throws LibsqlError NOT_SUPPORTED */
export function inspect(sql: string): Inspected {
  // SQLite would ignore what follows it.
  if (sql.includes("\0")) throw unsupported("a NUL in SQL");
  const bare = sql.replace(QUOTED, " ").trim().replace(/;$/, "").trim();
  for (const [found, what] of UNSUPPORTED) if (found.test(bare)) throw unsupported(what);
  // What stands in parentheses, such as `count(*)` and subqueries, changes no column of the statement.
  const hasStar = withoutParentheses(bare).includes("*");
  return { parameters: bare.split("?").length - 1, hasStar, isRead: startsWithSelect(sql) };
}

function withoutParentheses(text: string): string {
  const shorter = text.replace(/\([^()]*\)/g, " ");
  return shorter === text ? text : withoutParentheses(shorter);
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
export function toBound(args: InArgs, count: number): Bound[] {
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

/** The columns of a statement's result. */
export interface ResultColumns {
  names: string[];
  types: string[];
  /** Makes a row of its values. @throws LibsqlError INTEGER_UNSAFE */
  toRow(values: unknown[]): Row;
}

export function resultColumnsOf(columns: { name: string; type: string | null }[]): ResultColumns {
  const names = columns.map(({ name }) => name);
  return { names, types: columns.map(({ type }) => type ?? ""), toRow: rowsOf(names) };
}

/**
 * Makes the rows of one statement, as libSQL's clients have them: each value by its column's name and, not enumerable,
 * by its index. If several columns have the same name, the name means the first one. What all rows share is in their
 * prototype, because to define it for each row takes ten times as long.
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
