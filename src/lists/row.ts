/** A list's row as it is read: its columns. Answers have them unchanged. */
import { type SQL, sql } from "drizzle-orm";
import { columnsOf, jsonOf } from "../database/columns.ts";
import { lists } from "../database/schema.ts";

const names = ["id", "name", "position", "rev", "created_at", "updated_at"] as const;

export const list = columnsOf(lists, names);

/** The same columns by name, for an outcome. Other columns may follow. */
export const listColumns: Record<string, SQL> = Object.fromEntries(
  names.map((name) => [name, sql`${lists[name]}`]),
);

/** The same as one JSON array, for `list.read`. */
export const listAsJson = jsonOf(listColumns);
