/** `/users`: sign-up, the user's own account, changing the password, and deleting the account. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { InArgs } from "@libsql/core/api";
import { ARGON2_PARAMETERS } from "../../src/auth/passwords.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const OTHER_PASSWORD = "staple battery correct";

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service.stop());

const signUp = (username: string, password = PASSWORD) =>
  service.call("POST", "/users/sign-up", { json: { username, password } });

const logIn = (username: string, password: string) =>
  service.call("POST", "/users/log-in", { json: { username, password } });

const me = (token: string) => service.call("GET", "/users/me", { token });

const changePassword = (token: string, current_password: string, new_password: string) =>
  service.call("PUT", "/users/me/password", { token, json: { current_password, new_password } });

const refresh = (refresh_token: string) =>
  service.call("POST", "/users/refresh", { json: { refresh_token } });

const deleteMe = (token: string, password: string) =>
  service.call("DELETE", "/users/me", { token, json: { password } });

/** The first column of the first row. */
async function cell(sql: string, args: InArgs = []) {
  const { rows } = await service.services.database.$client.execute({ sql, args });
  return rows[0]?.[0];
}

const passwordHash = (id: number) => cell("SELECT password_hash FROM users WHERE id = ?", [id]);

/** A problem without its `instance`, which is different in each request. */
async function problemOf(response: Response) {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const { instance, ...problem } = await response.json();
  expect(instance).toBe(`urn:request:${response.headers.get("x-request-id")}`);
  return problem;
}

const usernameTaken = {
  type: "about:blank",
  title: "Conflict",
  status: 409,
  code: "username_taken",
  detail: "This user name is taken.",
};

const wrongPassword = {
  type: "about:blank",
  title: "Forbidden",
  status: 403,
  code: "wrong_password",
  detail: "The password is wrong.",
};

async function expectWrong(response: Response): Promise<void> {
  expect(await problemOf(response)).toEqual(wrongPassword);
}

const weakPassword = (pointer: string) => ({
  title: "Unprocessable Content",
  status: 422,
  code: "weak_password",
  errors: [{ pointer, detail: expect.any(String) }],
});

const invalidAt = (pointer: string) => ({
  status: 422,
  code: "validation_failed",
  errors: [{ pointer, detail: expect.any(String) }],
});

