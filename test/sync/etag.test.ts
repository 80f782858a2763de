/** Entity tags: 304 when the client has the current version, and 412 for a change when it does not. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { InStatement, ResultSet } from "@libsql/core/api";
import { expectProblem, stored } from "../http/answers.ts";
import { tally, times } from "../parallel.ts";
import { type Service, startService } from "../service.ts";

type User = Awaited<ReturnType<Service["user"]>>;

let service: Service;
let mina: User;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  mina = await service.user();
});

const call = (method: string, path: string, headers: Record<string, string> = {}, json?: unknown) =>
  service.call(method, path, { token: mina.token, headers, ...(json !== undefined && { json }) });

const rowsOf = async (made: Promise<Response>) => (await made).json();
const addTodo = (json: object = {}) =>
  rowsOf(call("POST", "/todos", {}, { contents: "x", ...json }));
const addList = (name = "Garden") => rowsOf(call("POST", "/lists", {}, { name }));

async function trashed() {
  const todo = await addTodo();
  await call("DELETE", `/todos/${todo.id}`);
  const { todos } = await rowsOf(call("GET", "/trash"));
  return todos[0];
}

async function tagOf(path: string): Promise<string> {
  const { headers } = await call("GET", path);
  return headers.get("etag") ?? "";
}

describe("If-None-Match", () => {
  const pages = ["/todos", "/todos?sort=due&limit=1", "/todos?q=x", "/lists", "/trash?limit=1"];

  test.each(pages)("%s has a weak tag, and is 304 until something changes", async (path) => {
    await trashed();
    const { id } = await addTodo();
    const list = await addList();
    const first = await call("GET", path);
    const tag = first.headers.get("etag") ?? "";
    expect(tag).toMatch(/^W\/"[\x21\x23-\x7e]+"$/);
    expect(first.headers.get("cache-control")).toBe("private, no-cache");
    expect(first.headers.get("vary")).toBe("Authorization");

    const same = await call("GET", path, { "if-none-match": tag });
    expect(same.status).toBe(304);
    expect(await same.text()).toBe("");
    expect(same.headers.get("etag")).toBe(tag);
    expect(same.headers.get("cache-control")).toBe("private, no-cache");
    expect(same.headers.get("vary")).toBe("Authorization");
    expect(same.headers.get("x-request-id")).toMatch(/./);

    const changes = [
      () => call("PATCH", `/todos/${id}`, {}, { priority: 3 }),
      () => call("PATCH", `/lists/${list.id}`, {}, { name: "Kitchen" }),
      () => call("DELETE", `/todos/${id}`),
      () => call("POST", `/trash/${id}/restore`),
      () => call("DELETE", `/lists/${list.id}`),
      () => call("DELETE", "/trash"),
    ];
    let last = tag;
    for (const change of changes) {
      expect((await change()).ok).toBe(true);
      const next = await call("GET", path, { "if-none-match": last });
      expect(next.status).toBe(200);
      expect(next.headers.get("etag")).not.toBe(last);
      last = next.headers.get("etag") ?? "";
    }
  });

  test.each(["/todos", "/lists"])("%s/:id has a strong tag of its rev", async (path) => {
    const row = path === "/todos" ? await addTodo() : await addList();
    const first = await call("GET", `${path}/${row.id}`);
    expect(first.headers.get("etag")).toBe(`"${row.rev}"`);
    expect(first.headers.get("cache-control")).toBe("private, no-cache");
    expect(first.headers.get("vary")).toBe("Authorization");
    await (path === "/todos" ? addList() : addTodo());
    const tags = [`"${row.rev}"`, `W/"${row.rev}"`, `"x", "${row.rev}"`, "*"];
    for (const tag of tags) {
      const same = await call("GET", `${path}/${row.id}`, { "if-none-match": tag });
      expect([tag, same.status]).toEqual([tag, 304]);
      expect(same.headers.get("etag")).toBe(`"${row.rev}"`);
    }
    for (const tag of [`"${row.rev + 1}"`, `${row.rev}`, `"${row.rev}`, `"${row.rev}" x`, ""]) {
      const answer = await call("GET", `${path}/${row.id}`, { "if-none-match": tag });
      expect([tag, answer.status]).toEqual([tag, 200]);
    }
  });

  test("a page that is not sent is not built", async () => {
    const text = "x".repeat(1000);
    await times(20, () => addTodo({ contents: text }));
    const { $client: client } = service.services.database;
    const execute = client.execute.bind(client);
    const sizes: number[] = [];
    client.execute = async (statement: InStatement): Promise<ResultSet> => {
      const result = await execute(statement);
      sizes.push(JSON.stringify(result.rows).length);
      return result;
    };
    const tag = await tagOf("/todos");
    await call("GET", "/todos", { "if-none-match": tag });
    client.execute = execute;
    expect(sizes[0]).toBeGreaterThan(20_000);
    expect(sizes[1]).toBeLessThan(100);
  });

  test("what another user has is nobody else's, though the revision is the same", async () => {
    const tag = await tagOf("/todos");
    mina = await service.user();
    expect((await call("GET", "/todos", { "if-none-match": tag })).status).toBe(200);
  });

  test("what is not there stays 404, and an ended session 401, whatever is asked for", async () => {
    const headers = { "if-none-match": "*" };
    expect((await call("GET", "/todos/999999", headers)).status).toBe(404);
    expect((await call("GET", "/todos?list_id=999999", headers)).status).toBe(404);
    await call("POST", "/users/log-out");
    const ended = await call("GET", "/todos", headers);
    expect(ended.status).toBe(401);
    expect(ended.headers.get("cache-control")).toBe("no-store");
    expect(ended.headers.get("etag")).toBeNull();
  });
});

interface Guarded {
  method: string;
  path: string;
  json?: object;
  /** The row as the client can read it. */
  current: Record<string, unknown> & { rev: number };
}

