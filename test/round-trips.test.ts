/**
 * The maximum number of round trips of each request to the database: the table "Round trips" of the contract, row by
 * row.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type CallOptions, PASSWORD, type Service, startService } from "./service.ts";

type User = Awaited<ReturnType<Service["user"]>>;

/**
 * A request, made with the values of its user; the status that shows that it has worked; and the maximum number of
 * trips.
 */
type Row = [
  what: string,
  trips: number,
  status: number,
  method: string,
  path: string | ((user: User) => string | Promise<string>),
  options: (user: User) => CallOptions | Promise<CallOptions>,
];

let service: Service;
let user: User;
let todoId = 0;
let cursor = "";

beforeAll(async () => {
  service = await startService();
  user = await service.user();
  for (let i = 0; i < 3; i++) {
    const json = { contents: "Buy milk" };
    const response = await service.call("POST", "/todos", { token: user.token, json });
    todoId = (await response.json()).id;
  }
  const name = { name: "Garden" };
  await service.call("POST", "/lists", { token: user.token, json: name });
  const page = await service.call("GET", "/todos?limit=1", { token: user.token });
  cursor = (await page.json()).next_cursor;
});

afterAll(() => service.stop());

/** @param who returns the user of each request */
function count(who: () => Promise<User>, rows: Row[]) {
  test.each(rows)("%s: %i", async (_what, trips, status, method, path, options) => {
    const asker = await who();
    const prepared = await options(asker);
    const target = typeof path === "string" ? path : await path(asker);
    const before = service.trips();
    const response = await service.call(method, target, prepared);
    expect(response.status).toBe(status);
    expect(service.trips() - before).toBeLessThanOrEqual(trips);
  });
}

const nothing = () => ({});
const bearer = ({ token }: User) => ({ token });
const json = (json: unknown) => () => ({ json });
const bearerAndJson =
  (json: unknown) =>
  ({ token }: User) => ({ token, json });
const password =
  (password: string) =>
  ({ username }: User) => ({ json: { username, password } });
const refreshToken = ({ refresh_token }: User) => ({ json: { refresh_token } });
const form = (fields: (user: User) => Record<string, string>) => (user: User) => ({
  body: new URLSearchParams(fields(user)),
});
/** Asks for a one-time password for an address of the user. Returns the address, and the six digits from the mail. */
async function askToVerify({ token, username }: User) {
  const email = `${username}@example.com`;
  await service.call("POST", "/users/email/otp", { token, json: { email } });
  return { email, otp: await service.nextOtp(email) };
}
async function verified(user: User): Promise<string> {
  const { email, otp } = await askToVerify(user);
  await service.call("POST", "/users/email/otp/verify", { token: user.token, json: { otp } });
  return email;
}
async function askToReset(user: User) {
  const email = await verified(user);
  await service.call("POST", "/users/password/otp", { json: { email } });
  return { email, otp: await service.nextOtp(email) };
}
/** Confirms with wrong passwords until the session has to wait, and then continues with `options`. */
const sessionThrottled = (options: (user: User) => CallOptions) => async (user: User) => {
  const wrong = { token: user.token, json: { password: "wrong horse" } };
  await Promise.all(Array.from({ length: 5 }, () => service.call("DELETE", "/users/me", wrong)));
  return options(user);
};
/** Fails to log in until the user has to wait, and then continues with `options`. */
const throttled = (options: (user: User) => CallOptions) => async (user: User) => {
  const { username } = user;
  const wrong = { json: { username, password: "wrong horse" } };
  const attempts = Array.from({ length: 5 }, () => service.call("POST", "/users/log-in", wrong));
  await Promise.all(attempts);
  return options(user);
};
const malformed = { headers: { "content-type": "application/json" }, body: "{" };
const todo = () => `/todos/${todoId}`;
const DAILY = { every: 1, unit: "day", from: "due" };
/** Adds a todo that repeats, to tick it off later. Returns its id. */
async function repeating({ token }: User): Promise<number> {
  const json = { contents: "x", due: { date: "2126-01-01" }, repeat: DAILY };
  const { id } = await (await service.call("POST", "/todos", { token, json })).json();
  return id;
}
/** Adds a todo. Returns its id. */
async function newTodo({ token }: User): Promise<number> {
  const json = { contents: "x" };
  return (await (await service.call("POST", "/todos", { token, json })).json()).id;
}
/** Adds a todo, and deletes it. Returns its id. */
async function deletedTodo(user: User): Promise<number> {
  const id = await newTodo(user);
  await service.call("DELETE", `/todos/${id}`, { token: user.token });
  return id;
}
/** Adds a todo, deletes it, and restores it. Returns its id. */
async function restoredTodo(user: User): Promise<number> {
  const id = await deletedTodo(user);
  await service.call("POST", `/trash/${id}/restore`, { token: user.token });
  return id;
}
/** Adds a list. Returns its id. */
async function newList({ token }: User): Promise<number> {
  const json = { name: "x" };
  return (await (await service.call("POST", "/lists", { token, json })).json()).id;
}
/** A batch with all kinds of operations. */
const operations = () => [
  { op: "create", contents: "x" },
  { op: "create" },
  { op: "update", id: todoId, is_done: true },
  { op: "update", id: todoId, is_done: false },
  { op: "move", id: todoId, after: null },
  { op: "delete", id: 99 },
];
const keyed = (options: (user: User) => CallOptions, key: string) => (user: User) => ({
  ...options(user),
  headers: { "idempotency-key": key },
});
const bearerAndBatch = ({ token }: User) => ({ token, json: { operations: operations() } });
/** Sends a request once before it is counted. */
const sentBefore = (path: string, options: (user: User) => CallOptions) => async (user: User) => {
  await service.call("POST", path, options(user));
  return options(user);
};

