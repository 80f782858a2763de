/** `/todos`: adding, reading, changing, deleting and listing todos, and only the user's own todos. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { whole } from "../http/answers.ts";
import { type Service, startService } from "../service.ts";

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

type User = Awaited<ReturnType<Service["user"]>>;

interface Todo {
  id: number;
  contents: string;
  notes: string | null;
  is_done: boolean;
  done_at: string | null;
  priority: number;
  due: { date: string; time: string | null; zone: string | null; at: string | null } | null;
  repeat: Repeat | null;
  list_id: number | null;
  position: number;
  rev: number;
  created_at: string;
  updated_at: string;
}

interface Repeat {
  every: number;
  unit: "day" | "week" | "month" | "year";
  weekdays?: number[];
  from: "due" | "done";
}

interface Page {
  todos: Todo[];
  next_cursor: string | null;
}

let service: Service;
let mina: User;
let other: User;

beforeAll(async () => {
  service = await startService();
  mina = await service.user();
  other = await service.user();
});

afterAll(() => service.stop());

const get = (path: string, { token } = mina) => service.call("GET", path, { token });
const post = (json: unknown, { token } = mina) => service.call("POST", "/todos", { token, json });
const patch = (path: string, json: unknown, { token } = mina) =>
  service.call("PATCH", path, { token, json });
const remove = (path: string, { token } = mina) => service.call("DELETE", path, { token });

async function add(contents: string, is_done = false, user = mina): Promise<Todo> {
  const response = await post({ contents, is_done }, user);
  expect(response.status).toBe(201);
  return response.json();
}

async function list(query = "", user = mina): Promise<Page> {
  const response = await get(`/todos${query}`, user);
  expect(response.status).toBe(200);
  return response.json();
}

const idsOf = (todos: Todo[]) => todos.map(({ id }) => id);

async function expectInvalid(response: Response, at: { pointer: string } | { parameter: string }) {
  expect(response.status).toBe(422);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(await response.json()).toMatchObject({
    code: "validation_failed",
    errors: [{ ...at, detail: expect.any(String) }],
  });
}

describe("adding", () => {
  test("answers 201 with the todo and where it is; it is open unless told", async () => {
    const response = await post({ contents: "Buy milk" });
    expect(response.status).toBe(201);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const todo = await response.json();
    expect(response.headers.get("location")).toBe(`/todos/${todo.id}`);
    expect(todo).toEqual({
      id: expect.any(Number),
      contents: "Buy milk",
      notes: null,
      is_done: false,
      done_at: null,
      priority: 0,
      due: null,
      repeat: null,
      list_id: null,
      position: expect.any(Number),
      rev: expect.any(Number),
      created_at: expect.stringMatching(MOMENT),
      updated_at: todo.created_at,
    });
    expect(Math.abs(Date.parse(todo.created_at) - service.services.clock())).toBeLessThan(60_000);
    expect(await (await get(`/todos/${todo.id}`)).json()).toEqual(todo);
  });

  test.each([true, false])("takes is_done: %p", async (is_done) => {
    const todo = await add("Sleep", is_done);
    expect(todo.is_done).toBe(is_done);
    expect(await (await get(`/todos/${todo.id}`)).json()).toEqual(todo);
  });

  test.each([
    ["one letter", "x"],
    ["1000 letters", "x".repeat(1000)],
    ["1000 emoji, which are 2000 UTF-16 units", "🦊".repeat(1000)],
    ["tabs and newlines", "\tone\n\ttwo\n"],
    ["space around it", "  milk  "],
    ["letters of every width", "é ß 漢字 🏳️‍🌈 e\u0301 \u2028 \uFEFF \uFFFD"],
    ["a zero-width joiner alone", "\u200D"],
    ["what looks like a number", "5"],
    ["what looks like a moment", "2024-01-01T00:00:00.000Z"],
    ["what looks like JSON", '{"a":["\\u0041",null]}'],
    ["what looks like SQL", "'); DROP TABLE todos; -- ?1 :now"],
    ["what looks like HTML", "<script>alert(1)</script> &amp;"],
    ["a backslash and quotes", "\\ \" ' `"],
  ])("keeps contents exactly: %s", async (_what, contents) => {
    const user = await listed();
    const todo = await add(contents, false, user);
    expect(todo.contents).toBe(contents);
    expect(await (await get(`/todos/${todo.id}`, user)).json()).toEqual(todo);
    expect((await list("?order=DESC&limit=1", user)).todos).toEqual([todo]);
  });

  const unfit: [what: string, contents: unknown][] = [
    ["nothing", ""],
    ["1001 letters", "x".repeat(1001)],
    ["1001 emoji", "🦊".repeat(1001)],
    ["spaces", "   "],
    ["tabs and newlines", "\t\n"],
    ["Unicode's white space", "\u00A0\u2003\u3000\u2028\uFEFF"],
    ["a carriage return", "one\r\ntwo"],
    ["a NUL", "a\u0000b"],
    ["an escape", "\u001B[31mred"],
    ["a delete", "a\u007F"],
    ["a C1 control", "a\u0085b"],
    ["a lone surrogate", "a\uD83Eb"],
    ["null", null],
    ["a number", 5],
    ["a boolean", true],
    ["a list", ["x"]],
    ["an object", {}],
  ];

  test.each(unfit)("refuses contents of %s, as a change does", async (_what, contents) => {
    const { id } = await add("stays");
    const before = await list("?limit=100");
    await expectInvalid(await post({ contents }), { pointer: "/contents" });
    await expectInvalid(await patch(`/todos/${id}`, { contents }), { pointer: "/contents" });
    expect(await list("?limit=100")).toEqual(before);
  });

  test.each([[null], ["true"], ["false"], [1], [0], [""], [[]]])(
    "refuses is_done: %j",
    async (is_done) => {
      const { id } = await add("stays");
      await expectInvalid(await post({ contents: "x", is_done }), { pointer: "/is_done" });
      await expectInvalid(await patch(`/todos/${id}`, { is_done }), { pointer: "/is_done" });
    },
  );

  test.each(["id", "user_id", "created_at", "updated_at", "__proto__", "constructor", "Contents"])(
    "refuses a field %s",
    async (field) => {
      const { id } = await add("stays");
      // Written as text, because a literal's `__proto__` would set the prototype and send nothing.
      const body = `{"contents":"x","${field}":${other.id}}`;
      const headers = { "content-type": "application/json" };
      const { token } = mina;
      const requests = [
        ["POST", "/todos"],
        ["PATCH", `/todos/${id}`],
      ] as const;
      for (const [method, path] of requests) {
        const response = await service.call(method, path, { token, headers, body });
        await expectInvalid(response, { pointer: "" });
      }
      expect((await (await get(`/todos/${id}`)).json()).contents).toBe("stays");
    },
  );

  test("needs contents", async () => {
    await expectInvalid(await post({ is_done: true }), { pointer: "/contents" });
  });

  test("never hands out an id again", async () => {
    const { id } = await add("the highest id of all");
    await remove(`/todos/${id}`);
    expect((await add("the next")).id).toBeGreaterThan(id);
  });
});

/** A user of only this test, whose list nobody else changes. */
const listed = () => service.user();

