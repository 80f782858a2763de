/** The hourly limits of one network over all accounts. The tests use HTTP, and choose the networks themselves. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectProblem } from "../http/answers.ts";
import { tally, times } from "../parallel.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

const LIMIT = 7;
const HOUR = 3600;
const LIMITED = [429, "rate_limited"] as const;

let service: Service;

beforeAll(async () => {
  service = await startService({
    TRUST_PROXY: "1",
    FAILED_LOG_INS_PER_HOUR: String(LIMIT),
    SIGN_UPS_PER_HOUR: String(LIMIT),
    MAILS_PER_HOUR: String(LIMIT),
  });
  service.stopClock();
});
afterAll(() => service.stop());

let hosts = 0;
let names = 0;
const newHost = () => ({ "x-forwarded-for": `198.51.100.${++hosts}` });
const newName = () => `user-${++names}`;
type Host = ReturnType<typeof newHost>;

const signUp = (headers: Host, more: object = {}) =>
  service.call("POST", "/users/sign-up", {
    json: { username: newName(), password: PASSWORD, ...more },
    headers,
  });
const logIn = (username: string, password: string, headers: Host) =>
  service.call("POST", "/users/log-in", { json: { username, password }, headers });
const askReset = (email: string, headers: Host) =>
  service.call("POST", "/users/password/otp", { json: { email }, headers });
const reset = (email: string, headers: Host) =>
  service.call("POST", "/users/password/reset", {
    json: { email, otp: "00000-00000-000", new_password: PASSWORD },
    headers,
  });
/** A user who has signed up and logged in from this network. */
async function userAt(headers: Host) {
  const username = newName();
  const json = { username, password: PASSWORD };
  expect((await service.call("POST", "/users/sign-up", { json, headers })).status).toBe(201);
  const { access_token } = await (await logIn(username, PASSWORD, headers)).json();
  return { username, token: access_token as string };
}

/** Asserts that `answer` is refused, and returns its `Retry-After` in seconds. */
async function expectLimited(answer: Response): Promise<number> {
  await expectProblem(answer, LIMITED);
  return Number(answer.headers.get("retry-after"));
}

async function rowsOf(sql: string): Promise<unknown[][]> {
  const { rows } = await service.services.database.$client.execute(sql);
  return rows.map((row) => Object.values(row));
}

describe("sign-ups of one network", () => {
  test("are refused over the limit, until an hour after the first, and others' are not", async () => {
    const host = newHost();
    expect((await signUp(host)).status).toBe(201);
    service.passSeconds(600);
    expect(tally(await times(LIMIT - 1, () => signUp(host)))).toEqual({ 201: LIMIT - 1 });
    const users = await rowsOf("SELECT count(*) FROM users");
    expect(await expectLimited(await signUp(host))).toBe(HOUR - 600);
    expect(await rowsOf("SELECT count(*) FROM users")).toEqual(users);
    expect((await signUp(newHost())).status).toBe(201);
    service.passSeconds(HOUR - 601);
    expect(await expectLimited(await signUp(host))).toBe(1);
    service.passSeconds(1);
    expect((await signUp(host)).status).toBe(201);
  });

  test("are refused without a trip to the database, once that is known", async () => {
    const host = newHost();
    await times(LIMIT, () => signUp(host));
    await expectLimited(await signUp(host));
    const trips = service.trips();
    for (const answer of await times(20, () => signUp(host))) await expectLimited(answer);
    expect(service.trips()).toBe(trips);
  });

  test("of names that are taken count for nothing", async () => {
    const host = newHost();
    const username = newName();
    expect((await signUp(host, { username })).status).toBe(201);
    expect(tally(await times(2 * LIMIT, () => signUp(host, { username })))).toEqual({
      409: 2 * LIMIT,
    });
    expect((await signUp(host)).status).toBe(201);
  });

  test("at once are as many as one after the other", async () => {
    const host = newHost();
    expect(tally(await times(4 * LIMIT, () => signUp(host)))).toEqual({
      201: LIMIT,
      429: 3 * LIMIT,
    });
  });

  test("are one count for all addresses of an IPv6 /64, and for an IPv4 address in any spelling", async () => {
    const spellings = [
      ["2001:db8:0:9::1", "2001:db8:0:9:ffff::2", "2001:0DB8::9:1:2:3:4"],
      ["203.0.113.99", "::ffff:203.0.113.99", "::ffff:cb00:7163", "0:0:0:0:0:FFFF:203.0.113.99"],
    ];
    for (const addresses of spellings) {
      const answers = await times(3 * LIMIT, (i) =>
        signUp({ "x-forwarded-for": addresses[i % addresses.length] ?? "" }),
      );
      expect(tally(answers)).toEqual({ 201: LIMIT, 429: 2 * LIMIT });
    }
    // Another /64, and an IPv4 address that is mapped in the same way but is different.
    expect((await signUp({ "x-forwarded-for": "2001:db8:0:a::1" })).status).toBe(201);
    expect((await signUp({ "x-forwarded-for": "::ffff:cb00:7164" })).status).toBe(201);
  });
});