describe("what needs no data, or is refused before it does", () => {
  count(
    async () => user,
    [
      ["a ping", 0, 200, "GET", "/", nothing],
      ["whether it is alive", 0, 200, "GET", "/health/alive", nothing],
      ["OPTIONS", 0, 204, "OPTIONS", "/todos", nothing],
      ["no such path", 0, 404, "GET", "/nowhere", bearer],
      ["no such method", 0, 405, "PUT", "/todos", bearer],
      ["another media type", 0, 415, "POST", "/todos", ({ token }) => ({ token, body: "x" })],
      ["a body too large", 0, 413, "POST", "/todos", bearerAndJson("x".repeat(65_536))],
      ["a malformed body", 0, 400, "POST", "/todos", ({ token }) => ({ token, ...malformed })],
      ["no token", 0, 401, "GET", "/todos", nothing],
      ["a token that is none", 0, 401, "GET", "/todos", () => ({ token: "nonsense" })],
      [
        "a token with another signature",
        0,
        401,
        "GET",
        "/todos",
        ({ token }) => ({ token: token.replace(/[\w-]+$/, "A".repeat(43)) }),
      ],
      [
        "a refresh token as bearer",
        0,
        401,
        "GET",
        "/todos",
        (user) => ({ token: user.refresh_token }),
      ],
      ["todo: not valid", 0, 422, "POST", "/todos", bearerAndJson({ contents: "" })],
      ["list: not valid", 0, 422, "GET", "/todos?limit=0", bearer],
      ["list: no such cursor", 0, 422, "GET", "/todos?cursor=x", bearer],
      ["change of nothing", 0, 422, "PATCH", todo, bearerAndJson({})],
      ["sign-up: malformed", 0, 400, "POST", "/users/sign-up", () => malformed],
      ["sign-up: not valid", 0, 422, "POST", "/users/sign-up", json({})],
      ["sign-up: weak password", 0, 422, "POST", "/users/sign-up", password("password123")],
      ["log-in: not valid", 0, 422, "POST", "/users/log-in", json({})],
      ["refresh: not valid", 0, 422, "POST", "/users/refresh", json({})],
      ["refresh: no such token", 0, 401, "POST", "/users/refresh", json({ refresh_token: "x" })],
      [
        "refresh: an access token",
        0,
        401,
        "POST",
        "/users/refresh",
        ({ token }) => ({ json: { refresh_token: token } }),
      ],
      ["password change: not valid", 0, 422, "PUT", "/users/me/password", bearerAndJson({})],
      ["deletion: not valid", 0, 422, "DELETE", "/users/me", bearerAndJson({})],
      ["OTP to verify: not valid", 0, 422, "POST", "/users/email/otp", bearerAndJson({})],
      ["verification: not valid", 0, 422, "POST", "/users/email/otp/verify", bearerAndJson({})],
      ["OTP to reset: not valid", 0, 422, "POST", "/users/password/otp", json({})],
      ["reset: not valid", 0, 422, "POST", "/users/password/reset", json({})],
      ["/token: no form", 0, 415, "POST", "/token", json({})],
      ["/token: no user name", 0, 400, "POST", "/token", form(() => ({ password: PASSWORD }))],
      ["/token: no such grant", 0, 400, "POST", "/token", form(() => ({ grant_type: "x" }))],
      [
        "/token: no such refresh token",
        0,
        400,
        "POST",
        "/token",
        form(() => ({ grant_type: "refresh_token", refresh_token: "x" })),
      ],
    ],
  );
});