describe("changing", () => {
  test.each([
    ["the contents", { contents: "Buy oat milk" }],
    ["whether it is done", { is_done: true }],
    ["both", { contents: "Buy no milk", is_done: true }],
  ])("changes %s and updated_at, and leaves the rest", async (_what, change) => {
    const todo = await add("Buy milk");
    service.passSeconds(5);
    const response = await patch(`/todos/${todo.id}`, change);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const changed = await response.json();
    const { updated_at, rev } = changed;
    const done_at = changed.is_done ? updated_at : null;
    expect(changed).toEqual({ ...todo, ...change, done_at, updated_at, rev });
    expect(rev).toBe(todo.rev + 1);
    expect(updated_at).toMatch(MOMENT);
    const moved = Date.parse(changed.updated_at) - Date.parse(todo.updated_at);
    expect(moved).toBeGreaterThanOrEqual(5000);
    expect(await (await get(`/todos/${todo.id}`)).json()).toEqual(changed);
  });

  test("may take it back", async () => {
    const { id } = await add("Buy milk", true);
    expect((await (await patch(`/todos/${id}`, { is_done: false })).json()).is_done).toBe(false);
  });

  test("leaves the other todos alone", async () => {
    const user = await listed();
    const before = await add("before", false, user);
    const { id } = await add("between", false, user);
    const after = await add("after", false, user);
    await patch(`/todos/${id}`, { contents: "changed", is_done: true }, user);
    expect((await list("", user)).todos.filter((todo) => todo.id !== id)).toEqual([before, after]);
  });

  test("with nothing to change is 422", async () => {
    const { id } = await add("Buy milk");
    await expectInvalid(await patch(`/todos/${id}`, {}), { pointer: "" });
  });

  test("looks at the values before it looks for the todo", async () => {
    await expectInvalid(await patch("/todos/0", {}), { pointer: "" });
  });
});

