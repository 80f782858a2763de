/** Values that any route may get, valid and invalid: query parameters, ids, repeated names, text at its limits. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { PASSWORD, type Service, startService } from "../service.ts";
import { CANARY, type Expected, expectProblem, sendRaw, stored, whole } from "./answers.ts";

const INVALID: Expected = [422, "validation_failed"];

let service: Service;
let user: Awaited<ReturnType<Service["user"]>>;
let token: string;
let todoPath: string;
let theirTodoPath: string;
let before: string;

async function addTodo(token: string): Promise<string> {
  const json = { contents: "Water plants" };
  const created = await service.call("POST", "/todos", { token, json });
  return created.headers.get("location") ?? "";
}

beforeAll(async () => {
  service = await startService();
  user = await service.user();
  ({ token } = user);
  todoPath = await addTodo(token);
  theirTodoPath = await addTodo((await service.user()).token);
});
afterAll(() => service.stop());

/** A body that is valid, except for the value that is tested. */
const bodies: Record<string, Record<string, unknown>> = {
  "POST /users/sign-up": { username: "mina", password: PASSWORD },
  "POST /users/log-in": { username: "user-1", password: PASSWORD },
  "POST /users/refresh": { refresh_token: CANARY },
  "PUT /users/me/password": { current_password: PASSWORD, new_password: `${PASSWORD}!` },
  "DELETE /users/me": { password: PASSWORD },
  "POST /users/email/otp": { email: "mina@example.com" },
  "POST /users/email/otp/verify": { otp: "123456" },
  "POST /users/password/otp": { email: "mina@example.com" },
  "POST /users/password/reset": {
    email: "mina@example.com",
    otp: "123456",
    new_password: `${PASSWORD}!`,
  },
  "POST /todos": { contents: "Sweep" },
  "POST /todos/batch": { operations: [{ op: "create", contents: "Sweep" }] },
  "PATCH /todos/:id": { is_done: true },
  "POST /todos/:id/move": {},
  "POST /lists": { name: "Garden" },
  "PATCH /lists/:id": { name: "Yard" },
  "POST /lists/:id/move": { after: null },
};

const todoId = () => todoPath.replace("/todos/", "");

describe("query parameters on every route under /users, /todos, /lists and /trash", () => {
  beforeAll(async () => {
    before = await stored(service);
  });
  afterEach(async () => expect(await stored(service)).toBe(before));

  /** Calls each of those routes with this query. Everything else is valid, so only the query can be invalid. */
  async function onEveryRoute(query: string, check: (answer: Response) => Promise<void>) {
    let routes = 0;
    for (const { method, path } of service.app.routes) {
      if (!/^\/(users|todos|lists|trash)(\/|$)/.test(path)) continue;
      routes++;
      const json = bodies[`${method} ${path}`];
      const target = path.replace(":id", todoId()) + query;
      await check(await service.call(method, target, { token, json }));
      if (method !== "GET") continue;
      const head = await service.call("HEAD", target, { token });
      expect(head.status).toBe(422);
    }
    expect(routes).toBeGreaterThan(10);
  }

  test.each([
    `?${CANARY}=${CANARY}`,
    `?${CANARY}`,
    `?=${CANARY}`,
    `?a=${CANARY}&a=${CANARY}`,
    `?__proto__=${CANARY}`,
    `?constructor=${CANARY}`,
    `?toString=${CANARY}`,
    `?Order=${CANARY}`,
    `?limit[]=${CANARY}`,
    `?%ff=${CANARY}`,
    `?%00=${CANARY}`,
    `?%=${CANARY}`,
    `?access_token=${CANARY}`,
    `?user_id=1&${CANARY}`,
  ])("%s is refused", async (query) => {
    await onEveryRoute(query, async (answer) => {
      const [fault, ...others] = await expectProblem(answer, INVALID);
      expect(others).toEqual([]);
      // The query as a whole: the name of the parameter would repeat what was sent.
      expect(fault?.parameter).toBe("");
    });
  });

  test.each(["?limit=1&limit=2", "?li%6Dit=1&limit=2", "?limit&limit", "?limit=1&limit=1"])(
    "a known one given twice is refused: %s",
    async (query) => {
      await onEveryRoute(query, async (answer) => {
        await expectProblem(answer, INVALID);
      });
    },
  );

  test("one fault in the query and one in the body are one 422", async () => {
    const json = { [CANARY]: CANARY };
    const answer = await service.call("POST", `/todos?${CANARY}=${CANARY}`, { token, json });
    await expectProblem(answer, INVALID);
  });
});

