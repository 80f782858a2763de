/** `GET /users/me/export`: everything that the user has, as one download, which makes no other request wait. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { type Service, startService } from "../service.ts";
import { idsOf, newUser, type User } from "../todos/actions.ts";

let service: Service;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const path = "/users/me/export";

/** Adds todos with notes of 10,000 characters, only a few at a time, because that is all that a server accepts. */
async function fill(user: User, count: number): Promise<void> {
  for (let added = 0; added < count; added += 100) {
    await service.services.database.$client.execute({
      sql: `WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 100)
        INSERT INTO todos (user_id, contents, is_done, created_at, updated_at, notes)
        SELECT ?, 'todo ' || n, 0, 0, 0, printf('%.*c', 10000, 'x') FROM counter`,
      args: [user.id],
    });
  }
}

test("is a download of the user, the lists and the todos by id, those in the trash too", async () => {
  const user = await newUser(service);
  const stranger = await newUser(service);
  await stranger.add("not yours");
  const second = await user.addList("b");
  await user.moveList((await user.addList("a")).id, null);
  const todos = [];
  for (let i = 0; i < 6; i++) {
    const due = { date: "2026-05-01", time: "09:00", zone: "Asia/Seoul" };
    todos.push(await user.add({ contents: `${i}`, notes: "n", due, list_id: second.id }));
  }
  for (const i of [1, 4]) await user.remove(todos[i]?.id ?? 0);

  const response = await user.call("GET", path);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("content-disposition")).toBe('attachment; filename="todos.json"');
  expect(response.headers.get("cache-control")).toBe("no-store");
  const exported = await response.json();
  expect(Object.keys(exported)).toEqual(["exported_at", "user", "lists", "todos"]);
  expect(Math.abs(Date.parse(exported.exported_at) - service.services.clock())).toBeLessThan(5000);
  expect(exported.user).toEqual(await (await user.call("GET", "/users/me")).json());
  expect(exported.lists).toEqual((await user.lists()).sort((a, b) => a.id - b.id));
  const all = [...(await user.walk("", 100)), ...(await user.trash()).todos];
  expect(exported.todos).toEqual(all.sort((a, b) => a.id - b.id));
});

test("of a user without anything has nothing", async () => {
  const user = await newUser(service);
  const { lists, todos } = await (await user.call("GET", path)).json();
  expect({ lists, todos }).toEqual({ lists: [], todos: [] });
});

test("takes no query, and needs a session that is live", async () => {
  const user = await newUser(service);
  expect((await user.call("GET", `${path}?limit=1`)).status).toBe(422);
  expect((await service.call("GET", path)).status).toBe(401);
  await user.call("POST", "/users/log-out");
  expect((await user.call("GET", path)).status).toBe(401);
});

describe("of very many todos", () => {
  const MANY = 3000;
  let user: User;

  beforeAll(async () => {
    user = await newUser(service);
    await fill(user, MANY);
    // Some from the first piece, and some that are more than one piece before the end.
    const [first, last] = [await user.list("limit=100"), await user.list("limit=100&order=DESC")];
    const { id: list_id } = await user.addList("x");
    for (const { id } of first.todos.slice(60)) await user.remove(id);
    for (const { id } of last.todos) await user.move(id, { list_id });
    await user.removeList(list_id);
  }, 120_000);

  test("has each of them once, a round trip for each piece", async () => {
    const before = service.trips();
    const { todos } = await (await user.call("GET", path)).json();
    expect(todos).toHaveLength(MANY);
    const ids: number[] = idsOf(todos);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(MANY);
    expect(service.trips() - before).toBeLessThan(40);
  }, 120_000);

  test("is read no faster than it is taken", async () => {
    const before = service.trips();
    const socket = connect(Number(new URL(service.url).port), "127.0.0.1");
    socket.pause();
    const head = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${user.token}\r\n\r\n`;
    await new Promise<void>((resolve) => socket.write(head, () => resolve()));
    let trips = -1;
    // Until it stops reading.
    while (trips !== service.trips() - before) {
      trips = service.trips() - before;
      await Bun.sleep(200);
    }
    expect(trips).toBeGreaterThan(0);
    expect(trips).toBeLessThan(25);
    // Other requests are answered meanwhile.
    expect((await user.call("GET", "/todos?limit=1")).status).toBe(200);
    socket.destroy();
  }, 120_000);

  test("ends in the midst when the session does, and is then no JSON", async () => {
    // Another session of the user, because the other tests still need the first one.
    const { token } = await service.logIn(user.username);
    const response = await service.app.fetch(
      new Request(`http://localhost${path}`, {
        headers: { authorization: `Bearer ${token}` },
      }),
    );
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    let text = "";
    const decoder = new TextDecoder();
    text += decoder.decode((await reader?.read())?.value);
    await service.call("POST", "/users/log-out", { token });
    const rest = (async () => {
      for (;;) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        if (done) return;
        text += decoder.decode(value);
      }
    })();
    await expect(rest).rejects.toMatchObject({ code: "unauthorized" });
    expect(() => JSON.parse(text)).toThrow();
    expect(text).toStartWith('{"exported_at":');
  }, 120_000);
});
