/** The row of a todo as it is read: its columns, and the todo that is made of them for answers. */
import { type SQL, sql } from "drizzle-orm";
import { columnsOf, jsonOf, selectionOf } from "../database/columns.ts";
import { todos, type trash } from "../database/schema.ts";
import { toInstant } from "../instant.ts";
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

/** Their values as SQLite returns them: 0 and 1, and milliseconds since the epoch. */
type Values = readonly [
  id: number,
  contents: string,
  notes: string | null,
  is_done: number,
  done_at: number | null,
  priority: number,
  due_date: string | null,
  due_time: string | null,
  due_zone: string | null,
  due_at: number | null,
  repeat: string | null,
  list_id: number | null,
  position: number,
  rev: number,
  created_at: number,
  updated_at: number,
];

/** The columns of a todo, for relational queries. */
export const visible = columnsOf(todos, names).included;

/** The same columns by name, for an outcome. Other columns may follow. */
export const visibleIn = (table: typeof todos | typeof trash): Record<string, SQL> =>
  Object.fromEntries(names.map((name) => [name, sql`${table[name]}`]));

/** The same columns, for a SELECT. Other columns may follow. */
export const visibleOf = (table: typeof todos | typeof trash): SQL => selectionOf(visibleIn(table));

/** The same as one JSON array, for `toTodo`. */
export const todoAsJson = jsonOf(visibleIn(todos));

/** The number of these columns in a row. */
export const VISIBLE = names.length;

/**
 * Values are read by index, because a page has many of them: Drizzle's decoder for each column takes five times as
 * long.
 * @param values a row that begins with these columns, as SQLite returns them
 */
export function toTodo(values: ArrayLike<unknown>): Todo {
  // `as`: the type above describes the columns, and the tests compare it with the answers.
  const row = values as Values;
  const due_date = row[6];
  const due_at = row[9];
  return {
    id: row[0],
    contents: row[1],
    notes: row[2],
    is_done: row[3] === 1,
    done_at: row[4] === null ? null : toInstant(row[4]),
    priority: row[5],
    due:
      due_date === null
        ? null
        : {
            date: due_date,
            time: row[7],
            zone: row[8],
            at: due_at === null ? null : toInstant(due_at),
          },
    repeat: toRepeat(row[10]),
    list_id: row[11],
    position: row[12],
    rev: row[13],
    created_at: toInstant(row[14]),
    updated_at: toInstant(row[15]),
  };
}

/**
 * Characters of text in a page, which its last todo may exceed. 100 todos with the longest notes have four times as many,
 * and would fill the memory if many clients did not read them.
 */
const PAGE_TEXT = 256 * 1024;

/** The first of these todos, as many as their texts allow: at least one, if there is any. */
export function pageOf<T extends Todo>(todos: T[]): T[] {
  let size = 0;
  let count = 0;
  for (const { contents, notes } of todos) {
    if (size >= PAGE_TEXT) break;
    size += contents.length + (notes?.length ?? 0);
    count++;
  }
  return count === todos.length ? todos : todos.slice(0, count);
}

/** Rules that were already parsed. Most todos use one of a few rules. */
const repeats = new Map<string, Repeat>();
const REPEATS = 1000;

/** @param column a result of `repeatColumn` */
export function toRepeat(column: string | null): Repeat | null {
  if (column === null) return null;
  const known = repeats.get(column);
  if (known) return known;
  const repeat: Repeat = JSON.parse(column);
  if (repeats.size >= REPEATS) repeats.clear();
  repeats.set(column, repeat);
  return repeat;
}