describe("what leaves the session as it is", () => {
  count(
    async () => user,
    [
      ["whether it is ready", 1, 200, "GET", "/health/ready", nothing],
      ["list", 1, 200, "GET", "/todos", bearer],
      ["list: all told", 1, 200, "GET", "/todos?order=DESC&is_done=false&limit=100", bearer],
      ["list: next page", 1, 200, "GET", () => `/todos?cursor=${cursor}`, bearer],
      ["what has changed", 1, 200, "GET", "/todos/changes", bearer],
      ["todo: add", 1, 201, "POST", "/todos", bearerAndJson({ contents: "Sleep" })],
      ["batch", 1, 200, "POST", "/todos/batch", bearerAndBatch],
      ["batch: with a key", 1, 200, "POST", "/todos/batch", keyed(bearerAndBatch, "batch")],
      [
        "batch: sent again",
        1,
        200,
        "POST",
        "/todos/batch",
        sentBefore("/todos/batch", keyed(bearerAndBatch, "again")),
      ],
      [
        "batch: of nothing that is valid",
        1,
        200,
        "POST",
        "/todos/batch",
        bearerAndJson({ operations: [{ op: "none" }] }),
      ],
      [
        "todo: add with a key",
        1,
        201,
        "POST",
        "/todos",
        keyed(bearerAndJson({ contents: "Sleep" }), "todo"),
      ],
      [
        "todo: add with a key, sent again",
        1,
        201,
        "POST",
        "/todos",
        sentBefore("/todos", keyed(bearerAndJson({ contents: "Sleep" }), "todo-again")),
      ],
      ["todo: read", 1, 200, "GET", todo, bearer],
      ["todo: HEAD", 1, 200, "HEAD", todo, bearer],
      ["todo: change", 1, 200, "PATCH", todo, bearerAndJson({ contents: "Rise", is_done: true })],
      ["todo: delete", 1, 204, "DELETE", async (user) => `/todos/${await newTodo(user)}`, bearer],
      ["todo: read none", 1, 404, "GET", "/todos/9007199254740991", bearer],
      ["todo: change none", 1, 404, "PATCH", "/todos/x", bearerAndJson({ is_done: true })],
      ["todo: delete none", 1, 404, "DELETE", "/todos/0", bearer],
      ["todo: move first", 1, 200, "POST", () => `${todo()}/move`, bearerAndJson({ after: null })],
      ["todo: move last", 1, 200, "POST", () => `${todo()}/move`, bearerAndJson({})],
      ["todo: move nowhere", 1, 422, "POST", () => `${todo()}/move`, bearerAndJson({ after: 99 })],
      [
        "todo: add to no list",
        1,
        404,
        "POST",
        "/todos",
        bearerAndJson({ contents: "x", list_id: 9 }),
      ],
      ["todo: repeat without due", 1, 422, "PATCH", todo, bearerAndJson({ repeat: DAILY })],
      [
        "list: by due date, all told",
        1,
        200,
        "GET",
        "/todos?sort=due&list_id=1&priority=0&due_from=2026-01-01&due_to=2026-12-31&q=x",
        bearer,
      ],
      ["list: of no list", 1, 404, "GET", "/todos?list_id=99", bearer],
      ["trash", 1, 200, "GET", "/trash", bearer],
      [
        "trash: restore",
        1,
        200,
        "POST",
        async (user) => `/trash/${await deletedTodo(user)}/restore`,
        bearer,
      ],
      ["trash: restore none", 1, 404, "POST", "/trash/1/restore", bearer],
      [
        "todo: delete again",
        1,
        204,
        "DELETE",
        async (user) => `/todos/${await restoredTodo(user)}`,
        bearer,
      ],
      [
        "trash: delete for good",
        1,
        204,
        "DELETE",
        async (user) => `/trash/${await deletedTodo(user)}`,
        bearer,
      ],
      [
        "trash: empty",
        1,
        204,
        "DELETE",
        async (user) => {
          await deletedTodo(user);
          return "/trash";
        },
        bearer,
      ],
      ["lists", 1, 200, "GET", "/lists", bearer],
      ["list: add", 1, 201, "POST", "/lists", bearerAndJson({ name: "Work" })],
      ["list: read", 1, 200, "GET", "/lists/1", bearer],
      ["list: rename", 1, 200, "PATCH", "/lists/1", bearerAndJson({ name: "Home" })],
      ["list: move", 1, 200, "POST", "/lists/1/move", bearerAndJson({ after: null })],
      ["list: delete", 1, 204, "DELETE", async (user) => `/lists/${await newList(user)}`, bearer],
      ["list: delete none", 1, 404, "DELETE", "/lists/99", bearer],
      ["me", 1, 200, "GET", "/users/me", bearer],
      ["sessions", 1, 200, "GET", "/users/me/sessions", bearer],
      ["sessions: end none", 1, 404, "DELETE", "/users/me/sessions/x", bearer],
      ["sign-up", 1, 201, "POST", "/users/sign-up", json({ username: "new", password: PASSWORD })],
      ["sign-up: name taken", 1, 409, "POST", "/users/sign-up", password(PASSWORD)],
      [
        "sign-up with an e-mail address",
        1,
        201,
        "POST",
        "/users/sign-up",
        json({ username: "newer", password: PASSWORD, email: "newer@example.com" }),
      ],
      [
        "sign-up with an e-mail address: name taken",
        1,
        409,
        "POST",
        "/users/sign-up",
        ({ username }) => ({ json: { username, password: PASSWORD, email: "new@example.com" } }),
      ],
      [
        "OTP to reset: nobody's address",
        1,
        202,
        "POST",
        "/users/password/otp",
        json({ email: "nobody@example.com" }),
      ],
      [
        "reset: nobody's address",
        1,
        400,
        "POST",
        "/users/password/reset",
        json({ email: "nobody@example.com", otp: "123456", new_password: PASSWORD }),
      ],
      ["log-in", 2, 200, "POST", "/users/log-in", password(PASSWORD)],
      ["log-in: wrong password", 2, 401, "POST", "/users/log-in", password("wrong horse")],
      [
        "log-in: no such user",
        2,
        401,
        "POST",
        "/users/log-in",
        json({ username: "nobody", password: PASSWORD }),
      ],
      [
        "/token by password",
        2,
        200,
        "POST",
        "/token",
        form(({ username }) => ({ username, password: PASSWORD })),
      ],
      [
        "/token: wrong password",
        2,
        400,
        "POST",
        "/token",
        form(({ username }) => ({ username, password: "wrong horse" })),
      ],
      [
        "password change: wrong password",
        2,
        403,
        "PUT",
        "/users/me/password",
        bearerAndJson({ current_password: "wrong horse", new_password: "zk4#qwpj" }),
      ],
      [
        "password change: weak password",
        2,
        422,
        "PUT",
        "/users/me/password",
        bearerAndJson({ current_password: PASSWORD, new_password: "password123" }),
      ],
      [
        "deletion: wrong password",
        2,
        403,
        "DELETE",
        "/users/me",
        bearerAndJson({ password: "wrong horse" }),
      ],
    ],
  );
});

