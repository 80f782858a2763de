/** Pages of todos that are answered from memory: who gets one, and for how long. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { keptJson } from "../../src/http/kept-json.ts";
import type { TodoPage } from "../../src/todos/model.ts";
import { createPages } from "../../src/todos/pages.ts";
import { type Service, startService } from "../service.ts";

let service: Service;
/** Characters that the database has returned. */
let returned = 0;

beforeAll(async () => {
  service = await startService();
  const { $client: client } = service.services.database;
  const original = client.execute.bind(client) as (
    ...args: unknown[]
  ) => Promise<{ rows: unknown }>;
  client.execute = async (...args: unknown[]) => {
    const result = await original(...args);
    returned += JSON.stringify(result.rows).length;
    // `as`: the overloads lead to one call with the same arguments.
    return result as never;
  };
});
afterAll(() => service.stop());

/** A user with 30 todos, and a function that returns the answer to one of the user's requests. */
async function newUser() {
  const { token, username, id } = await service.user();
  for (let i = 0; i < 30; i++) {
    const json = { contents: `${i}`, priority: i % 2 };
    await service.call("POST", "/todos", { token, json });
  }
  return { id, token, username, get: (path: string) => answerTo(path, token) };
}

async function answerTo(path: string, token: string) {
  returned = 0;
  const response = await service.call("GET", path, { token });
  const { status, headers } = response;
  const told = ["content-type", "link", "etag", "cache-control", "vary", "content-length"];
  return {
    status,
    headers: told.map((name) => headers.get(name)),
    body: await response.json(),
    // Besides the rows, it returns the user's revision.
    hasRead: returned > 200,
  };
}

const VIEWS = [
  "",
  "?order=DESC",
  "?limit=10",
  "?limit=20",
  "?priority=1",
  "?priority=0&limit=3",
  "?list_id=inbox&limit=3",
  "?q=1",
  "?sort=position&limit=5",
];

describe("while nothing changes", () => {
  test("a page is answered as before, and its rows are not read again", async () => {
    const { get } = await newUser();
    for (const view of VIEWS) {
      const { hasRead, ...first } = await get(`/todos${view}`);
      expect(first.status).toBe(200);
      expect(first.body.todos.length).toBeGreaterThan(2);
      expect(hasRead).toBe(true);
      expect(await get(`/todos${view}`)).toEqual({ ...first, hasRead: false });
    }
  });

  test("each page of a walk is", async () => {
    const { get } = await newUser();
    const walk = async () => {
      const pages = [];
      for (let cursor = ""; ; ) {
        const page = await get(`/todos?limit=7${cursor}`);
        pages.push(page);
        if (page.body.next_cursor === null) return pages;
        cursor = `&cursor=${page.body.next_cursor}`;
      }
    };
    const first = await walk();
    expect(first.flatMap(({ body }) => body.todos)).toHaveLength(30);
    expect(await walk()).toEqual(first.map((page) => ({ ...page, hasRead: false })));
  });

  test("another user gets their own", async () => {
    const [mina, jiho] = [await newUser(), await newUser()];
    const hers = await mina.get("/todos");
    expect((await jiho.get("/todos")).body).not.toEqual(hers.body);
  });

  test("nobody gets it when their session has ended", async () => {
    const { get, token } = await newUser();
    await get("/todos");
    await service.call("POST", "/users/log-out", { token });
    expect((await get("/todos")).status).toBe(401);
  });

  test("a client that has the page is told so", async () => {
    const { get, token } = await newUser();
    const [, , etag] = (await get("/todos")).headers;
    const headers = { "if-none-match": etag ?? "" };
    expect((await service.call("GET", "/todos", { token, headers })).status).toBe(304);
  });
});

test("a tag that is nearly the page's own neither empties the page nor what is kept of it", async () => {
  const { get, token } = await newUser();
  const { headers, body } = await get("/todos?order=DESC");
  const [, , etag = ""] = headers;
  const [, user, revision] = /^W\/"(\d+)\.(\d+)"$/.exec(etag ?? "") ?? [];
  for (const spelling of [
    `0${revision}`,
    `${revision}.0`,
    `+${revision}`,
    `${revision}e0`,
    `-${revision}`,
  ]) {
    const options = { token, headers: { "if-none-match": `"${user}.${spelling}"` } };
    // One view that is not kept yet, and one that is.
    for (const view of [`/todos?limit=${30 + spelling.length}`, "/todos?order=DESC"]) {
      const response = await service.call("GET", view, options);
      expect(response.status).toBe(200);
      expect((await response.json()).todos).toHaveLength(30);
      expect((await get(view)).body.todos).toHaveLength(30);
    }
  }
  expect((await get("/todos?order=DESC")).body).toEqual(body);
});

describe("a change is in the next answer", () => {
  test("made by a request", async () => {
    const { get, token } = await newUser();
    const [first] = (await get("/todos")).body.todos;
    await service.call("PATCH", `/todos/${first.id}`, { token, json: { contents: "new" } });
    const { body, hasRead } = await get("/todos");
    expect(body.todos[0].contents).toBe("new");
    expect(hasRead).toBe(true);
    await service.call("DELETE", `/todos/${first.id}`, { token });
    expect((await get("/todos")).body.todos).toHaveLength(29);
  });

  test("made by another process, or by a former version", async () => {
    const { get, id } = await newUser();
    await get("/todos");
    await service.services.database.$client.execute({
      sql: "UPDATE todos SET contents = 'from elsewhere', updated_at = updated_at + 1 WHERE user_id = ?",
      args: [id],
    });
    const { body } = await get("/todos");
    expect(new Set(body.todos.map((todo: { contents: string }) => todo.contents))).toEqual(
      new Set(["from elsewhere"]),
    );
  });
});

describe("what is kept", () => {
  const page = (contents: string): TodoPage => ({ todos: [], next_cursor: contents });

  test("has its JSON", () => {
    const pages = createPages();
    const kept = page("a");
    expect(keptJson(kept)).toBeUndefined();
    pages.set("key", kept, 7);
    expect(pages.get("key")).toMatchObject({ page: kept, revision: 7 });
    expect(keptJson(kept)).toBe(JSON.stringify(kept));
  });

  test("is bounded, and what was asked for last stays", () => {
    const size = JSON.stringify(page("x".repeat(100))).length;
    const pages = createPages(3 * (1 + size + 500));
    for (const key of ["a", "b", "c"]) pages.set(key, page(key.repeat(100)), 1);
    pages.get("a");
    // In the place of a former one, it needs no more space.
    pages.set("c", page("c".repeat(100)), 2);
    pages.set("d", page("d".repeat(100)), 1);
    const left = ["a", "b", "c", "d"].filter((key) => pages.get(key) !== undefined);
    expect(left).toEqual(["a", "c", "d"]);
    pages.set("e", page("e".repeat(3 * (size + 500))), 1);
    expect(["a", "c", "d", "e"].filter((key) => pages.get(key) !== undefined)).toEqual([]);
  });

  test("is bounded with its keys, also when all pages are empty", () => {
    const pages = createPages(100_000);
    const keys = Array.from({ length: 1000 }, (_, i) => `${i}`.padEnd(1000));
    for (const key of keys) pages.set(key, page(""), 1);
    const left = keys.filter((key) => pages.get(key) !== undefined);
    expect(left.length).toBeGreaterThan(10);
    expect(left.length).toBeLessThan(100);
  });
});
