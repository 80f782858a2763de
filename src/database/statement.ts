/**
 * Statements whose text is built once, when it is first needed. (Drizzle's own `batch` builds the text again at each
 * call.)
 */
import { type InValue, LibsqlBatchError, LibsqlError } from "@libsql/core/api";
import { fillPlaceholders, type Query, type SQL } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import type { Database } from "./drizzle.ts";
import { startsWithSelect } from "./sql.ts";

/** The values for the placeholders of a statement, by name. Further values are ignored. */
export type Values = Record<string, string | number | boolean | null>;

/** A statement with its values. `Row` is the type of its rows, with values as SQLite returns them. */
export interface Bound<Row> {
  sql: string;
  args: InValue[];
  /** It never exists. It only carries the type. */
  row?: Row;
}

export type Statement<Row> = (values: Values) => Bound<Row>;

const dialect = new SQLiteAsyncDialect();

/** @param query the statement, with `sql.placeholder` for everything that differs between runs */
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
  // `as`: only Values and Drizzle's placeholders can be here.
  return value as InValue;
}

/** A statement, a list of them, or an object of those. (TypeScript could not follow a type of any depth.) */
type Nested<One> = One | readonly One[] | { readonly [name: string]: One | readonly One[] };

/** Statements that run together, in this order. */
export type Statements = Nested<Nested<Bound<unknown> | undefined>>;

/**
 * The rows of each statement, in the place of the statement. A row has its values by name, and in the order of the columns.
 */
export type RowsOf<S> =
  S extends Bound<infer Row>
    ? (Row & ArrayLike<unknown>)[]
    : S extends undefined
      ? undefined
      : { [Place in keyof S]: RowsOf<S[Place]> };

/**
 * Runs the statements in one transaction and one round trip. A single read does not wait for writes, and a replica may
 * answer it.
 */
export async function runBatch<const S extends Statements>(
  { $client: client }: Database,
  statements: S,
): Promise<RowsOf<S>> {
  const all: Bound<unknown>[] = [];
  inPlace(statements, (each) => all.push(each));
  try {
    const [first, ...others] = all;
    const isRead = first !== undefined && others.length === 0 && startsWithSelect(first.sql);
    const results = isRead ? [await client.execute(first)] : await client.batch(all, "write");
    let next = 0;
    // `as`: a statement's type says what rows it returns.
    return inPlace(statements, () => results[next++]?.rows) as RowsOf<S>;
  } catch (error) {
    throw withText(error, all);
  }
}

/**
 * The same lists and objects, with what `replace` returns in the place of each statement. It is called in their order.
 */
function inPlace(statements: Statements, replace: (each: Bound<unknown>) => unknown): unknown {
  if (statements === undefined) return undefined;
  if (isBound(statements)) return replace(statements);
  if (isList(statements)) return statements.map((each) => inPlace(each, replace));
  const replaced: Record<string, unknown> = {};
  for (const name in statements) replaced[name] = inPlace(statements[name], replace);
  return replaced;
}

const isBound = (statements: object): statements is Bound<unknown> => "args" in statements;
// `Array.isArray` does not know lists that are `readonly`.
const isList = (statements: object): statements is readonly Statements[] =>
  Array.isArray(statements);

/**
 * Runs a statement that reads, in one round trip. Returns its rows as the primary has them. No replica answers it, not
 * even while the primary is unreachable.
 */
export async function readAtPrimary<Row>(
  { $client: client }: Database,
  statement: Bound<Row>,
): Promise<Row[]> {
  try {
    const [result] = await client.batch([statement], "read");
    // `as`: a statement's type says what rows it returns.
    return (result?.rows ?? []) as unknown as Row[];
  } catch (error) {
    throw withText(error, [statement]);
  }
}

/**
 * The error, with the text of the failed statement for the log. The values are left out, because they come from a
 * client.
 */
function withText(error: unknown, statements: Bound<unknown>[]): unknown {
  if (!(error instanceof LibsqlError)) return error;
  const index = error instanceof LibsqlBatchError ? error.statementIndex : 0;
  const text = statements[index]?.sql ?? "";
  return new Error(`Failed statement: ${text.replace(/\s+/g, " ").trim()}`, { cause: error });
}
