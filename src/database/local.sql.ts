/** Learns from one SQL text what SQLite's native binding does not tell: its parameters, and that it is one statement. */
import { type InArgs, type InValue, LibsqlError } from "@libsql/core/api";

/** What one SQL statement asks for. */
export interface ParsedSql {
  /** The parameters by position as they are written, such as `:id` or `?2`; a bare `?` is "". */
  parameters: string[];
  /** Whether result columns are written as `*`, so that their names may change with the schema. */
  hasStar: boolean;
  /** Whether it is an INSERT, UPDATE, DELETE or REPLACE: with RETURNING each row given is one changed. */
  isChange: boolean;
}

/** A value as the native binding takes it: any other type would be misread or abort the whole process. */
export type BoundValue = null | number | bigint | string | Uint8Array;

/** The tokens of SQLite's tokenizer (tokenize.c), as far as they matter here; `_` and `$` are letters to it. */
const token = new RegExp(
  [
    /(?<blank>[ \t\n\f\r]+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))/,
    /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/,
    /(?<parameter>\?\d*|[:@$#](?:[\w$\u0080-\u{10ffff}]|::)+(?:\([^\s)]*\))?)/u,
    /[\w\u0080-\u{10ffff}][\w$\u0080-\u{10ffff}]*/u,
    /[\s\S]/u,
  ]
    .map((part) => part.source)
    .join("|"),
  "gu",
);

const isSelect = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*select\b/i;

/** Whether the SQL text starts with SELECT, after blanks and comments. */
export function startsWithSelect(sql: string): boolean {
  return isSelect.test(sql);
}

/** Refuses a NUL in SQL text, because SQLite would ignore what follows it (LibsqlError, SQL_INPUT_ERROR). */
export function refuseNul(sql: string): void {
  if (sql.includes("\0")) throw new LibsqlError("SQL text holds a NUL", "SQL_INPUT_ERROR");
}

/**
 * Parses the text of exactly one statement. Parameters are numbered by SQLite's rules
 * (https://sqlite.org/lang_expr.html#varparam).
 *
 * Throws LibsqlError with the codes of a libSQL server: SQL_NO_STATEMENT, SQL_MANY_STATEMENTS,
 * SQL_INPUT_ERROR (a NUL, or BEGIN, COMMIT, END and ROLLBACK, which belong to batch and transaction).
 */
export function parseSql(sql: string): ParsedSql {
  refuseNul(sql);
  const words: string[] = [];
  const parameters: string[] = [];
  for (const match of sql.matchAll(token)) {
    const { blank, parameter } = match.groups ?? {};
    if (blank !== undefined) continue;
    words.push(match[0].toUpperCase());
    if (parameter !== undefined) addParameter(parameters, parameter);
  }
  const [first, second, third] = words;
  if (first === undefined || first === ";") {
    throw new LibsqlError("SQL text holds no statement", "SQL_NO_STATEMENT");
  }
  if (words.slice(endOfStatement(words)).some((word) => word !== ";")) {
    throw new LibsqlError("SQL text holds more than one statement", "SQL_MANY_STATEMENTS");
  }
  const rollsBackToSavepoint = first === "ROLLBACK" && (second === "TO" || third === "TO");
  if (/^(?:BEGIN|COMMIT|END|ROLLBACK)$/.test(first) && !rollsBackToSavepoint) {
    throw new LibsqlError(`${first}: use batch() or transaction()`, "SQL_INPUT_ERROR");
  }
  return {
    parameters,
    hasStar: words.some((word, i) => word === "*" && precedesStar.test(words[i - 1] ?? "")),
    isChange: /^(?:INSERT|UPDATE|DELETE|REPLACE)$/.test(first),
  };
}

/** SQLITE_MAX_VARIABLE_NUMBER of the native library, which refuses a statement with more. */
const maxParameters = 32766;

const precedesStar = /^(?:SELECT|DISTINCT|ALL|RETURNING|,|\.)$/;

function addParameter(parameters: string[], text: string): void {
  if (text === "?") {
    parameters.push("");
  } else if (text.startsWith("?")) {
    const number = Math.min(Number(text.slice(1)), maxParameters);
    while (parameters.length < number) parameters.push("");
    parameters[number - 1] = text;
  } else if (!parameters.includes(text)) {
    parameters.push(text);
  }
}

/** The index after the first statement; a trigger's body has semicolons of its own and ends with `; END ;`. */
function endOfStatement(words: string[]): number {
  const isTrigger = /^CREATE (?:TEMP |TEMPORARY )?TRIGGER\b/.test(words.slice(0, 3).join(" "));
  const end = words.findIndex(
    (word, i) => word === ";" && (!isTrigger || (words[i - 1] === "END" && words[i - 2] === ";")),
  );
  return end < 0 ? words.length : end;
}

/**
 * Orders and converts the arguments of one statement for binding. An array must be as long as the
 * statement has parameters, and a record must name exactly these: a prepared statement would
 * silently keep the argument of its former run for one not given.
 *
 * Throws LibsqlError ARGS_INVALID, also for a value SQLite cannot store and give back unchanged.
 */
export function toBoundValues(parameters: string[], args: InArgs): BoundValue[] {
  const values = Array.isArray(args) ? args : orderByName(parameters, args);
  if (values.length !== parameters.length) {
    throw invalid(`statement has ${parameters.length} parameters, ${values.length} were given`);
  }
  return values.map(toBoundValue);
}

function orderByName(parameters: string[], args: Record<string, InValue>): InValue[] {
  const named = new Map(
    Object.entries(args).map(([name, value]) => [name.replace(/^[:@$]/, ""), value]),
  );
  const names = parameters.map((parameter) => parameter.slice(1));
  const unknown = [...named.keys()].filter((name) => !names.includes(name));
  if (unknown.length > 0) throw invalid(`no such parameter: ${unknown.join(", ")}`);
  return names.map((name) => {
    const value = named.get(name);
    if (value === undefined) throw invalid(`no value for parameter ${JSON.stringify(name)}`);
    return value;
  });
}

/** `unknown`, because types end where rows of JSON or an untyped caller begin. */
function toBoundValue(value: unknown): BoundValue {
  if (value === null) return null;
  if (typeof value === "string") {
    // SQLite gives text back only up to a NUL, and UTF-8 has no lone surrogates.
    if (value.includes("\0")) throw invalid("text holds a NUL");
    if (!value.isWellFormed()) throw invalid("text holds a lone surrogate");
    return value;
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw invalid("number is not finite");
    // The native binding stores each JavaScript number as REAL.
    return Number.isSafeInteger(value) ? BigInt(value) : value;
  }
  if (typeof value === "bigint") {
    if (BigInt.asIntN(64, value) !== value) throw invalid("integer exceeds 64 bits");
    return value;
  }
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Date) return toBoundValue(value.getTime());
  throw invalid(`${typeof value} is no SQL value`);
}

function invalid(message: string): LibsqlError {
  return new LibsqlError(message, "ARGS_INVALID");
}
