/** Runs several statements as one transaction and one round trip, and gives each result under a name. */
import type { BatchItem } from "drizzle-orm/batch";
import type { Database } from "./drizzle.ts";

/** A Drizzle statement that has not run yet. */
export type DrizzleStatement = BatchItem<"sqlite">;

/** Statements to run together, in this order: single statements and lists of statements. */
export type DrizzleStatements = Record<string, DrizzleStatement | readonly DrizzleStatement[]>;

type ResultOf<S> = S extends DrizzleStatement ? S["_"]["result"] : unknown[];

/** The result of each statement, under its name. */
export type Results<S extends DrizzleStatements> = { [Name in keyof S]: ResultOf<S[Name]> };

/** Runs them in one transaction: either all take effect or none. */
export async function batch<S extends DrizzleStatements>(
  db: Database,
  statements: S,
): Promise<Results<S>> {
  const entries = Object.entries(statements);
  const [first, ...rest] = entries.flatMap(([, each]) => each);
  if (first === undefined) throw new Error("A batch needs a statement");
  const results: unknown[] = await db.batch([first, ...rest]);
  const named = entries.map(([name, each]) => [
    name,
    Array.isArray(each) ? results.splice(0, each.length) : results.shift(),
  ]);
  // `fromEntries` loses the types of the names. `Results` restores them.
  return Object.fromEntries(named) as Results<S>;
}
