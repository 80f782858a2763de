/** Log-in, refresh with rotation, log-out, and the list of sessions. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { InArgs } from "@libsql/core/api";
import { hash } from "@node-rs/argon2";
import { createTokenSigner } from "../../src/auth/tokens.ts";
import { expectProblem, whole } from "../http/answers.ts";
import { times } from "../parallel.ts";
import { type CallOptions, PASSWORD, type Service, startService } from "../service.ts";

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const DAY = 24 * 3600;
const ENDED = 'Bearer realm="todos", error="invalid_token"';

type User = Awaited<ReturnType<Service["user"]>>;

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service.stop());

const logIn = (username: string, password = PASSWORD, options: CallOptions = {}) =>
  service.call("POST", "/users/log-in", { json: { username, password }, ...options });

const refresh = (refresh_token: string) =>
  service.call("POST", "/users/refresh", { json: { refresh_token } });

/** The tokens from a refresh. */
async function refreshed(refresh_token: string) {
  const response = await refresh(refresh_token);
  expect(response.status).toBe(200);
  return response.json();
}

const me = (token: string) => service.call("GET", "/users/me", { token });

const isLive = async (token: string) => (await me(token)).status === 200;

async function listSessions(token: string) {
  const response = await service.call("GET", "/users/me/sessions", { token });
  expect(response.status).toBe(200);
  return (await response.json()).sessions;
}

/** The header and the claims of a JWT. The signature is not checked. */
function decode(jwt: string) {
  const [header, claims] = jwt
    .split(".")
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
  return { header, claims };
}

/** The first column of the first row. */
async function cell(sql: string, args: InArgs = []) {
  const { rows } = await service.services.database.$client.execute({ sql, args });
  return rows[0]?.[0];
}

const tokensShape = {
  access_token: expect.stringMatching(JWT),
  token_type: "bearer",
  expires_in: 1800,
  refresh_token: expect.stringMatching(JWT),
};

function expectNotStored({ headers }: Response) {
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("pragma")).toBe("no-cache");
}