describe("failed log-ins of one network", () => {
  test("are refused over the limit, whatever the name, and so is a right password", async () => {
    const host = newHost();
    const { username } = await userAt(newHost());
    expect(tally(await times(LIMIT, () => logIn(newName(), "wrong", host)))).toEqual({
      401: LIMIT,
    });
    expect(await expectLimited(await logIn(newName(), "wrong", host))).toBe(HOUR);
    await expectLimited(await logIn(username, PASSWORD, host));
    const form = { body: new URLSearchParams({ username, password: PASSWORD }), headers: host };
    const token = await service.call("POST", "/token", form);
    expect([token.status, await token.json()]).toEqual([
      429,
      { error: "rate_limited", error_description: expect.stringMatching(/\.$/) },
    ]);
    expect(token.headers.get("retry-after")).toBe(String(HOUR));
    expect((await logIn(username, PASSWORD, newHost())).status).toBe(200);
  });

  test("do not prevent a log-in by a user who has logged in there before", async () => {
    const host = newHost();
    const { username } = await userAt(host);
    await times(LIMIT, () => logIn(newName(), "wrong", host));
    await expectLimited(await logIn(newName(), PASSWORD, host));
    expect((await logIn(username, PASSWORD, host)).status).toBe(200);
  });

  test("count wrong reset codes among them", async () => {
    const host = newHost();
    expect(tally(await times(3, () => reset(`${newName()}@example.com`, host)))).toEqual({
      400: 3,
    });
    await times(LIMIT - 3, () => logIn(newName(), "wrong", host));
    await expectLimited(await reset(`${newName()}@example.com`, host));
    await expectLimited(await logIn(newName(), "wrong", host));
  });

  test("do not keep a user from a reset who has logged in there before", async () => {
    const host = newHost();
    const { username, token } = await userAt(host);
    const email = `${username}@example.com`;
    await service.call("POST", "/users/email/otp", { token, json: { email }, headers: host });
    const otp = await service.nextOtp(email);
    await service.call("POST", "/users/email/otp/verify", { token, json: { otp }, headers: host });
    expect((await askReset(email, host)).status).toBe(202);
    const code = await service.nextOtp(email);
    const resetBy = (headers: Host) =>
      service.call("POST", "/users/password/reset", {
        json: { email, otp: code, new_password: `${PASSWORD}!` },
        headers,
      });

    const elsewhere = newHost();
    for (const place of [host, elsewhere]) {
      await times(LIMIT, () => logIn(newName(), "wrong", place));
      await expectLimited(await reset(`${newName()}@example.com`, place));
    }
    await expectLimited(await resetBy(elsewhere));
    await expectProblem(await reset(email, host), [400, "invalid_otp"]);
    expect((await resetBy(host)).status).toBe(204);
  });

  test("do not count passwords that confirm a request of a live session, nor attempts that were not judged", async () => {
    const host = newHost();
    const { token, username } = await userAt(host);
    const attempt = () =>
      service.call("DELETE", "/users/me", { token, json: { password: "wrong" }, headers: host });
    expect(tally(await times(2 * LIMIT, attempt))).toEqual({ 403: 5, 429: 2 * LIMIT - 5 });
    const answers = await times(2 * LIMIT, () => logIn(username, "wrong", host));
    expect(tally(answers)).toEqual({ 401: 5, 429: 2 * LIMIT - 5 });
    expect((await logIn(newName(), "wrong", host)).status).toBe(401);
  });

  test("at once are as many as one after the other", async () => {
    const host = newHost();
    const answers = await times(5 * LIMIT, () => logIn(newName(), "wrong", host));
    expect(tally(answers)).toEqual({ 401: LIMIT, 429: 4 * LIMIT });
  });
});

