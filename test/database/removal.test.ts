/** The rows of a deleted user: nobody can reach them any more, and they are removed from the tables in slices. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { getTableName, is } from "drizzle-orm";
import { getTableConfig, SQLiteTable } from "drizzle-orm/sqlite-core";
import { OWNED, removeSlice } from "../../src/database/removal.ts";
import * as schema from "../../src/database/schema.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

let service: Service;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

async function count(sql: string): Promise<number> {
  const { rows } = await service.services.database.$client.execute(sql);
  return Number(rows[0]?.[0]);
}

/** Gives the user this many todos, and the same number in the trash, without a request for each. */
async function fill(user_id: number, rows: number): Promise<void> {
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})`;
  const columns = "user_id, contents, is_done, created_at, updated_at, rev";
  const values = `${user_id}, 'Buy milk', 0, 0, 0, 1`;
  await service.services.database.$client.batch(
    [
      `INSERT INTO todos (${columns}) ${numbers} SELECT ${values} FROM n`,
      `INSERT INTO trash (id, ${columns}, deleted_at) ${numbers}
       SELECT 1000000 + ${user_id} * 100000 + i, ${values}, 0 FROM n`,
    ],
    "write",
  );
}

const remove = (token: string) =>
  service.call("DELETE", "/users/me", { token, json: { password: PASSWORD } });

const rowsOf = (user_id: number) =>
  count(`SELECT (SELECT count(*) FROM todos WHERE user_id = ${user_id})
    + (SELECT count(*) FROM trash WHERE user_id = ${user_id})
    + (SELECT count(*) FROM users WHERE id = ${user_id})`);

/** A deleted user with more rows than a slice, whose remaining rows still exist. */
async function deletedUser(rows = 2000) {
  await service.services.removal.stop();
  const user = await service.user();
  await fill(user.id, rows);
  const email = `${user.username}@example.com`;
  await service.services.database.$client.execute({
    sql: "UPDATE users SET email = ? WHERE id = ?",
    args: [email, user.id],
  });
  expect((await remove(user.token)).status).toBe(204);
  return user;
}

test("every table with a user's rows is known, and those of others come before the users", () => {
  const tables = Object.values(schema).filter((each) => is(each, SQLiteTable));
  const owned = tables.filter((table) =>
    getTableConfig(table).foreignKeys.some((key) => key.reference().foreignTable === schema.users),
  );
  const names = owned.map(getTableName).toSorted();
  expect(names.length).toBeGreaterThan(3);
  expect(OWNED.map(({ table }) => getTableName(table)).toSorted()).toEqual(names);
  // Otherwise finding a user's rows, and deleting the user, would read whole tables.
  for (const table of owned) {
    const { indexes, primaryKeys, columns } = getTableConfig(table);
    const first = [
      ...indexes.map(({ config }) => config.columns[0]),
      ...primaryKeys.map((key) => key.columns[0]),
      ...columns.filter(({ primary }) => primary),
    ].map((column) => column && "name" in column && column.name);
    expect([getTableName(table), first]).toEqual([
      getTableName(table),
      expect.arrayContaining(["user_id"]),
    ]);
  }
});

describe("a user with many rows", () => {
  test("is out of reach as soon as the deletion is answered", async () => {
    const bystander = await service.user();
    const { id, username, token, refresh_token } = await deletedUser();
    expect(await rowsOf(id)).toBeGreaterThan(1000);
    expect((await service.call("GET", "/todos", { token })).status).toBe(401);
    expect((await remove(token)).status).toBe(401);
    const refreshed = await service.call("POST", "/users/refresh", { json: { refresh_token } });
    expect(refreshed.status).toBe(401);
    for (const name of [username, "", `\n${id}`, `${id}`]) {
      const json = { username: name, password: PASSWORD };
      expect((await service.call("POST", "/users/log-in", { json })).status).not.toBe(200);
    }
    // The name is free for another user.
    const again = await service.user(username);
    expect(again.id).toBeGreaterThan(id);
    const list = await service.call("GET", "/todos", { token: again.token });
    expect(await list.json()).toEqual({ todos: [], next_cursor: null });
    expect((await service.call("GET", "/users/me", { token: bystander.token })).status).toBe(200);
    const kept = await service.services.database.$client.execute(
      `SELECT username, email, password_hash FROM users WHERE id = ${id}`,
    );
    expect(kept.rows.map((row) => Object.values(row))).toEqual([["", null, ""]]);
  });

  test("goes a slice at a time, each with at most so many rows, until nothing is left", async () => {
    await deletedUser();
    const { database } = service.services;
    const left =
      "SELECT count(*) FROM todos WHERE user_id IN (SELECT id FROM users WHERE deleted_at > 0)";
    let before = await count(left);
    expect(before).toBeGreaterThan(0);
    let slices = 0;
    for (let more = true; more; slices++) {
      more = await removeSlice(database);
      const now = await count(left);
      expect(before - now).toBeLessThanOrEqual(500);
      before = now;
    }
    expect(slices).toBeGreaterThan(2);
    expect(await count("SELECT count(*) FROM users WHERE deleted_at IS NOT NULL")).toBe(0);
    expect(
      await count("SELECT count(*) FROM todos WHERE user_id NOT IN (SELECT id FROM users)"),
    ).toBe(0);
    expect(await removeSlice(database)).toBe(false);
  });

  test("leaves no trace of each of its rows for clients to hear of", async () => {
    const { id } = await deletedUser();
    while (await removeSlice(service.services.database)) {
      expect(await count(`SELECT count(*) FROM deletions WHERE user_id = ${id}`)).toBe(0);
    }
    expect(await rowsOf(id)).toBe(0);
  });

  test("may be removed by several at once", async () => {
    const users = [await deletedUser(), await deletedUser()];
    const { database } = service.services;
    const work = async () => {
      while (await removeSlice(database));
    };
    await Promise.all([work(), work(), work()]);
    for (const { id } of users) expect(await rowsOf(id)).toBe(0);
  });
});

describe("the rest of a deleted user", () => {
  test("goes in the background", async () => {
    const fresh = await startService();
    try {
      const user = await fresh.user();
      const { $client: client } = fresh.services.database;
      await client.execute(
        `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at, rev)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         SELECT ${user.id}, 'Buy milk', 0, 0, 0, 1 FROM n`,
      );
      const json = { password: PASSWORD };
      const deleted = await fresh.call("DELETE", "/users/me", { token: user.token, json });
      expect(deleted.status).toBe(204);
      const left = async () => (await client.execute("SELECT 1 FROM users")).rows.length;
      while ((await left()) > 0) await Bun.sleep(10);
      expect((await client.execute("SELECT 1 FROM todos")).rows).toEqual([]);
    } finally {
      await fresh.stop();
    }
  });

  test("that a former process has left goes on with the next log-in", async () => {
    const fresh = await startService();
    try {
      const [leaver, other] = [await fresh.user(), await fresh.user()];
      const { $client: client } = fresh.services.database;
      await client.execute(
        `UPDATE users SET deleted_at = 1, username_key = char(10) || id WHERE id = ${leaver.id}`,
      );
      await fresh.logIn(other.username);
      const left = `SELECT 1 FROM users WHERE id = ${leaver.id}`;
      while ((await client.execute(left)).rows.length > 0) await Bun.sleep(10);
      expect((await client.execute("SELECT 1 FROM users")).rows).toHaveLength(1);
    } finally {
      await fresh.stop();
    }
  });
});