describe("query parameters of GET /todos", () => {
  test.each([
    ["limit", [CANARY, "", "0", "101", "1e1", "0x10", "01", "+1", "1.0", "-1", "%201", "1%00"]],
    ["order", [CANARY, "", "asc", "DESC%20", "ASC,DESC"]],
    ["is_done", [CANARY, "", "1", "0", "TRUE", "%20true", "null"]],
    ["cursor", [CANARY, "", "1", `1.${CANARY}`, "%00", "%ff", "%", "%ED%A0%80", "."]],
  ])("%s that is none is told by its name, never by its value", async (parameter, values) => {
    for (const value of values) {
      const answer = await service.call("GET", `/todos?${parameter}=${value}`, { token });
      const faults = await expectProblem(answer, INVALID);
      expect([value, faults.map((fault) => fault.parameter)]).toEqual([value, [parameter]]);
    }
  });

  test.each(["?", "?&", "?limit=5&", "?li%6Dit=%35", "?order=ASC&is_done=false&limit=100"])(
    "%s is good",
    async (query) => {
      expect((await service.call("GET", `/todos${query}`, { token })).status).toBe(200);
    },
  );

  test("several faults are each told", async () => {
    const query = `?limit=0&order=${CANARY}&is_done=1`;
    const faults = await expectProblem(
      await service.call("GET", `/todos${query}`, { token }),
      INVALID,
    );
    const parameters = faults.map(({ parameter }) => parameter);
    expect(parameters.sort()).toEqual(["is_done", "limit", "order"]);
  });
});

const badIds = [
  "0",
  "-1",
  "+1",
  "01",
  "1.0",
  "1e0",
  "1e3",
  "0x1",
  "0b1",
  "1_0",
  "1n",
  "%201",
  "1%20",
  "1%0A",
  "1%00",
  "%00",
  "%FF",
  "%ED%A0%80",
  "%EF%BC%91", // a full-width 1
  "%D9%A1", // an Arabic 1
  "1%2F1",
  "1;1",
  "1,1",
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "18446744073709551617",
  "1".repeat(400),
  "NaN",
  "null",
  "undefined",
  "me",
  "__proto__",
  "'%20OR%201=1--",
  CANARY,
];

