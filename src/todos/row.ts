/** A todo's row as it is read: its columns, and the todo that answers make of them. */
import { type SQL, sql } from "drizzle-orm";
import { type Columns, columnsOf } from "../database/columns.ts";
import { todos, type trash } from "../database/schema.ts";
import type { Todo } from "./model.ts";
import type { Repeat } from "./repeat.ts";

const names = [
  "id",
  "contents",
  "notes",
  "is_done",
  "done_at",
  "priority",
  "due_date",
  "due_time",
  "due_zone",
  "due_at",
  "repeat",
  "list_id",
  "position",
  "rev",
  "created_at",
  "updated_at",
] as const;

const columns = columnsOf(todos, names);

type TodoRow = ReturnType<typeof columns.read>;

/** The columns that a todo is made of, for relational queries. */
export const visible: Columns<TodoRow>["included"] = columns.included;

/** The same columns, for a SELECT or after RETURNING; others may follow. */
export const visibleOf = (table: typeof todos | typeof trash): SQL =>
  sql.join(
    names.map((name) => sql`${table[name]} AS ${sql.identifier(name)}`),
    sql`, `,
  );

/** The same as one JSON array, for `toTodo`. */
export const todoAsJson = sql`json_array(${sql.join(
  names.map((name) => todos[name]),
  sql`, `,
)})`;

/** How many values of a row these columns are. */
export const VISIBLE = names.length;

/** @param values a row that begins with these columns, as SQLite has them */
export function toTodo(values: ArrayLike<unknown>): Todo {
  const { due_date, due_time, due_zone, due_at, ...row } = columns.read(values);
  return {
    id: row.id,
    contents: row.contents,
    notes: row.notes,
    is_done: row.is_done,
    done_at: row.done_at,
    priority: row.priority,
    due: due_date === null ? null : { date: due_date, time: due_time, zone: due_zone, at: due_at },
    repeat: toRepeat(row.repeat),
    list_id: row.list_id,
    position: row.position,
    rev: row.rev,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

/** The column holds what `repeatColumn` has made. */
export const toRepeat = (column: string | null): Repeat | null =>
  column === null ? null : JSON.parse(column);