describe("mails that one network asks for", () => {
  test("are refused over the limit, whether anybody has the address or not", async () => {
    const host = newHost();
    const { token, username } = await userAt(host);
    const email = `${username}@example.com`;
    const sent = await service.call("POST", "/users/email/otp", {
      token,
      json: { email },
      headers: host,
    });
    expect(sent.status).toBe(202);
    const otp = await service.nextOtp(email);
    await service.call("POST", "/users/email/otp/verify", { token, json: { otp }, headers: host });
    expect((await askReset(email, host)).status).toBe(202);
    for (let i = 2; i < LIMIT; i++) {
      expect((await askReset(`${newName()}@example.com`, host)).status).toBe(202);
    }
    for (const address of [email, `${newName()}@example.com`]) {
      expect(await expectLimited(await askReset(address, host))).toBe(HOUR);
    }
    const verification = { token, json: { email, password: PASSWORD }, headers: host };
    await expectLimited(await service.call("POST", "/users/email/otp", verification));
    expect((await askReset(email, newHost())).status).toBe(429);
    service.passSeconds(60);
    expect((await askReset(email, newHost())).status).toBe(202);
    await service.mails();
    service.passSeconds(HOUR - 60);
    expect((await askReset(`${newName()}@example.com`, host)).status).toBe(202);
  });

  test("that are refused for being too soon count for nothing", async () => {
    const host = newHost();
    const nobody = `${newName()}@example.com`;
    expect(tally(await times(3 * LIMIT, () => askReset(nobody, host)))).toEqual({
      202: 1,
      429: 3 * LIMIT - 1,
    });
    for (let i = 1; i < LIMIT; i++) {
      expect((await askReset(`${newName()}@example.com`, host)).status).toBe(202);
    }
  });

  test("leave a sign-up over the limit without its mail, and 201", async () => {
    const host = newHost();
    for (let i = 0; i < LIMIT; i++) await askReset(`${newName()}@example.com`, host);
    const email = `${newName()}@example.com`;
    expect((await signUp(host, { email })).status).toBe(201);
    const recipients = (await service.mails()).flatMap((mail) => mail.recipients);
    expect(recipients).not.toContain(email);
    expect(await rowsOf(`SELECT * FROM verifications WHERE email = '${email}'`)).toEqual([]);
  });

  test("are refused without a trip to the database, once that is known", async () => {
    const host = newHost();
    for (let i = 0; i <= LIMIT; i++) await askReset(`${newName()}@example.com`, host);
    const trips = service.trips();
    await times(20, () => askReset(`${newName()}@example.com`, host));
    expect(service.trips()).toBe(trips);
  });
});

test("0 is no limit", async () => {
  const unlimited = await startService();
  try {
    const json = (i: number) => ({ username: `free-${i}`, password: PASSWORD });
    const answers = await times(40, (i) =>
      unlimited.call("POST", "/users/sign-up", { json: json(i) }),
    );
    expect(tally(answers)).toEqual({ 201: 40 });
    const counted = "SELECT * FROM ttl WHERE kind IN ('sign_ups', 'mails', 'failed_log_ins')";
    expect((await unlimited.services.database.$client.execute(counted)).rows).toEqual([]);
  } finally {
    await unlimited.stop();
  }
});
