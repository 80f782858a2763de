/**
 * Rows that are read without Drizzle's decoders. They have the same values as those that Drizzle reads, for any
 * content.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { getTableColumns, sql } from "drizzle-orm";
import { columnsOf, nested } from "../../src/database/columns.ts";
import { todos, users } from "../../src/database/schema.ts";
import { type Service, startService } from "../service.ts";

const ROWS = 300;
const PIECES = [
  "우유",
  "🥛",
  '"',
  "\\",
  "\n",
  "\t",
  "</script>",
  "\u2028",
  "é",
  "é",
  " ",
  "a",
  "[1]",
];

let service: Service;
let user_id = 0;

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T;

beforeAll(async () => {
  service = await startService();
  ({ id: user_id } = await service.user());
  const { database: db } = service.services;
  const moment = () => new Date(Math.floor(Math.random() * 253_402_300_799_999)).toISOString();
  const text = () => Array.from({ length: 1 + Math.random() * 20 }, () => pick(PIECES)).join("");
  await db.insert(todos).values(
    Array.from({ length: ROWS }, () => ({
      user_id,
      contents: text(),
      is_done: pick([true, false]),
      created_at: moment(),
      updated_at: moment(),
      notes: pick([null, text()]),
      done_at: pick([null, moment()]),
      list_id: pick([null, 0, 7, Number.MAX_SAFE_INTEGER]),
    })),
  );
});
afterAll(() => service.stop());

// In a different order than in the table, with every column.
const names = ["notes", "is_done", "id", "updated_at", "contents", "done_at", "list_id"] as const;
const todo = columnsOf(todos, names);
const every = columnsOf(
  todos,
  Object.keys(getTableColumns(todos)) as (keyof typeof todos.$inferSelect)[],
);

test.each([
  ["some columns", todo],
  ["all columns", every],
])("%s of a relation are read as Drizzle reads them", async (_, { included, read }) => {
  const { database: db } = service.services;
  const query = db.query.users.findFirst({
    where: sql`${users.id} = ${sql.placeholder("id")}`,
    columns: {},
    with: { todos: { columns: included, orderBy: todos.id } },
  });
  const find = nested<unknown[][]>(query);
  // Prepared once, it can run many times.
  expect(await find({ id: 0 })).toBeUndefined();
  const rows = await find({ id: user_id });
  expect(rows).toHaveLength(ROWS);
  const expected = await query.prepare().get({ id: user_id });
  expect(rows?.map(read)).toEqual(expected?.todos ?? []);
});

test("what RETURNING gives is read as Drizzle reads it", async () => {
  const { database: db } = service.services;
  const { $client: client } = db;
  const { rows } = await client.execute({
    sql: `UPDATE todos SET position = 5 WHERE user_id = ? RETURNING ${names.join(", ")}`,
    args: [user_id],
  });
  const expected = await db.query.todos.findMany({ columns: todo.included, orderBy: todos.id });
  expect(rows.map(todo.read)).toEqual(expected);
});

test("a column that is not there is told at once", () => {
  // @ts-expect-error: the types tell it too.
  expect(() => columnsOf(todos, ["nothing"])).toThrow("nothing");
});