describe("log-in", () => {
  let user: User;

  beforeAll(async () => {
    user = await service.user("Log-In.User");
  });

  test("answers with Tokens that are not to be stored", async () => {
    const response = await logIn(user.username);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toStartWith("application/json");
    expectNotStored(response);
    expect(await response.json()).toEqual(tokensShape);
  });

  test.each(["log-in.user", "LOG-IN.USER", "Log-In.User"])(
    "takes the user name in any case: %s",
    async (username) => {
      const response = await logIn(username);
      expect(response.status).toBe(200);
      const { access_token } = await response.json();
      expect((await (await me(access_token)).json()).username).toBe("Log-In.User");
    },
  );

  test("begins a session of its own each time", async () => {
    const one = decode((await service.logIn(user.username)).token).claims;
    const other = decode((await service.logIn(user.username)).token).claims;
    expect(one.sid).not.toBe(other.sid);
    expect(one.jti).not.toBe(other.jti);
  });

  test("answers an unknown user as it does a wrong password, byte for byte", async () => {
    const headers = { "x-request-id": "the-same" };
    const wrong = await whole(await logIn(user.username, "wrong horse battery", { headers }));
    const unknown = await whole(await logIn("nobody", PASSWORD, { headers }));
    expect(unknown).toEqual(wrong);
    expect(wrong.status).toBe(401);
    expect(JSON.parse(wrong.body)).toEqual({
      type: "about:blank",
      title: "Unauthorized",
      status: 401,
      code: "invalid_credentials",
      detail: "The user name or the password is wrong.",
      instance: "urn:request:",
    });
    expect(new Headers(wrong.headers).get("www-authenticate")).toBe('Bearer realm="todos"');
  });

  test.each([` Log-In.User`, `Log-In.User `, "log-in", "%", "Log-In.Use_"])(
    "knows no user %j",
    async (username) => expectProblem(await logIn(username), [401, "invalid_credentials"]),
  );

  test("begins no session when it is refused", async () => {
    const count = await cell("SELECT count(*) FROM sessions");
    await logIn(user.username, "wrong horse battery");
    await logIn("nobody");
    expect(await cell("SELECT count(*) FROM sessions")).toBe(count);
  });

  test("renews a hash that was made with weaker parameters, and goes on logging in", async () => {
    const hashOf = (id: number) => cell("SELECT password_hash FROM users WHERE id = ?", [id]);
    const { id, username, token } = await service.user();
    const weak = await hash(PASSWORD, { memoryCost: 4096, timeCost: 1, parallelism: 2 });
    await cell("UPDATE users SET password_hash = ? WHERE id = ?", [weak, id]);

    expect((await logIn(username, "wrong horse battery")).status).toBe(401);
    expect(await hashOf(id)).toBe(weak);

    expect((await logIn(username)).status).toBe(200);
    const renewed = await hashOf(id);
    expect(renewed).not.toBe(weak);

    expect((await logIn(username)).status).toBe(200);
    expect(await hashOf(id)).toBe(renewed);
    expect((await logIn(username, "wrong horse battery")).status).toBe(401);
    expect(await isLive(token)).toBe(true);
  });

  test("refuses none of several at once that find a weaker hash", async () => {
    const { id, username } = await service.user();
    const weak = await hash(PASSWORD, { memoryCost: 4096, timeCost: 1, parallelism: 1 });
    await cell("UPDATE users SET password_hash = ? WHERE id = ?", [weak, id]);
    const answers = await Promise.all(Array.from({ length: 6 }, () => logIn(username)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
  });
});

describe("an access token", () => {
  test("is a JWT as RFC 9068 has it, for half an hour", async () => {
    const { id, token } = await service.user();
    const { header, claims } = decode(token);
    expect(header).toEqual({
      alg: "HS256",
      typ: "at+jwt",
      kid: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(claims).toEqual({
      iss: "todos",
      aud: "todos",
      sub: String(id),
      sid: expect.stringMatching(/^[\w-]{22}$/),
      iat: expect.any(Number),
      exp: expect.any(Number),
      jti: expect.any(String),
    });
    // The two clocks may be read before and after a full second.
    expect(Math.abs(claims.exp - claims.iat - 1800)).toBeLessThanOrEqual(1);
    expect(Math.abs(claims.iat - Date.now() / 1000)).toBeLessThan(60);
  });

  test("names its session, whose id is in the list", async () => {
    const { token } = await service.user();
    const [session] = await listSessions(token);
    expect(session.id).toBe(decode(token).claims.sid);
  });

  test("is no refresh token, nor the other way round", async () => {
    const { token, refresh_token } = await service.user();
    await expectProblem(await refresh(token), [401, "invalid_refresh_token"]);
    const response = await me(refresh_token);
    expect(response.headers.get("www-authenticate")).toBe(ENDED);
    await expectProblem(response, [401, "unauthorized"]);
    // Neither attempt has ended the session.
    expect(await isLive(token)).toBe(true);
    await refreshed(refresh_token);
  });
});

describe("with time", () => {
  // Here the clock moves, so each test begins with a log-in.
  let user: User;
  let home: Service;

  beforeAll(async () => {
    home = service;
    service = await startService();
    user = await service.user();
  });

  afterAll(async () => {
    await service.stop();
    service = home;
  });

  test("an access token is refused after half an hour, and a refresh gives the next", async () => {
    const { token, refresh_token } = await service.logIn(user.username);
    service.passSeconds(1790);
    expect(await isLive(token)).toBe(true);
    service.passSeconds(11);
    const response = await me(token);
    expect(response.headers.get("www-authenticate")).toBe(ENDED);
    await expectProblem(response, [401, "unauthorized"]);
    const { access_token } = await refreshed(refresh_token);
    expect(await isLive(access_token)).toBe(true);
  });

  test("a refresh replaces both tokens, and what it gave is the next to refresh", async () => {
    const first = await service.logIn(user.username);
    const response = await refresh(first.refresh_token);
    expect(response.status).toBe(200);
    expectNotStored(response);
    const second = await response.json();
    expect(second).toEqual(tokensShape);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(second.access_token).not.toBe(first.token);
    expect(decode(second.access_token).claims.sid).toBe(decode(first.token).claims.sid);
    service.passSeconds(DAY);
    const third = await refreshed(second.refresh_token);
    expect(third.refresh_token).not.toBe(second.refresh_token);
    expect(await isLive(third.access_token)).toBe(true);
  });

  test("sent again within 10 s, a refresh token gets the very same successor", async () => {
    const { refresh_token } = await service.logIn(user.username);
    const first = await refreshed(refresh_token);
    const again = await refreshed(refresh_token);
    service.passSeconds(9);
    const late = await refreshed(refresh_token);
    expect(again.refresh_token).toBe(first.refresh_token);
    expect(late.refresh_token).toBe(first.refresh_token);
    for (const { access_token } of [first, again, late]) {
      expect(await isLive(access_token)).toBe(true);
    }
    await refreshed(first.refresh_token);
  });

  test.each([
    ["the one before, after 10 s", [11], 0],
    ["the one before, 10 s after its first use and not its last", [6, 5], 0],
    ["the one before that, even within 10 s", [], 1],
  ])("an old refresh token ends the session: %s", async (_which, waits, refreshes) => {
    const { token, refresh_token } = await service.logIn(user.username);
    let newest = await refreshed(refresh_token);
    for (let i = 0; i < refreshes; i++) newest = await refreshed(newest.refresh_token);
    for (const [i, seconds] of waits.entries()) {
      if (i > 0) expect((await refresh(refresh_token)).status).toBe(200);
      service.passSeconds(seconds);
    }

    const response = await refresh(refresh_token);
    expectNotStored(response);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="todos"');
    await expectProblem(response, [401, "invalid_refresh_token"]);

    expect((await refresh(newest.refresh_token)).status).toBe(401);
    expect(await isLive(newest.access_token)).toBe(false);
    expect(await isLive(token)).toBe(false);
  });

  test("that ends no other session of the user", async () => {
    const other = await service.logIn(user.username);
    const { refresh_token } = await service.logIn(user.username);
    await refreshed((await refreshed(refresh_token)).refresh_token);
    expect((await refresh(refresh_token)).status).toBe(401);
    expect(await isLive(other.token)).toBe(true);
  });

  test("a session ends 30 days after the log-in, however often it was refreshed", async () => {
    let { refresh_token } = await service.logIn(user.username);
    const { exp } = decode(refresh_token).claims;
    expect(Math.abs(exp - service.services.clock() / 1000 - 30 * DAY)).toBeLessThan(60);
    for (let fortnight = 0; fortnight < 2; fortnight++) {
      service.passSeconds(14 * DAY);
      ({ refresh_token } = await refreshed(refresh_token));
      expect(decode(refresh_token).claims.exp).toBe(exp);
    }
    service.passSeconds(2 * DAY - 100);
    // 100 seconds are left: no token outlives its session.
    const last = await refreshed(refresh_token);
    expect(last.expires_in).toBeLessThanOrEqual(100);
    expect(last.expires_in).toBeGreaterThan(40);
    expect(decode(last.access_token).claims.exp).toBeLessThanOrEqual(exp);
    expect(decode(last.refresh_token).claims.exp).toBe(exp);
    expect(await isLive(last.access_token)).toBe(true);
    service.passSeconds(101);
    expect(await isLive(last.access_token)).toBe(false);
    await expectProblem(await refresh(last.refresh_token), [401, "invalid_refresh_token"]);
  });

  test("an expired session is neither listed nor there to end", async () => {
    const [expiring] = await listSessions((await service.logIn(user.username)).token);
    service.passSeconds(20 * DAY);
    const later = await service.logIn(user.username);
    expect((await listSessions(later.token)).length).toBeGreaterThan(1);
    service.passSeconds(11 * DAY);
    const { access_token: token } = await refreshed(later.refresh_token);
    expect(await cell("SELECT count(*) FROM sessions WHERE id = ?", [expiring.id])).toBe(1);
    expect(await listSessions(token)).toMatchObject([{ id: decode(token).claims.sid }]);
    const ended = await service.call("DELETE", `/users/me/sessions/${expiring.id}`, { token });
    await expectProblem(ended, [404, "session_not_found"]);
  });

  test("a session that has expired lets no access token in, even one that has not", async () => {
    const { token, refresh_token } = await service.logIn(user.username);
    const { sid } = decode(token).claims;
    await cell("UPDATE sessions SET expires_at = ? WHERE id = ?", [service.services.clock(), sid]);
    expect(await isLive(token)).toBe(false);
    expect((await service.call("GET", "/todos", { token })).status).toBe(401);
    expect((await refresh(refresh_token)).status).toBe(401);
  });

  test("a log-in sweeps expired sessions from the table", async () => {
    for (let i = 0; i < 3; i++) await service.logIn(user.username);
    service.passSeconds(31 * DAY);
    // Each log-in deletes a few rows. Earlier tests may have left more than that.
    for (let i = 0; i < 4; i++) await service.logIn(user.username);
    expect(await cell("SELECT count(*) FROM sessions")).toBe(4);
  });

  test("the list is newest first; a refresh moves last_used_at alone", async () => {
    const { id, username, refresh_token } = await service.user();
    service.passSeconds(60);
    const { token } = await service.logIn(username);
    service.passSeconds(60);
    await service.logIn(username);
    const before = await listSessions(token);
    const times = before.map(({ created_at }: { created_at: string }) => Date.parse(created_at));
    expect(times).toHaveLength(3);
    expect(times[0] - times[1]).toBeGreaterThanOrEqual(60_000);
    expect(times[1] - times[2]).toBeGreaterThanOrEqual(60_000);
    expect(await cell("SELECT count(*) FROM sessions WHERE user_id = ?", [id])).toBe(3);

    await refreshed(refresh_token);
    const [newest, current, oldest] = await listSessions(token);
    expect([newest, current]).toEqual(before.slice(0, 2));
    expect(oldest).toEqual({ ...before[2], last_used_at: expect.stringMatching(MOMENT) });
    expect(Date.parse(oldest.last_used_at)).toBeGreaterThanOrEqual(times[2] + 120_000);
  });
});

test("the lifetimes are settings", async () => {
  const short = await startService({
    ACCESS_TOKEN_TTL: "60",
    REFRESH_TOKEN_TTL: "90",
    REFRESH_LEEWAY: "30",
  });
  try {
    const { username } = await short.user();
    const attempt = (refresh_token: string) =>
      short.call("POST", "/users/refresh", { json: { refresh_token } });
    const json = { username, password: PASSWORD };
    const tokens = await (await short.call("POST", "/users/log-in", { json })).json();
    expect(tokens.expires_in).toBe(60);
    const next = await (await attempt(tokens.refresh_token)).json();
    short.passSeconds(29);
    expect((await (await attempt(tokens.refresh_token)).json()).refresh_token).toBe(
      next.refresh_token,
    );
    short.passSeconds(32);
    const { status } = await short.call("GET", "/users/me", { token: tokens.access_token });
    expect(status).toBe(401);
    expect((await (await attempt(next.refresh_token)).json()).expires_in).toBeLessThanOrEqual(29);
    short.passSeconds(30);
    expect((await attempt(next.refresh_token)).status).toBe(401);
  } finally {
    await short.stop();
  }
});

describe("a user's live sessions", () => {
  test("are 100 at most: the next log-in ends the one used least recently", async () => {
    const many = await startService();
    many.stopClock();
    try {
      const user = await many.user();
      const sessions = [{ token: user.token, refresh_token: user.refresh_token }];
      while (sessions.length < 100) {
        many.passSeconds(1);
        sessions.push(await many.logIn(user.username));
      }
      // The first session is used again, so the second one is now the next to end.
      many.passSeconds(1);
      const { refresh_token = "" } = sessions[0] ?? {};
      const refreshed = await many.call("POST", "/users/refresh", { json: { refresh_token } });
      expect(refreshed.status).toBe(200);
      const bystander = await many.user();
      const isLive = async ({ token }: { token: string }) =>
        (await many.call("GET", "/users/me", { token })).status === 200;
      for (let i = 1; i <= 2; i++) {
        many.passSeconds(1);
        const latest = await many.logIn(user.username);
        expect(await isLive(latest)).toBe(true);
        const list = await many.call("GET", "/users/me/sessions", { token: latest.token });
        expect((await list.json()).sessions).toHaveLength(100);
      }
      const live = await Promise.all(sessions.map(isLive));
      expect(live).toEqual(live.map((_, i) => i !== 1 && i !== 2));
      expect(await isLive(bystander)).toBe(true);
    } finally {
      await many.stop();
    }
  });

  test("of one second stay 100 when 120 log-ins come at once", async () => {
    const many = await startService();
    many.stopClock();
    try {
      const { username, id } = await many.user();
      const json = { username, password: PASSWORD };
      const logIn = () => many.call("POST", "/users/log-in", { json });
      const answers = [...(await times(60, logIn)), ...(await times(60, logIn))];
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      const { rows } = await many.services.database.$client.execute(
        `SELECT count(*) FROM sessions WHERE user_id = ${id}`,
      );
      expect(rows[0]?.[0]).toBe(100);
      const { access_token: token } = await (await logIn()).json();
      expect((await many.call("GET", "/users/me", { token })).status).toBe(200);
    } finally {
      await many.stop();
    }
  });
});

describe("refresh", () => {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const otherSecret = "another secret, and long enough too";
  const foreign = createTokenSigner(
    {
      keys: [{ id: "another", key: new TextEncoder().encode(otherSecret) }],
      issuer: "todos",
      audience: "todos",
    },
    Date.now,
  );

  /** Makes the same token with other claims, signed by the service's own key. */
  const signed = (change: object) => (token: string) => {
    const { sid, gen, exp } = { ...decode(token).claims, ...change };
    const expires_at = new Date(exp * 1000).toISOString();
    return service.services.tokens.signRefresh({ session_id: sid, generation: gen }, expires_at);
  };

  test.each<[what: string, forge: (token: string) => string | Promise<string>]>([
    ["no JWT", () => "nonsense"],
    [
      "a JWT of another secret",
      (token) => {
        const { sid, gen, exp } = decode(token).claims;
        const expires_at = new Date(exp * 1000).toISOString();
        return foreign.signRefresh({ session_id: sid, generation: gen }, expires_at);
      },
    ],
    ["one with another signature", (token) => token.replace(/[\w-]+$/, "A".repeat(43))],
    ["one without a signature", (token) => token.replace(/[\w-]+$/, "")],
    [
      "one with another generation",
      (token) => {
        const [header, , signature] = token.split(".");
        return [header, encode({ ...decode(token).claims, gen: 1 }), signature].join(".");
      },
    ],
    ["one whose generation is no exact integer", signed({ gen: 1e300 })],
    ["one whose session has a NUL", signed({ sid: "\0" })],
    [
      "one that says it needs no signature",
      (token) => `${encode({ alg: "none", typ: "rt+jwt" })}.${token.split(".")[1]}.`,
    ],
  ])("refuses %s, and the session lives on", async (_what, forge) => {
    const { refresh_token, token } = await service.user();
    const response = await refresh(await forge(refresh_token));
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="todos"');
    await expectProblem(response, [401, "invalid_refresh_token"]);
    expect(await isLive(token)).toBe(true);
    await refreshed(refresh_token);
  });
});

describe("log-out", () => {
  test("ends the session on the very next request, and no other", async () => {
    const { username, token, refresh_token } = await service.user();
    const other = await service.logIn(username);
    const response = await service.call("POST", "/users/log-out", { token });
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");

    const refused = await me(token);
    expect(refused.headers.get("www-authenticate")).toBe(ENDED);
    await expectProblem(refused, [401, "unauthorized"]);
    await expectProblem(await refresh(refresh_token), [401, "invalid_refresh_token"]);
    expect((await service.call("POST", "/users/log-out", { token })).status).toBe(401);
    expect(await isLive(other.token)).toBe(true);
    expect(await listSessions(other.token)).toHaveLength(1);
  });

  test("refuses every route with a bearer afterwards", async () => {
    const { token } = await service.user();
    await service.call("POST", "/users/log-out", { token });
    const requests: [method: string, path: string, json?: object][] = [
      ["GET", "/users/me"],
      ["PUT", "/users/me/password", { current_password: PASSWORD, new_password: "zk4#qwpj" }],
      ["DELETE", "/users/me", { password: PASSWORD }],
      ["GET", "/users/me/sessions"],
      ["DELETE", "/users/me/sessions"],
      ["DELETE", "/users/me/sessions/x"],
      ["GET", "/todos"],
      ["POST", "/todos", { contents: "Buy milk" }],
      ["GET", "/todos/1"],
      ["PATCH", "/todos/1", { is_done: true }],
      ["DELETE", "/todos/1"],
    ];
    for (const [method, path, json] of requests) {
      const response = await service.call(method, path, { token, json });
      expect([method, path, response.status]).toEqual([method, path, 401]);
      expect(response.headers.get("www-authenticate")).toBe(ENDED);
    }
  });
});

describe("the list of sessions", () => {
  test("tells of each: when, until when, from where, and which one asks", async () => {
    const { username, token } = await service.user();
    const headers = { "user-agent": "Toaster/2.0 (kitchen)" };
    const { access_token } = await (await logIn(username, PASSWORD, { headers })).json();

    const response = await service.call("GET", "/users/me/sessions", { token: access_token });
    expect(response.headers.get("cache-control")).toBe("no-store");
    const body = await response.json();
    const session = {
      id: expect.stringMatching(/^[\w-]{22}$/),
      created_at: expect.stringMatching(MOMENT),
      last_used_at: expect.stringMatching(MOMENT),
      expires_at: expect.stringMatching(MOMENT),
      user_agent: expect.any(String),
      ip: "127.0.0.1",
      current: false,
    };
    expect(body).toEqual({
      sessions: [{ ...session, user_agent: "Toaster/2.0 (kitchen)", current: true }, session],
    });
    for (const { created_at, last_used_at, expires_at } of body.sessions) {
      expect(last_used_at).toBe(created_at);
      expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(30 * DAY * 1000);
    }
    const asOther = await listSessions(token);
    expect(asOther).toEqual(
      body.sessions.map((each: { current: boolean }) => ({ ...each, current: !each.current })),
    );
  });

  test.each([
    ["of 256 characters is kept whole", "x".repeat(256), "x".repeat(256)],
    ["of 257 characters is cut at 256", `${"x".repeat(256)}y`, "x".repeat(256)],
    ["of 4000 characters is cut at 256", "xy".repeat(2000), "xy".repeat(128)],
    ["that is empty is null", "", null],
    ["with a control character has a space in its place", "Toaster\t2.0", "Toaster 2.0"],
  ])("a user agent %s", async (_what, sent, kept) => {
    const { username } = await service.user();
    const headers = { "user-agent": sent };
    const { access_token } = await (await logIn(username, PASSWORD, { headers })).json();
    const [session] = await listSessions(access_token);
    expect(session.user_agent).toBe(kept);
  });

  test("has nobody else's sessions", async () => {
    await service.user();
    const { token } = await service.user();
    expect(await listSessions(token)).toHaveLength(1);
  });
});

describe("ending sessions", () => {
  const end = (token: string, id: string, headers = {}) =>
    service.call("DELETE", `/users/me/sessions/${id}`, { token, headers });

  test("one ends at once, and is then no more", async () => {
    const { username, token } = await service.user();
    const other = await service.logIn(username);
    const { sid } = decode(other.token).claims;
    const response = await end(token, sid);
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(await isLive(other.token)).toBe(false);
    expect((await refresh(other.refresh_token)).status).toBe(401);
    expect(await isLive(token)).toBe(true);
    await expectProblem(await end(token, sid), [404, "session_not_found"]);
  });

  test("the one that asks may end itself", async () => {
    const { token } = await service.user();
    expect((await end(token, decode(token).claims.sid)).status).toBe(204);
    expect(await isLive(token)).toBe(false);
  });

  test("another user's is the same 404 as one that never was, and lives on", async () => {
    const victim = await service.user();
    const { token } = await service.user();
    const headers = { "x-request-id": "the-same" };
    const theirs = await whole(await end(token, decode(victim.token).claims.sid, headers));
    const none = await whole(await end(token, "AAAAAAAAAAAAAAAAAAAAAA", headers));
    expect(theirs).toEqual(none);
    expect(theirs.status).toBe(404);
    expect(JSON.parse(theirs.body).code).toBe("session_not_found");
    expect(await isLive(victim.token)).toBe(true);
  });

  test("all end at once, the one that asks too, and nobody else's", async () => {
    const bystander = await service.user();
    const { username, token, refresh_token } = await service.user();
    const other = await service.logIn(username);
    const response = await service.call("DELETE", "/users/me/sessions", { token });
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(await isLive(token)).toBe(false);
    expect(await isLive(other.token)).toBe(false);
    expect((await refresh(refresh_token)).status).toBe(401);
    expect((await refresh(other.refresh_token)).status).toBe(401);
    expect(await isLive(bystander.token)).toBe(true);
    expect((await logIn(username)).status).toBe(200);
  });
});