describe("sign-up", () => {
  test("answers 201 with the id, the name as typed, and where to find oneself", async () => {
    const response = await signUp("Mina.K_1-x");
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe("/users/me");
    expect(response.headers.get("content-type")).toStartWith("application/json");
    expect(await response.json()).toEqual({ id: expect.any(Number), username: "Mina.K_1-x" });
  });

  test("keeps an Argon2id hash and not the password", async () => {
    const shipped = await startService({}, ARGON2_PARAMETERS);
    try {
      await shipped.user("hashed");
      const { rows } = await shipped.services.database.$client.execute(
        "SELECT password_hash FROM users",
      );
      expect(rows[0]?.[0]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    } finally {
      await shipped.stop();
    }
  });

  test.each(["Case.Test", "case.test", "CASE.TEST"])(
    "refuses a name taken in any case: %s",
    async (username) => {
      await signUp("Case.Test");
      const count = await cell("SELECT count(*) FROM users");
      const response = await signUp(username);
      expect(response.status).toBe(409);
      expect(response.headers.get("location")).toBeNull();
      expect(await problemOf(response)).toEqual(usernameTaken);
      expect(await cell("SELECT count(*) FROM users")).toBe(count);
    },
  );

  test.each(["abc", "0-9", "a._-", "x".repeat(32)])("takes the name %s", async (username) => {
    expect((await signUp(username)).status).toBe(201);
  });

  test.each([
    "",
    "ab",
    "x".repeat(33),
    ".abc",
    "-abc",
    "_abc",
    "a bc",
    " abc",
    "abc ",
    "abc\n",
    "a@bc",
    "müller",
    "аbc",
    "a\u0000bc",
  ])("refuses the name %j", async (username) => {
    const response = await signUp(username);
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject(invalidAt("/username"));
  });

  test.each([
    ["common", "password123"],
    ["common in another case", "PassWord123"],
    ["the user name", "weakling"],
    ["one that holds the user name", "my-weakling-2026"],
    ["one that holds the user name in another case", "my-WEAKling-2026"],
  ])("refuses a weak password: %s", async (_what, password) => {
    const response = await signUp("Weakling", password);
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject(weakPassword("/password"));
    expect(await cell("SELECT count(*) FROM users WHERE username_key = 'weakling'")).toBe(0);
  });

  test.each([
    ["a part of a common one", "assword123"],
    ["one that holds a common one", "my-password123"],
  ])("takes %s as a password", async (_what, password) => {
    const response = await signUp(`user-${password}`.slice(0, 16), password);
    expect(response.status).toBe(201);
  });

  test.each([
    ["seven letters", "zk4#qwp"],
    ["seven emoji, which are fourteen UTF-16 units", "🦊🐙🦉🐝🦋🐢🦀"],
    ["257 letters", "zk4#".repeat(65).slice(0, 257)],
    ["257 emoji", "🦊".repeat(257)],
    ["a control character", "correct\thorse"],
    ["a NUL", "correct\u0000horse"],
  ])("refuses a password of %s", async (_what, password) => {
    const response = await signUp("lengths", password);
    expect(response.status).toBe(422);
    const problem = await problemOf(response);
    expect(problem).toMatchObject(invalidAt("/password"));
    expect(JSON.stringify(problem)).not.toContain(password);
  });

  test("refuses a password with a lone surrogate, which would collide with U+FFFD", async () => {
    // JSON.stringify writes a lone surrogate as an escape, so it is sent unchanged.
    const response = await signUp("surrogate", "correct \uD800 horse");
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject(invalidAt("/password"));
  });

  test.each([
    ["eight letters", "zk4#qwpj"],
    ["eight emoji", "🦊🐙🦉🐝🦋🐢🦀🐡"],
    ["256 letters", "zk4#".repeat(64)],
    ["256 emoji, which are 1024 bytes", "🦊🐙🦉🐝".repeat(64)],
    ["eight spaces", " ".repeat(8)],
  ])("takes a password of %s, and it logs in", async (what, password) => {
    const username = `fits-${Bun.hash(what).toString(36)}`;
    expect((await signUp(username, password)).status).toBe(201);
    expect((await logIn(username, password)).status).toBe(200);
  });

  test("refuses what is no password before it looks whether the name is taken", async () => {
    await signUp("order-1");
    expect((await signUp("order-1", "short")).status).toBe(422);
    expect((await signUp("order-1", "password123")).status).toBe(422);
  });

  test("takes another least length from PASSWORD_MIN_LENGTH", async () => {
    const strict = await startService({ PASSWORD_MIN_LENGTH: "12" });
    try {
      const attempt = (password: string) =>
        strict.call("POST", "/users/sign-up", { json: { username: "mina", password } });
      expect((await attempt("zk4#qwpjr!x")).status).toBe(422);
      expect((await attempt("zk4#qwpjr!xy")).status).toBe(201);
    } finally {
      await strict.stop();
    }
  });
});

describe("a password is used exactly as it was sent", () => {
  const long = "🦊🐙🦉🐝".repeat(63);
  test.each([
    ["spaces around it", "  correct horse  ", "correct horse"],
    ["its case", "Correct Horse", "correct horse"],
    ["a decomposed letter", "cafe\u0301 au lait", "caf\u00e9 au lait"],
    ["a composed letter", "caf\u00e9 au lait", "cafe\u0301 au lait"],
    ["a compatibility form", "correct \uFB01sh", "correct fish"],
    ["its last character of 256", `${long}abcd`, `${long}abce`],
    ["an invisible character", "correct\u200Bhorse", "correcthorse"],
    ["a replacement character", "correct \uFFFD horse", "correct ? horse"],
  ])("with %s", async (what, password, other) => {
    const username = `exact-${Bun.hash(what).toString(36)}`;
    await signUp(username, password);
    expect((await logIn(username, other)).status).toBe(401);
    expect((await logIn(username, password)).status).toBe(200);
  });
});

describe("me", () => {
  test("is the user: id, name as typed, no e-mail address yet, and since when", async () => {
    const { id, token } = await service.user("Me-Myself");
    const response = await me(token);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const user = await response.json();
    expect(user).toEqual({
      id,
      username: "Me-Myself",
      email: null,
      created_at: expect.stringMatching(MOMENT),
    });
    expect(Math.abs(Date.parse(user.created_at) - service.services.clock())).toBeLessThan(60_000);
  });
});

describe("a password change", () => {
  test("ends every other session at once, keeps this one, and the old password no longer logs in", async () => {
    const { username, token, refresh_token } = await service.user();
    const other = await service.logIn(username);
    const response = await changePassword(token, PASSWORD, OTHER_PASSWORD);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("pragma")).toBe("no-cache");
    const tokens = await response.json();
    expect(tokens).toEqual({
      access_token: expect.any(String),
      token_type: "bearer",
      expires_in: 1800,
      refresh_token: expect.any(String),
    });

    expect((await me(other.token)).status).toBe(401);
    expect((await refresh(other.refresh_token)).status).toBe(401);

    for (const each of [token, tokens.access_token]) expect((await me(each)).status).toBe(200);
    const { sessions } = await (await service.call("GET", "/users/me/sessions", { token })).json();
    expect(sessions).toMatchObject([{ current: true }]);
    expect((await refresh(tokens.refresh_token)).status).toBe(200);

    expect((await logIn(username, PASSWORD)).status).toBe(401);
    expect((await logIn(username, OTHER_PASSWORD)).status).toBe(200);
    expect(refresh_token).not.toBe(tokens.refresh_token);
  });

  // A thief of the old token must not get into the new session through the leeway for lost answers.
  test.each([0, 1])(
    "leaves no leeway to the refresh token before it (%i refreshes ago)",
    async (ago) => {
      const { token, refresh_token: first } = await service.user();
      const { refresh_token: second } = await (await refresh(first)).json();
      expect((await changePassword(token, PASSWORD, OTHER_PASSWORD)).status).toBe(200);
      const stolen = ago === 0 ? second : first;
      expect((await refresh(stolen)).status).toBe(401);
      // It was used again, and this ends the session.
      expect((await me(token)).status).toBe(401);
    },
  );

  test("leaves other users' sessions alone", async () => {
    const bystander = await service.user();
    const { token } = await service.user();
    expect((await changePassword(token, PASSWORD, OTHER_PASSWORD)).status).toBe(200);
    expect((await me(bystander.token)).status).toBe(200);
  });

  test("tells the verified address, if there is one", async () => {
    const { token, username } = await service.user();
    expect((await changePassword(token, PASSWORD, OTHER_PASSWORD)).status).toBe(200);
    const email = `${username}@example.com`;
    await service.call("POST", "/users/email/otp", { token, json: { email } });
    const otp = await service.nextOtp(email);
    await service.call("POST", "/users/email/otp/verify", { token, json: { otp } });
    expect(await service.mails()).toEqual([]);
    await expectWrong(await changePassword(token, PASSWORD, PASSWORD));
    expect(await service.mails()).toEqual([]);
    expect((await changePassword(token, OTHER_PASSWORD, PASSWORD)).status).toBe(200);
    const { subject, text } = await service.nextMail(email);
    expect(subject).toBe("Your password was changed");
    expect(`${subject} ${text}`).not.toContain(username);
  });

  test("may set the same password again", async () => {
    const { username, token } = await service.user();
    expect((await changePassword(token, PASSWORD, PASSWORD)).status).toBe(200);
    expect((await logIn(username, PASSWORD)).status).toBe(200);
  });

  describe("that is refused changes nothing", () => {
    let user: Awaited<ReturnType<Service["user"]>>;
    let other: Awaited<ReturnType<Service["logIn"]>>;

    beforeAll(async () => {
      user = await service.user("Changer");
      other = await service.logIn(user.username);
    });

    test.each([
      ["the current password is wrong", "wrong horse battery", OTHER_PASSWORD, wrongPassword],
      [
        "the current password is in another case",
        PASSWORD.toUpperCase(),
        OTHER_PASSWORD,
        wrongPassword,
      ],
      ["the new one is common", PASSWORD, "password123", weakPassword("/new_password")],
      [
        "the new one is common, in capitals",
        PASSWORD,
        "PASSWORD123",
        weakPassword("/new_password"),
      ],
      ["the new one holds the user name", PASSWORD, "a cHANGER of", weakPassword("/new_password")],
      ["the new one is too short", PASSWORD, "zk4#qwp", invalidAt("/new_password")],
      ["the new one is too long", PASSWORD, "🦊".repeat(257), invalidAt("/new_password")],
      [
        "the new one is weak and the current one wrong: values come first",
        "wrong horse battery",
        "password123",
        weakPassword("/new_password"),
      ],
    ])("since %s", async (_why, current, next, expected) => {
      const hash = await passwordHash(user.id);
      const response = await changePassword(user.token, current, next);
      expect(response.status).toBe(expected.status);
      expect(await problemOf(response)).toMatchObject(expected);
      expect(await passwordHash(user.id)).toBe(hash);
      expect((await me(other.token)).status).toBe(200);
    });

    test("since there is no good token: that comes before the values", async () => {
      const hash = await passwordHash(user.id);
      const response = await changePassword("nonsense", "", "");
      expect(response.status).toBe(401);
      expect(await passwordHash(user.id)).toBe(hash);
    });

    test("since the session has ended", async () => {
      const { token } = await service.logIn(user.username);
      await service.call("POST", "/users/log-out", { token });
      const hash = await passwordHash(user.id);
      expect((await changePassword(token, PASSWORD, OTHER_PASSWORD)).status).toBe(401);
      expect(await passwordHash(user.id)).toBe(hash);
    });
  });
});

