/**
 * A database that a former version has filled, and the statements that the former version still sends while this
 * version runs at the same time.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Client, InArgs, InStatement } from "@libsql/core/api";
import { withSchema } from "../../src/database/drizzle.ts";
import { openLocal } from "../../src/database/local.ts";
import { migrate } from "../../src/database/migrate.ts";
import { migrations } from "../../src/database/migrations.ts";
import { temporaryFolder } from "../process.ts";

/** The number of migrations that the former version had. */
const FORMER = 2;

let folder: ReturnType<typeof temporaryFolder>;
let client: Client;

const rows = async (sql: string, args: InArgs = []): Promise<Record<string, unknown>[]> =>
  (await client.execute({ sql, args })).rows.map((row) => ({ ...row }));

const insert = (user_id: number, contents: string, is_done: 0 | 1 = 0): InStatement => ({
  sql: `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at) VALUES (?, ?, ?, 5, 5)`,
  args: [user_id, contents, is_done],
});

async function add(user_id: number, contents: string, is_done: 0 | 1 = 0): Promise<number> {
  await client.execute(insert(user_id, contents, is_done));
  const [row] = await rows("SELECT max(id) AS id FROM todos");
  return Number(row?.id);
}

const newUser = async (id: number) => {
  await client.execute({
    sql: "INSERT INTO users (id, username, username_key, password_hash, created_at) VALUES (?, ?, ?, '', 0)",
    args: [id, `user-${id}`, `user-${id}`],
  });
};

const revision = async (user_id: number) =>
  Number((await rows("SELECT revision FROM users WHERE id = ?", [user_id]))[0]?.revision);

beforeAll(async () => {
  folder = temporaryFolder();
  client = openLocal(join(folder.path, "todos.db"));
  for (const { statements } of migrations.slice(0, FORMER)) await client.migrate(statements);
  await client.batch(
    [
      `CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC)`,
      {
        sql: "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('', ?)",
        args: [migrations[FORMER - 1]?.createdAt ?? 0],
      },
    ],
    "write",
  );
  await newUser(1);
  await newUser(2);
  await newUser(3);
  await client.batch(
    ["Buy MILK", "Éclair", "우유 사기", "Sleep"].map((contents, i) =>
      insert(1 + (i % 2), contents),
    ),
    "write",
  );
  await migrate(withSchema(client));
});

afterAll(() => {
  client.close();
  folder[Symbol.dispose]();
});

// The other tests add users of their own, from 10 on.
describe("what the former version left", () => {
  test("keeps its order, has a revision, counts, and is folded where it is ASCII", async () => {
    expect(
      await rows(
        "SELECT user_id, contents, contents_folded, rev FROM todos WHERE user_id <= 3 ORDER BY position",
      ),
    ).toEqual([
      { user_id: 1, contents: "Buy MILK", contents_folded: "buy milk", rev: 1 },
      { user_id: 2, contents: "Éclair", contents_folded: null, rev: 1 },
      { user_id: 1, contents: "우유 사기", contents_folded: null, rev: 1 },
      { user_id: 2, contents: "Sleep", contents_folded: "sleep", rev: 1 },
    ]);
    expect(
      await rows("SELECT id, revision, todo_count, list_count FROM users WHERE id <= 3"),
    ).toEqual([
      { id: 1, revision: 1, todo_count: 2, list_count: 0 },
      { id: 2, revision: 1, todo_count: 2, list_count: 0 },
      { id: 3, revision: 0, todo_count: 0, list_count: 0 },
    ]);
  });
});