const guarded: [string, () => Promise<Guarded>][] = [
  [
    "PATCH /todos/:id",
    async () => {
      const current = await addTodo();
      return { method: "PATCH", path: `/todos/${current.id}`, json: { priority: 1 }, current };
    },
  ],
  [
    "PATCH /todos/:id that changes nothing",
    async () => {
      const current = await addTodo();
      return { method: "PATCH", path: `/todos/${current.id}`, json: { contents: "x" }, current };
    },
  ],
  [
    "PATCH /todos/:id that ticks off one that repeats",
    async () => {
      const repeat = { every: 1, unit: "day", from: "due" };
      const current = await addTodo({ due: { date: "2026-01-01" }, repeat });
      return { method: "PATCH", path: `/todos/${current.id}`, json: { is_done: true }, current };
    },
  ],
  [
    "POST /todos/:id/move",
    async () => {
      const [current] = [await addTodo(), await addTodo()];
      return { method: "POST", path: `/todos/${current.id}/move`, json: {}, current };
    },
  ],
  [
    "DELETE /todos/:id",
    async () => {
      const current = await addTodo();
      return { method: "DELETE", path: `/todos/${current.id}`, current };
    },
  ],
  [
    "POST /trash/:id/restore",
    async () => {
      const current = await trashed();
      return { method: "POST", path: `/trash/${current.id}/restore`, current };
    },
  ],
  [
    "DELETE /trash/:id",
    async () => {
      const current = await trashed();
      return { method: "DELETE", path: `/trash/${current.id}`, current };
    },
  ],
  [
    "PATCH /lists/:id",
    async () => {
      const current = await addList();
      return { method: "PATCH", path: `/lists/${current.id}`, json: { name: "y" }, current };
    },
  ],
  [
    "POST /lists/:id/move",
    async () => {
      const [, current] = [await addList(), await addList()];
      const json = { after: null };
      return { method: "POST", path: `/lists/${current.id}/move`, json, current };
    },
  ],
  [
    "DELETE /lists/:id",
    async () => {
      const current = await addList();
      await addTodo({ list_id: current.id });
      return { method: "DELETE", path: `/lists/${current.id}`, current };
    },
  ],
];