describe("what uses the session up, or its password", () => {
  count(
    () => service.user(),
    [
      ["refresh", 1, 200, "POST", "/users/refresh", refreshToken],
      [
        "/token by refresh token",
        1,
        200,
        "POST",
        "/token",
        form(({ refresh_token }) => ({ grant_type: "refresh_token", refresh_token })),
      ],
      ["log-out", 1, 204, "POST", "/users/log-out", bearer],
      ["sessions: end all", 1, 204, "DELETE", "/users/me/sessions", bearer],
      [
        "sessions: end one",
        1,
        204,
        "DELETE",
        ({ token }) => `/users/me/sessions/${sessionId(token)}`,
        bearer,
      ],
      [
        "password change",
        2,
        200,
        "PUT",
        "/users/me/password",
        bearerAndJson({ current_password: PASSWORD, new_password: "zk4#qwpj" }),
      ],
      ["deletion", 2, 204, "DELETE", "/users/me", bearerAndJson({ password: PASSWORD })],
      [
        "log-in by e-mail address",
        2,
        200,
        "POST",
        "/users/log-in",
        async (user) => ({ json: { username: await verified(user), password: PASSWORD } }),
      ],
      ["log-in: throttled", 2, 429, "POST", "/users/log-in", throttled(password(PASSWORD))],
      [
        "/token: throttled",
        2,
        429,
        "POST",
        "/token",
        throttled(form(({ username }) => ({ username, password: PASSWORD }))),
      ],
      [
        "password change: throttled",
        2,
        429,
        "PUT",
        "/users/me/password",
        sessionThrottled(bearerAndJson({ current_password: PASSWORD, new_password: "zk4#qwpj" })),
      ],
      [
        "deletion: throttled",
        2,
        429,
        "DELETE",
        "/users/me",
        sessionThrottled(bearerAndJson({ password: PASSWORD })),
      ],
      [
        "deletion with one-time passwords",
        2,
        204,
        "DELETE",
        "/users/me",
        async (user) => {
          await askToReset(user);
          return { token: user.token, json: { password: PASSWORD } };
        },
      ],
      [
        "OTP to verify",
        1,
        202,
        "POST",
        "/users/email/otp",
        ({ token, username }) => ({ token, json: { email: `${username}@example.com` } }),
      ],
      [
        "OTP to verify: too soon",
        1,
        429,
        "POST",
        "/users/email/otp",
        async (user) => {
          const { email } = await askToVerify(user);
          return { token: user.token, json: { email } };
        },
      ],
      [
        "OTP to verify another address",
        2,
        202,
        "POST",
        "/users/email/otp",
        async (user) => {
          const email = await verified(user);
          await service.services.database.$client.execute(
            "DELETE FROM ttl WHERE kind = 'verification_wait'",
          );
          return { token: user.token, json: { email: `new-${email}`, password: PASSWORD } };
        },
      ],
      [
        "OTP to verify another address: without the password",
        1,
        403,
        "POST",
        "/users/email/otp",
        async (user) => {
          const email = await verified(user);
          return { token: user.token, json: { email: `new-${email}` } };
        },
      ],
      [
        "verification",
        1,
        200,
        "POST",
        "/users/email/otp/verify",
        async (user) => {
          const { otp } = await askToVerify(user);
          return { token: user.token, json: { otp } };
        },
      ],
      [
        "verification: wrong",
        1,
        400,
        "POST",
        "/users/email/otp/verify",
        bearerAndJson({ otp: "123456" }),
      ],
      [
        "OTP to reset",
        1,
        202,
        "POST",
        "/users/password/otp",
        async (user) => ({ json: { email: await verified(user) } }),
      ],
      [
        "OTP to reset: too soon",
        1,
        429,
        "POST",
        "/users/password/otp",
        async (user) => {
          const { email } = await askToReset(user);
          return { json: { email } };
        },
      ],
      [
        "reset",
        2,
        204,
        "POST",
        "/users/password/reset",
        async (user) => ({ json: { ...(await askToReset(user)), new_password: "zk4#qwpj" } }),
      ],
      [
        "reset: wrong",
        2,
        400,
        "POST",
        "/users/password/reset",
        async (user) => {
          const email = await verified(user);
          return { json: { email, otp: "123456", new_password: "zk4#qwpj" } };
        },
      ],
      [
        "reset: weak password",
        2,
        422,
        "POST",
        "/users/password/reset",
        async (user) => ({ json: { ...(await askToReset(user)), new_password: "password123" } }),
      ],
    ],
  );

  const sessionId = (token: string) =>
    JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()).sid;
});

