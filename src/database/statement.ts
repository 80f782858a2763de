/** Statements whose text is built once, when it is first needed. (Drizzle's own `batch` builds it anew at every call.) */
import { type InValue, LibsqlBatchError, LibsqlError } from "@libsql/core/api";
import { fillPlaceholders, type Query, type SQL } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import type { Database } from "./drizzle.ts";
import { startsWithSelect } from "./sql.ts";

/** What fills the placeholders of a statement, by name. What it has no placeholder for is left out. */
export type Values = Record<string, string | number | boolean | null>;

/** A statement with its values. `Row` is what it returns, with the values as SQLite has them. */
export interface Bound<Row> {
  sql: string;
  args: InValue[];
  /** Never there: it keeps the type. */
  row?: Row;
}

export type Statement<Row> = (values: Values) => Bound<Row>;

const dialect = new SQLiteAsyncDialect();

/** @param query with `sql.placeholder` for what changes from one run to the next */
export function statement<Row = never>(query: SQL): Statement<Row> {
  let built: Query | undefined;
  return (values) => {
    built ??= dialect.sqlToQuery(query);
    const { sql, params } = built;
    return { sql, args: fillPlaceholders(params, values).map(toBindable) };
  };
}

/** SQLite has no booleans. */
function toBindable(value: unknown): InValue {
  if (typeof value === "boolean") return Number(value);
  // `as`: Values and what Drizzle has in its place are all that comes here.
  return value as InValue;
}

/** The values of a row by name, and in the order of the columns. */
type Rows<Statements extends Bound<unknown>[]> = {
  [I in keyof Statements]: Statements[I] extends Bound<infer Row>
    ? (Row & ArrayLike<unknown>)[]
    : never;
};

/**
 * Runs the statements in one transaction and one round trip: the rows of each. A read on its own waits for no write, and
 * a replica may answer it.
 */
export async function runBatch<const Statements extends Bound<unknown>[]>(
  { $client: client }: Database,
  statements: [...Statements],
): Promise<Rows<Statements>> {
  try {
    const [first, ...others] = statements;
    const isRead = first !== undefined && others.length === 0 && startsWithSelect(first.sql);
    const results = isRead
      ? [await client.execute(first)]
      : await client.batch(statements, "write");
    // `as`: a statement's type says what it returns.
    return results.map(({ rows }) => rows) as unknown as Rows<Statements>;
  } catch (error) {
    throw withText(error, statements);
  }
}

/**
 * Runs a statement that reads, in one round trip: its rows, as they are in the primary. No replica answers it, not even
 * while the primary is out of reach.
 */
export async function readAtPrimary<Row>(
  { $client: client }: Database,
  statement: Bound<Row>,
): Promise<Row[]> {
  try {
    const [result] = await client.batch([statement], "read");
    // `as`: a statement's type says what it returns.
    return (result?.rows ?? []) as unknown as Row[];
  } catch (error) {
    throw withText(error, [statement]);
  }
}

/** The error, and for the log the text of the statement that failed: without its values, which are what someone sent. */
function withText(error: unknown, statements: Bound<unknown>[]): unknown {
  if (!(error instanceof LibsqlError)) return error;
  const index = error instanceof LibsqlBatchError ? error.statementIndex : 0;
  const text = statements[index]?.sql ?? "";
  return new Error(`Failed statement: ${text.replace(/\s+/g, " ").trim()}`, { cause: error });
}
