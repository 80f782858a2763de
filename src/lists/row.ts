/** The columns of a list, which answers have as they are. */
import { sql } from "drizzle-orm";
import { columnsOf } from "../database/columns.ts";
import { lists } from "../database/schema.ts";

const names = ["id", "name", "position", "rev", "created_at", "updated_at"] as const;

export const list = columnsOf(lists, names);

/** The same columns, for a SELECT. */
export const columns = sql.join(
  names.map((name) => sql`${lists[name]} AS ${sql.identifier(name)}`),
  sql`, `,
);

/** The same as one JSON array, for `list.read`. */
export const listAsJson = sql`json_array(${sql.join(
  names.map((name) => lists[name]),
  sql`, `,
)})`;