test("ticking off a todo that repeats: 2, and 1 for one that is done already", async () => {
  const path = `/todos/${await repeating(user)}`;
  for (const [trips, hasNext] of [
    [2, true],
    [1, false],
  ] as const) {
    const before = service.trips();
    const options = { token: user.token, json: { is_done: true } };
    const response = await service.call("PATCH", path, options);
    expect(response.status).toBe(200);
    expect(response.headers.has("link")).toBe(hasNext);
    expect(service.trips() - before).toBeLessThanOrEqual(trips);
  }
});

test("ticking off todos that repeat, in a batch: 2 together", async () => {
  const ids = [await repeating(user), await repeating(user)];
  const operations = ids.map((id) => ({ op: "update", id, is_done: true }));
  const headers = { "idempotency-key": "ticks" };
  for (const trips of [2, 1]) {
    const before = service.trips();
    const options = { token: user.token, json: { operations }, headers };
    const { results } = await (await service.call("POST", "/todos/batch", options)).json();
    expect(results).toMatchObject([{ todo: { is_done: true } }, { todo: { is_done: true } }]);
    expect(service.trips() - before).toBeLessThanOrEqual(trips);
  }
});

describe("what comes after the session has ended", () => {
  let ended: User;

  beforeAll(async () => {
    ended = await service.user();
    await service.call("POST", "/users/log-out", { token: ended.token });
  });

  count(
    async () => ended,
    [
      ["list", 1, 401, "GET", "/todos", bearer],
      ["batch", 1, 401, "POST", "/todos/batch", bearerAndBatch],
      ["todo: add", 1, 401, "POST", "/todos", bearerAndJson({ contents: "Sleep" })],
      ["todo: change", 1, 401, "PATCH", todo, bearerAndJson({ is_done: true })],
      ["todo: move", 1, 401, "POST", () => `${todo()}/move`, bearerAndJson({})],
      ["todo: delete", 1, 401, "DELETE", todo, bearer],
      ["trash", 1, 401, "GET", "/trash", bearer],
      ["trash: restore", 1, 401, "POST", "/trash/1/restore", bearer],
      ["trash: delete for good", 1, 401, "DELETE", "/trash/1", bearer],
      ["trash: empty", 1, 401, "DELETE", "/trash", bearer],
      ["lists", 1, 401, "GET", "/lists", bearer],
      ["list: add", 1, 401, "POST", "/lists", bearerAndJson({ name: "x" })],
      ["list: rename", 1, 401, "PATCH", "/lists/1", bearerAndJson({ name: "x" })],
      ["list: move", 1, 401, "POST", "/lists/1/move", bearerAndJson({ after: null })],
      ["list: delete", 1, 401, "DELETE", "/lists/1", bearer],
      ["export", 1, 401, "GET", "/users/me/export", bearer],
      ["me", 1, 401, "GET", "/users/me", bearer],
      ["log-out", 1, 401, "POST", "/users/log-out", bearer],
      ["refresh", 1, 401, "POST", "/users/refresh", refreshToken],
      ["deletion", 1, 401, "DELETE", "/users/me", bearerAndJson({ password: PASSWORD })],
      ["OTP", 1, 401, "POST", "/users/email/otp", bearerAndJson({ email: "a@example.com" })],
      ["verification", 1, 401, "POST", "/users/email/otp/verify", bearerAndJson({ otp: "123456" })],
    ],
  );
});