describe("what the former version writes from now on", () => {
  test("is last in the inbox, counts, is folded where it is ASCII, and raises the revision", async () => {
    await newUser(10);
    const ids = [await add(10, "One"), await add(10, "둘", 1), await add(10, "THREE")];
    expect(await rows("SELECT * FROM todos WHERE user_id = 10 ORDER BY position")).toMatchObject([
      { id: ids[0], rev: 1, contents_folded: "one", done_at: null, priority: 0, list_id: null },
      { id: ids[1], rev: 2, contents_folded: null, done_at: 5 },
      { id: ids[2], rev: 3, contents_folded: "three", done_at: null },
    ]);
    expect(await rows("SELECT revision, todo_count FROM users WHERE id = 10")).toEqual([
      { revision: 3, todo_count: 3 },
    ]);
  });

  test("in one statement for many has an order too", async () => {
    await newUser(11);
    await client.execute(`
      INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
      SELECT 11, value, 0, 0, 0 FROM json_each('["a", "b", "c"]')`);
    const found = await rows("SELECT contents FROM todos WHERE user_id = 11 ORDER BY position, id");
    expect(found.map(({ contents }) => contents)).toEqual(["a", "b", "c"]);
    expect(await revision(11)).toBe(3);
  });

  test("changes of contents are folded anew, and leave the rest", async () => {
    await newUser(12);
    const id = await add(12, "before");
    const change = (contents: string) =>
      client.execute({
        sql: "UPDATE todos SET contents = ?, updated_at = 6 WHERE id = ?",
        args: [contents, id],
      });
    await change("AFTER");
    expect(await rows("SELECT * FROM todos WHERE id = ?", [id])).toMatchObject([
      { contents_folded: "after", rev: 2, done_at: null },
    ]);
    await change("ÀPRÈS");
    expect(await rows("SELECT * FROM todos WHERE id = ?", [id])).toMatchObject([
      { contents_folded: null, rev: 3 },
    ]);
    expect(await revision(12)).toBe(3);
  });

  test("ticking off says when, and taking it back forgets it", async () => {
    await newUser(13);
    const id = await add(13, "x");
    const tick = (is_done: 0 | 1, now: number) =>
      client.execute({
        sql: "UPDATE todos SET is_done = ?, updated_at = ? WHERE id = ?",
        args: [is_done, now, id],
      });
    const expectDoneAt = async (done_at: number | null, rev: number) =>
      expect(await rows("SELECT done_at, rev FROM todos WHERE id = ?", [id])).toEqual([
        { done_at, rev },
      ]);
    await tick(1, 6);
    await expectDoneAt(6, 2);
    await tick(1, 7);
    await expectDoneAt(6, 3);
    await tick(0, 8);
    await expectDoneAt(null, 4);
  });

  test("ticking off a todo that repeats loses nothing of its series", async () => {
    await newUser(16);
    const id = await add(16, "x");
    await client.execute({
      sql: `UPDATE todos SET due_date = '2026-01-01', repeat = '{"every":1,"unit":"day","from":"due"}', rev = 2 WHERE id = ?`,
      args: [id],
    });
    await client.execute({
      sql: "UPDATE todos SET is_done = 1, updated_at = 6 WHERE id = ?",
      args: [id],
    });
    expect(await rows("SELECT * FROM todos WHERE id = ?", [id])).toMatchObject([
      { is_done: 1, done_at: 6, due_date: "2026-01-01", repeat: expect.stringContaining("day") },
    ]);
  });

  test("a deletion leaves a note without the text, and no longer counts", async () => {
    await newUser(14);
    const id = await add(14, "secret");
    await client.execute({ sql: "DELETE FROM todos WHERE id = ?", args: [id] });
    expect(await rows("SELECT * FROM deletions WHERE user_id = 14")).toEqual([
      { user_id: 14, rev: 2, type: "todo", id, created_at: expect.any(Number) },
    ]);
    const [note] = await rows("SELECT created_at FROM deletions WHERE user_id = 14");
    expect(Math.abs(Number(note?.created_at) - Date.now())).toBeLessThan(60_000);
    expect(await rows("SELECT revision, todo_count FROM users WHERE id = 14")).toEqual([
      { revision: 2, todo_count: 0 },
    ]);
  });

  test("the deletion of a user leaves nothing of them", async () => {
    await newUser(15);
    await add(15, "x");
    const gone = await add(15, "y");
    await client.execute({ sql: "DELETE FROM todos WHERE id = ?", args: [gone] });
    await client.execute("DELETE FROM users WHERE id = 15");
    for (const table of ["todos", "trash", "lists", "deletions"]) {
      expect(await rows(`SELECT * FROM ${table} WHERE user_id = 15`)).toEqual([]);
    }
  });
});