describe("deleting", () => {
  test("answers 204, and the todo is gone", async () => {
    const { id } = await add("Buy milk");
    const response = await remove(`/todos/${id}`);
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect((await get(`/todos/${id}`)).status).toBe(404);
    expect((await patch(`/todos/${id}`, { is_done: true })).status).toBe(404);
    expect((await remove(`/todos/${id}`)).status).toBe(404);
  });

  test("leaves the other todos alone", async () => {
    const user = await listed();
    const kept = await add("kept", false, user);
    await remove(`/todos/${(await add("gone", false, user)).id}`, user);
    expect((await list("", user)).todos).toEqual([kept]);
  });
});

describe("a todo that is not there", () => {
  const attempts: [how: string, attempt: (path: string) => Promise<Response>][] = [
    ["GET", (path) => service.call("GET", path, withId())],
    ["PATCH", (path) => service.call("PATCH", path, { ...withId(), json: { is_done: true } })],
    ["DELETE", (path) => service.call("DELETE", path, withId())],
  ];
  const withId = () => ({ token: mina.token, headers: { "x-request-id": "the-same" } });

  test.each(attempts)(
    "%s: another user's is the same 404, byte for byte",
    async (_how, attempt) => {
      const theirs = await add("private", false, other);
      const answer = await whole(await attempt(`/todos/${theirs.id}`));
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body)).toEqual({
        type: "about:blank",
        title: "Not Found",
        status: 404,
        code: "todo_not_found",
        detail: "You have no such todo.",
        instance: "urn:request:",
      });
      expect(await whole(await attempt("/todos/9007199254740991"))).toEqual(answer);
      expect(await (await get(`/todos/${theirs.id}`, other)).json()).toEqual(theirs);
    },
  );

  test.each(attempts)("%s: what is no canonical id is the same 404", async (_how, attempt) => {
    const { id } = await add("there");
    const answer = await whole(await attempt("/todos/9007199254740991"));
    const ids = ["0", "-1", `0${id}`, `+${id}`, `${id}.0`, `${id}e0`, `0x${id.toString(16)}`];
    const more = [
      `%20${id}`,
      `${id}%20`,
      `${id}%00`,
      "9007199254740993",
      "1".repeat(400),
      "x",
      "%F0%9D%9F%8F",
    ];
    for (const each of [...ids, ...more]) {
      expect([each, await whole(await attempt(`/todos/${each}`))]).toEqual([each, answer]);
    }
    expect((await get(`/todos/${id}`)).status).toBe(200);
  });
});