describe("deletion of the user", () => {
  test("takes the todos and the sessions along, from the tables too", async () => {
    const bystander = await service.user();
    const { id, username, token, refresh_token } = await service.user("Leaver");
    const other = await service.logIn(username);
    for (const each of [token, bystander.token]) {
      await service.call("POST", "/todos", { token: each, json: { contents: "Buy milk" } });
    }
    const rowsOf = async (user_id: number) => ({
      users: await cell("SELECT count(*) FROM users WHERE id = ?", [user_id]),
      sessions: await cell("SELECT count(*) FROM sessions WHERE user_id = ?", [user_id]),
      todos: await cell("SELECT count(*) FROM todos WHERE user_id = ?", [user_id]),
    });
    expect(await rowsOf(id)).toEqual({ users: 1, sessions: 2, todos: 1 });

    const response = await deleteMe(token, PASSWORD);
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(await rowsOf(id)).toEqual({ users: 0, sessions: 0, todos: 0 });
    expect(await rowsOf(bystander.id)).toEqual({ users: 1, sessions: 1, todos: 1 });

    for (const each of [token, other.token]) {
      const refused = await service.call("GET", "/todos", { token: each });
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toBe(
        'Bearer realm="todos", error="invalid_token"',
      );
    }
    expect((await deleteMe(token, PASSWORD)).status).toBe(401);
    const refreshed = await service.call("POST", "/users/refresh", { json: { refresh_token } });
    expect(refreshed.status).toBe(401);
    expect((await logIn(username, PASSWORD)).status).toBe(401);
  });

  test("frees the name but never the id: an old token does not fit the new user", async () => {
    const { id, token } = await service.user("Phoenix");
    // The highest id of all: without AUTOINCREMENT, SQLite would use it again.
    expect(await cell("SELECT max(id) FROM users")).toBe(id);
    expect((await deleteMe(token, PASSWORD)).status).toBe(204);
    const again = await service.user("phoenix");
    expect(again.id).toBeGreaterThan(id);
    expect((await me(token)).status).toBe(401);
    expect((await (await me(again.token)).json()).username).toBe("phoenix");
  });

  test.each([
    ["the password is wrong", "wrong horse battery", wrongPassword],
    ["there is no password", "", invalidAt("/password")],
  ])("is refused when %s, and nothing goes", async (_why, password, expected) => {
    const { token } = await service.user();
    const response = await deleteMe(token, password);
    expect(response.status).toBe(expected.status);
    expect(await problemOf(response)).toMatchObject(expected);
    expect((await me(token)).status).toBe(200);
  });

  test("is refused without a token before the password is looked at", async () => {
    const response = await service.call("DELETE", "/users/me", { json: { password: "" } });
    expect(response.status).toBe(401);
  });
});