const TABLES = ["users", "todos", "trash", "lists", "deletions"];

describe.each(guarded)("If-Match on %s", (_what, make) => {
  test("refuses a change of what is not as the client has it, and changes nothing", async () => {
    const { method, path, json, current } = await make();
    const before = await stored(service, TABLES);
    const { rev } = current;
    for (const tag of [
      `"${rev - 1}"`,
      `"${rev + 1}"`,
      `W/"${rev}"`,
      `${rev}`,
      `"0${rev}"`,
      "x",
      "",
    ]) {
      const refused = await call(method, path, { "if-match": tag }, json);
      expect([tag, refused.status]).toEqual([tag, 412]);
      const problem = await refused.json();
      expect(problem).toMatchObject({ code: "precondition_failed", current });
    }
    expect(await stored(service, TABLES)).toBe(before);
  });

  test.each([
    ["its tag", (rev: number) => `"${rev}"`],
    ["its tag among others", (rev: number) => `"x", "${rev}"`],
    ["*", () => "*"],
  ])("lets %s through", async (_tag, tag) => {
    const { method, path, json, current } = await make();
    const answer = await call(method, path, { "if-match": tag(current.rev) }, json);
    expect([200, 204]).toContain(answer.status);
  });

  test("is a 404 first when there is no such row", async () => {
    const { method, path, json } = await make();
    const nowhere = path.replace(/\d+/, "999999");
    const answer = await call(method, nowhere, { "if-match": '"0"' }, json);
    const code = path.startsWith("/lists") ? "list_not_found" : "todo_not_found";
    await expectProblem(answer, [404, code]);
  });

  test("is a 401 first when the session has ended", async () => {
    const { method, path, json } = await make();
    await call("POST", "/users/log-out");
    expect((await call(method, path, { "if-match": '"0"' }, json)).status).toBe(401);
  });
});

describe("the order of refusals", () => {
  test("a list that is not there is a 404 before the 412, and a place a 422 after it", async () => {
    const { id, rev } = await addTodo();
    const move = (tag: string, json: object) =>
      call("POST", `/todos/${id}/move`, { "if-match": tag }, json);
    expect((await move('"0"', { list_id: 999_999 })).status).toBe(404);
    expect((await move('"0"', { after: 999_999 })).status).toBe(412);
    expect((await move(`"${rev}"`, { after: 999_999 })).status).toBe(422);
    const list = await addList();
    const moveList = (tag: string) =>
      call("POST", `/lists/${list.id}/move`, { "if-match": tag }, { after: 999_999 });
    expect((await moveList('"0"')).status).toBe(412);
    expect((await moveList(`"${list.rev}"`)).status).toBe(422);
  });

  test("a 422 of the state comes after the 412", async () => {
    const { id, rev } = await addTodo();
    const repeat = { every: 1, unit: "day", from: "due" };
    const patch = (tag: string) => call("PATCH", `/todos/${id}`, { "if-match": tag }, { repeat });
    expect((await patch('"0"')).status).toBe(412);
    expect((await patch(`"${rev}"`)).status).toBe(422);
  });
});

test("of 64 parallel changes with one tag one wins, and 63 are told the todo as it is", async () => {
  const { id, rev } = await addTodo();
  const answers = await times(64, (i) =>
    call("PATCH", `/todos/${id}`, { "if-match": `"${rev}"` }, { contents: `change ${i}` }),
  );
  expect(tally(answers)).toEqual({ 200: 1, 412: 63 });
  const now = await rowsOf(call("GET", `/todos/${id}`));
  expect(now.rev).toBe(rev + 1);
  for (const answer of answers) {
    const body = await answer.json();
    expect(answer.status === 412 ? body.current : body).toEqual(now);
  }
});

test("elsewhere If-Match is ignored", async () => {
  await addTodo();
  const headers = { "if-match": '"0"' };
  expect((await call("GET", "/todos", headers)).status).toBe(200);
  expect((await call("POST", "/todos", headers, { contents: "x" })).status).toBe(201);
  expect((await call("DELETE", "/trash", headers)).status).toBe(204);
});