describe("the list", () => {
  let user: User;
  const todos: Todo[] = [];

  beforeAll(async () => {
    user = await service.user();
    // Every third todo is done. Another user's todos are between them.
    for (let i = 0; i < 12; i++) {
      todos.push(await add(`todo ${i}`, i % 3 === 0, user));
      await add("not mine", i % 2 === 0, other);
    }
  });

  const done = () => todos.filter(({ is_done }) => is_done);
  const open = () => todos.filter(({ is_done }) => !is_done);

  const views: [query: string, expected: () => Todo[]][] = [
    ["", () => todos],
    ["order=ASC", () => todos],
    ["order=DESC", () => todos.toReversed()],
    ["is_done=true", done],
    ["is_done=false", open],
    ["order=DESC&is_done=true", () => done().toReversed()],
    ["order=DESC&is_done=false", () => open().toReversed()],
  ];

  test.each(views)("of ?%s has one's own alone, in order", async (query, expected) => {
    const response = await get(`/todos?${query}`, user);
    expect(response.headers.get("cache-control")).toBe("private, no-cache");
    expect(response.headers.get("link")).toBeNull();
    expect(await response.json()).toEqual({ todos: expected(), next_cursor: null });
  });

  test.each(views)("of ?%s comes in pages by its cursors", async (query, expected) => {
    for (const limit of [1, 3, 4]) {
      const seen: Todo[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const page: Page = await list(`?${query}&limit=${limit}${cursor}`.replace("?&", "?"), user);
        seen.push(...page.todos);
        const left = expected().length - seen.length;
        expect(page.todos).toHaveLength(left > 0 ? limit : page.todos.length);
        expect(page.next_cursor === null).toBe(left === 0);
        cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
      }
      expect(seen).toEqual(expected());
    }
  });

  test.each(views)(
    "of ?%s comes in pages by its links, followed as they are",
    async (query, expected) => {
      const seen: Todo[] = [];
      let url: string | undefined = `${service.url}/todos?${query}&limit=2`.replace("?&", "?");
      while (url !== undefined) {
        const response: Response = await fetch(url, {
          headers: { authorization: `Bearer ${user.token}` },
        });
        expect(response.status).toBe(200);
        const page: Page = await response.json();
        seen.push(...page.todos);
        const link = response.headers.get("link");
        expect(link === null).toBe(page.next_cursor === null);
        const [, target] = /^<(\/todos\?[^>]+)>; rel="next"$/.exec(link ?? "") ?? [];
        expect(target === undefined).toBe(link === null);
        url = target && new URL(target, url).href;
      }
      expect(seen).toEqual(expected());
    },
  );

  test("has no more pages when the last one is just full", async () => {
    const { todos: page, next_cursor } = await list("?limit=12", user);
    expect(page).toHaveLength(12);
    expect(next_cursor).toBeNull();
  });

  test("of a user without todos is empty", async () => {
    expect(await list("", await listed())).toEqual({ todos: [], next_cursor: null });
  });

  test("is of 50 unless told, and of 100 at most", async () => {
    const many = await listed();
    await service.services.database.$client.execute({
      sql: `WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 101)
        INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
        SELECT ?, 'todo ' || n, 0, 0, 0 FROM counter`,
      args: [many.id],
    });
    expect((await list("", many)).todos).toHaveLength(50);
    const { todos: page, next_cursor } = await list("?limit=100", many);
    expect(page).toHaveLength(100);
    const rest = await list(`?limit=100&cursor=${encodeURIComponent(next_cursor ?? "")}`, many);
    expect(rest).toMatchObject({ todos: [{ contents: "todo 101" }], next_cursor: null });
  });

  test("takes another limit with the same cursor", async () => {
    const { next_cursor } = await list("?limit=2", user);
    expect((await list(`?limit=5&cursor=${next_cursor}`, user)).todos).toEqual(todos.slice(2, 7));
  });

  test.each([
    [
      "limit",
      [
        "0",
        "101",
        "-1",
        "1.5",
        "01",
        "+1",
        "1e1",
        "0x10",
        "%201",
        "ten",
        "",
        "NaN",
        "1".repeat(30),
      ],
    ],
    ["order", ["asc", "desc", "ASC,DESC", "1", ""]],
    ["is_done", ["1", "0", "TRUE", "yes", "null", ""]],
    ["cursor", ["", "x", "2", "2.x", "null", "%00"]],
  ])("refuses %s when it is none", async (name, values) => {
    for (const value of values) {
      const response = await get(`/todos?${name}=${value}`, user);
      expect([value, response.status]).toEqual([value, 422]);
      await expectInvalid(response, { parameter: name });
    }
  });

  test.each([
    ["a parameter that it does not know", "offset=1", ""],
    ["a token in the query", "access_token=x", ""],
    ["another's name for one that it knows", "Limit=1", ""],
    ["a limit given twice", "limit=1&limit=1", "limit"],
    ["an order given twice", "order=ASC&order=ASC", "order"],
    ["a filter given twice", "is_done=true&is_done=false", "is_done"],
  ])("refuses %s", async (_what, query, parameter) => {
    await expectInvalid(await get(`/todos?${query}`, user), { parameter });
  });
});