describe("an id that names nothing of one's own is the resource's 404, byte for byte", () => {
  beforeAll(async () => {
    before = await stored(service);
  });
  afterEach(async () => expect(await stored(service)).toBe(before));

  test.each(["GET", "PATCH", "DELETE"])("%s /todos/:id", async (method) => {
    const call = (path: string) =>
      service.call(method, path, { token, ...(method === "PATCH" && { json: { is_done: true } }) });
    await expectProblem(await call(theirTodoPath), [404, "todo_not_found"]);
    const theirs = await whole(await call(theirTodoPath));
    for (const id of badIds) {
      expect([id, await whole(await call(`/todos/${id}`))]).toEqual([id, theirs]);
      await expectProblem(await call(`/todos/${id}`), [404, "todo_not_found"]);
    }
  });

  test("DELETE /users/me/sessions/:id", async () => {
    const other = await service.user();
    const list = await service.call("GET", "/users/me/sessions", { token: other.token });
    const { sessions } = await list.json();
    before = await stored(service);
    const call = (id: string) => service.call("DELETE", `/users/me/sessions/${id}`, { token });
    const theirs = await whole(await call(sessions[0].id));
    for (const id of badIds) {
      expect([id, await whole(await call(id))]).toEqual([id, theirs]);
      await expectProblem(await call(id), [404, "session_not_found"]);
    }
  });

  test("HEAD /todos/:id", async () => {
    for (const id of badIds) {
      expect((await service.call("HEAD", `/todos/${id}`, { token })).status).toBe(404);
    }
  });

  test("in bytes that are no UTF-8 and not escaped", async () => {
    const request =
      `GET /todos/\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
      `Authorization: Bearer ${token}\r\n\r\n`;
    await expectProblem(await sendRaw(service, request), [404, "todo_not_found"]);
  });
});

describe("a name given twice in a JSON object", () => {
  const send = (method: string, path: string, body: string) =>
    service.call(method, path, { token, body, headers: { "content-type": "application/json" } });

  test("means the last of them, when that is good", async () => {
    const created = await send("POST", "/todos", '{"contents":5,"contents":"the last"}');
    expect(created.status).toBe(201);
    const { id, contents } = await created.json();
    expect(contents).toBe("the last");
    const escaped = '{"is_done":"no","contents":"x","is_d\\u006fne":true}';
    const changed = await send("PATCH", `/todos/${id}`, escaped);
    expect(await changed.json()).toMatchObject({ contents: "x", is_done: true });
    const json = `{"username":"${CANARY}","username":"${user.username}","password":"${PASSWORD}"}`;
    expect((await send("POST", "/users/log-in", json)).status).toBe(200);
  });

  test("means the last of them, when that is bad", async () => {
    for (const [method, path, body] of [
      ["POST", "/todos", `{"contents":"${CANARY}","contents":5}`],
      ["PATCH", todoPath, '{"is_done":true,"is_done":"true"}'],
      ["POST", "/users/sign-up", `{"password":"${PASSWORD}","username":"mina","username":"m"}`],
    ] as const) {
      await expectProblem(await send(method, path, body), INVALID);
    }
  });
});

describe("text", () => {
  const astral = "\u{1F98A}";

  test.each([
    ["1000 code points of 4 bytes", astral.repeat(1000), 201],
    ["1001", astral.repeat(1001), 422],
    ["1000 combining marks", "\u0301".repeat(1000), 201],
    ["tab and newline", "a\tb\nc", 201],
    ["a form feed", "a\fb", 422],
    ["a byte-order mark within", "a\uFEFFb", 201],
    ["a noncharacter", "a\uFFFFb", 201],
    ["bidirectional overrides", "a\u202Eb", 201],
    ["a pair of surrogates in escapes", "\uD83E\uDD8A", 201],
  ])("contents of %s", async (_what, contents, status) => {
    const answer = await service.call("POST", "/todos", { token, json: { contents } });
    expect(answer.status).toBe(status);
    if (status === 201) expect((await answer.json()).contents).toBe(contents);
  });

  test("a password to compare is counted in code points too, and may be short", async () => {
    const attempt = (password: string) =>
      service.call("POST", "/users/log-in", { json: { username: user.username, password } });
    await expectProblem(await attempt("x"), [401, "invalid_credentials"]);
    await expectProblem(await attempt(astral.repeat(256)), [401, "invalid_credentials"]);
    await expectProblem(await attempt(astral.repeat(257)), INVALID);
  });

  test("an answer is UTF-8 and escapes nothing that JSON does not ask it to", async () => {
    const contents = '\u00e9 \u6f22 \u2028 </script> "\\';
    const created = await service.call("POST", "/todos", { token, json: { contents } });
    expect(created.headers.get("content-type")).toStartWith("application/json");
    expect(await created.text()).toContain(`"contents":${JSON.stringify(contents)}`);
  });
});

describe("times and ids in answers", () => {
  test("are RFC 3339 UTC with milliseconds, and positive integers", async () => {
    const todo = await (await service.call("GET", todoPath, { token })).json();
    const me = await (await service.call("GET", "/users/me", { token })).json();
    for (const time of [todo.created_at, todo.updated_at, me.created_at]) {
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    for (const id of [todo.id, me.id])
      expect(id).toSatisfy((n) => Number.isSafeInteger(n) && n > 0);
  });
});
