/**
 * The log of security events: one line for each, with the user's id and the client's address, and never a name, an
 * e-mail address or a code.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import { times } from "../parallel.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

const WRONG = "wrong horse battery";
const NEW_PASSWORD = "staple battery correct";

let service: Service;
let logged: LogRecord[] = [];

beforeAll(async () => {
  service = await startService({ TRUST_PROXY: "1", SIGN_UPS_PER_HOUR: "3" });
  service.stopClock();
  configureSync({
    reset: true,
    sinks: { memory: (record) => logged.push(record) },
    loggers: [
      { category: "todos", lowestLevel: "debug", sinks: ["memory"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
  });
});
afterAll(async () => {
  resetSync();
  await service.stop();
});
beforeEach(() => {
  logged = [];
});

let hosts = 0;
const newHost = () => ({ "x-forwarded-for": `198.51.100.${++hosts}` });
type Host = ReturnType<typeof newHost>;

const logIn = (username: string, password: string, headers: Host) =>
  service.call("POST", "/users/log-in", { json: { username, password }, headers });

async function newUser(username: string, headers = newHost()) {
  const json = { username, password: PASSWORD };
  const { id } = await (await service.call("POST", "/users/sign-up", { json, headers })).json();
  const tokens = await (await logIn(username, PASSWORD, headers)).json();
  const token: string = tokens.access_token;
  const refresh_token: string = tokens.refresh_token;
  return { id, username, token, refresh_token };
}

/**
 * The security events so far: for which user, from which address, in which request. Asserts what must be true of every
 * line.
 */
function events(secrets: string[] = []) {
  const records = logged.filter(({ category }) => category[1] === "security");
  const text = logged.map((record) => Bun.inspect(record, { depth: 9 })).join();
  for (const secret of [PASSWORD, WRONG, NEW_PASSWORD, "@example.com", ...secrets]) {
    expect(text).not.toContain(secret);
  }
  return records.map(({ level, properties }) => {
    expect(level).toBe("warning");
    expect(properties.request_id).toMatch(/^[\w-]{36}$/);
    const { event, user_id, ip } = properties;
    return { event, user_id, ip };
  });
}

describe("a line at warning", () => {
  test("for each failed log-in over the free five, judged or not", async () => {
    const { id, username } = await newUser("failing");
    const host = newHost();
    const ip = host["x-forwarded-for"];
    await times(5, () => logIn(username, WRONG, host));
    expect(events([username])).toEqual([]);
    await logIn(username, PASSWORD, host);
    service.passSeconds(30);
    await logIn(username, WRONG, host);
    const line = { event: "too_many_failures", user_id: id, ip };
    expect(events([username])).toEqual([line, line]);
  });

  test("without a user, for a name that nobody has", async () => {
    const host = newHost();
    await times(5, () => logIn("nobody-knows", WRONG, host));
    await logIn("nobody-knows", WRONG, host);
    expect(events(["nobody-knows"])).toEqual([
      { event: "too_many_failures", user_id: null, ip: host["x-forwarded-for"] },
    ]);
  });

  test("for a refusal after 100 failures from everywhere", async () => {
    const { id, username } = await newUser("quokka");
    for (let i = 0; i < 20; i++) {
      const host = newHost();
      await times(5, () => logIn(username, WRONG, host));
    }
    const host = newHost();
    await logIn(username, PASSWORD, host);
    expect(events([username])).toEqual([
      { event: "account_refused", user_id: id, ip: host["x-forwarded-for"] },
    ]);
  });

  test("once for a budget that is spent", async () => {
    const host = newHost();
    const signUp = (i: number) => {
      const json = { username: `spender-${i}`, password: PASSWORD };
      return service.call("POST", "/users/sign-up", { json, headers: host });
    };
    for (let i = 0; i < 6; i++) await signUp(i);
    expect(events(["spender"])).toEqual([
      { event: "budget_spent", user_id: null, ip: host["x-forwarded-for"] },
    ]);
    service.passSeconds(3600);
    for (let i = 6; i < 12; i++) await signUp(i);
    expect(events()).toHaveLength(2);
  });

  test("for a refresh token that is used again", async () => {
    const { id, refresh_token } = await newUser("refreshing");
    const host = newHost();
    const refresh = () =>
      service.call("POST", "/users/refresh", { json: { refresh_token }, headers: host });
    expect((await refresh()).status).toBe(200);
    expect((await refresh()).status).toBe(200);
    expect(events()).toEqual([]);
    service.passSeconds(11);
    expect((await refresh()).status).toBe(401);
    const line = { event: "refresh_token_reused", user_id: id, ip: host["x-forwarded-for"] };
    expect(events([refresh_token])).toEqual([line]);
    // The session has ended, so this is no event any more.
    expect((await refresh()).status).toBe(401);
    expect(events()).toEqual([line]);
  });

  test("for a verified address, a change of password and a reset", async () => {
    const { id, username, token } = await newUser("changing");
    const headers = newHost();
    const ip = headers["x-forwarded-for"];
    const email = "changing@example.com";
    await service.call("POST", "/users/email/otp", { token, json: { email }, headers });
    const digits = await service.nextOtp(email);
    const verification = { token, json: { otp: digits }, headers };
    await service.call("POST", "/users/email/otp/verify", verification);
    const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
    await service.call("PUT", "/users/me/password", { token, json: change, headers });
    await service.nextMail(email);
    await service.call("POST", "/users/password/otp", { json: { email }, headers });
    const code = await service.nextOtp(email);
    const json = { email, otp: code, new_password: PASSWORD };
    await service.call("POST", "/users/password/reset", { json, headers });
    await service.mails();
    expect(events([username, digits, code])).toEqual([
      { event: "email_changed", user_id: id, ip },
      { event: "password_changed", user_id: id, ip },
      { event: "password_reset", user_id: id, ip },
    ]);
  });
});