describe("a cursor", () => {
  let user: User;
  let cursor = "";

  beforeAll(async () => {
    user = await service.user();
    for (const is_done of [false, false, false, true, true, true]) {
      await add("todo", is_done, user);
      await add("todo", is_done, other);
    }
    cursor = (await list("?limit=1", user)).next_cursor ?? "";
    expect(cursor).not.toBe("");
  });

  const refused = async (query: string, who = user) =>
    expectInvalid(await get(`/todos?${query}`, who), { parameter: "cursor" });

  test("of another user is 422", () => refused(`cursor=${cursor}`, other));

  test.each(["order=DESC", "is_done=true", "is_done=false", "order=DESC&is_done=true"])(
    "of the plain list is 422 with ?%s",
    (query) => refused(`${query}&cursor=${cursor}`),
  );

  test.each(["", "order=DESC&is_done=true", "is_done=false"])(
    "of the done alone is 422 with ?%s",
    async (query) => {
      const { next_cursor } = await list("?limit=1&is_done=true", user);
      await refused(`${query}&cursor=${next_cursor}`);
    },
  );

  test("is the same whether the default order is told or not", async () => {
    expect((await list(`?order=ASC&cursor=${cursor}`, user)).todos).toHaveLength(5);
  });

  test("is good for another session of the same user", async () => {
    const again = { ...user, ...(await service.logIn(user.username)) };
    expect((await list(`?cursor=${cursor}`, again)).todos).toHaveLength(5);
  });

  test("with any one character changed is 422", async () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (let i = 0; i < cursor.length; i++) {
      // The next character of the alphabet: in the last place its bits may not matter.
      const at = alphabet.indexOf(cursor.charAt(i));
      const changed = alphabet.charAt(at === -1 ? 0 : at ^ 1);
      await refused(`cursor=${cursor.slice(0, i)}${changed}${cursor.slice(i + 1)}`);
    }
  });

  test.each([
    ["cut short", () => cursor.slice(0, -1)],
    ["lengthened", () => `${cursor}A`],
    ["padded", () => `${cursor}%3D`],
    ["with space around", () => `%20${cursor}`],
    ["with a zero before its number", () => `0${cursor}`],
    ["doubled", () => `${cursor}.${cursor}`],
    ["an access token", () => user.token],
    ["a refresh token", () => user.refresh_token],
  ])("%s is 422", (_how, forge) => refused(`cursor=${forge()}`));
});

describe.each(["order=ASC", "order=DESC", "order=ASC&is_done=false", "order=DESC&is_done=false"])(
  "a walk through the pages of ?%s",
  (query) => {
    test("meets each todo once that exists throughout, while others come and go", async () => {
      const user = await listed();
      const kept: number[] = [];
      const doomed: number[] = [];
      for (let i = 0; i < 20; i++) {
        kept.push((await add("kept", false, user)).id);
        doomed.push((await add("doomed", false, user)).id);
      }
      const seen: number[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const page: Page = await list(`?${query}&limit=3${cursor}`, user);
        const ids = idsOf(page.todos);
        seen.push(...ids);
        cursor = page.next_cursor && `&cursor=${page.next_cursor}`;
        // From this page, the next and the first: the todo of the cursor is among them.
        const here = doomed.filter((id) => ids.includes(id));
        for (const id of [...here, ...doomed.splice(0, 1), ...doomed.splice(-1)]) {
          await remove(`/todos/${id}`, user);
        }
        // Six at most. With more, an ascending walk would never end.
        if (seen.length < 20) await add("new", false, user);
      }
      expect(seen).toEqual(Array.from(new Set(seen)));
      const sorted = query.includes("DESC") ? kept.toReversed() : kept;
      expect(seen.filter((id) => kept.includes(id))).toEqual(sorted);
    });
  },
);
