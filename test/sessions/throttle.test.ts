/** The throttling of log-ins, over HTTP and by the service's clock: how long who has to wait, and who has not. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Expected, expectProblem } from "../http/answers.ts";
import { tally, times } from "../parallel.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

const WRONG = "wrong horse battery";
const WRONG_CREDENTIALS: Expected = [401, "invalid_credentials"];
const THROTTLED: Expected = [429, "too_many_attempts"];

/** Behind one proxy, so that a test can come from wherever it wants to. */
let service: Service;

beforeAll(async () => {
  service = await startService({ TRUST_PROXY: "1" });
  service.stopClock();
});
afterAll(() => service.stop());

let hosts = 0;
/** An address that no test has come from yet. */
const newHost = () => `198.51.100.${++hosts}`;

const from = (host: string) => ({ "x-forwarded-for": host });

const logIn = (username: string, password: string, headers = from("203.0.113.7")) =>
  service.call("POST", "/users/log-in", { json: { username, password }, headers });
const token = (username: string, password: string, headers = from("203.0.113.7")) => {
  const body = new URLSearchParams({ username, password });
  return service.call("POST", "/token", { body, headers });
};

/** Asserts that `answer` is 429 and gives its `Retry-After`, in seconds. */
async function expectThrottled(answer: Response): Promise<number> {
  await expectProblem(answer, THROTTLED);
  return Number(answer.headers.get("retry-after"));
}

/** Fails `count` times to log in. */
async function fail(username: string, count: number, headers?: ReturnType<typeof from>) {
  const answers = await times(count, () => logIn(username, WRONG, headers));
  for (const answer of answers) await expectProblem(answer, WRONG_CREDENTIALS);
}

/** A user without a session, which would cost another hash. */
async function newUser(username: string): Promise<string> {
  const json = { username, password: PASSWORD };
  expect((await service.call("POST", "/users/sign-up", { json })).status).toBe(201);
  return username;
}

async function rowsOf(sql: string): Promise<unknown[][]> {
  const { rows } = await service.services.database.$client.execute(sql);
  return rows.map((row) => Object.values(row));
}

describe("failed log-ins", () => {
  test("five are free, then each waits twice as long, up to 15 minutes", async () => {
    const username = await newUser("mina");
    await fail(username, 5);
    for (const seconds of [30, 60, 120, 240, 480, 900]) {
      expect(await expectThrottled(await logIn(username, WRONG))).toBe(seconds);
      service.passSeconds(seconds - 1);
      expect(await expectThrottled(await logIn(username, PASSWORD))).toBe(1);
      service.passSeconds(1);
      if (seconds < 900) await fail(username, 1);
    }
    expect((await logIn(username, PASSWORD)).status).toBe(200);
  });

  test("what is refused is not judged, and makes the wait no longer", async () => {
    const username = await newUser("patient");
    await fail(username, 5);
    service.passSeconds(10);
    const trips = service.trips();
    for (const password of [WRONG, PASSWORD, WRONG, PASSWORD]) {
      expect(await expectThrottled(await logIn(username, password))).toBe(20);
    }
    expect(service.trips() - trips).toBe(4);
    service.passSeconds(20);
    await expectProblem(await logIn(username, WRONG), WRONG_CREDENTIALS);
    expect(await expectThrottled(await logIn(username, PASSWORD))).toBe(60);
  });

  test("a success clears the count", async () => {
    const username = await newUser("cleared");
    await fail(username, 4);
    expect((await logIn(username, PASSWORD)).status).toBe(200);
    await fail(username, 5);
    service.passSeconds(30);
    expect((await logIn(username, PASSWORD)).status).toBe(200);
    await fail(username, 5);
    expect(await expectThrottled(await logIn(username, PASSWORD))).toBe(30);
  });

  test("are forgotten 15 minutes after the last", async () => {
    await fail("forgotten", 4);
    service.passSeconds(899);
    await fail("forgotten", 1);
    expect(await expectThrottled(await logIn("forgotten", WRONG))).toBe(30);
    service.passSeconds(900);
    await fail("forgotten", 5);
    expect(await expectThrottled(await logIn("forgotten", WRONG))).toBe(30);
  });

  test("are counted for each account, known or not, whatever its case", async () => {
    const username = await newUser("Sora");
    for (const name of [username, "nobody"]) {
      await fail(name, 3);
      await fail(name.toUpperCase(), 2);
      expect(await expectThrottled(await logIn(name.toLowerCase(), PASSWORD))).toBe(30);
    }
    expect((await logIn(await newUser("jiho"), PASSWORD)).status).toBe(200);
  });

  test("are counted for the name and for the e-mail address, each by itself", async () => {
    const { username, token } = await service.user();
    const email = "named@example.com";
    await service.call("POST", "/users/email/otp", { token, json: { email } });
    const otp = await service.nextOtp(email);
    await service.call("POST", "/users/email/otp/verify", { token, json: { otp } });
    await fail(username, 5);
    expect(await expectThrottled(await logIn(username, PASSWORD))).toBe(30);
    expect((await logIn(email, PASSWORD)).status).toBe(200);
    await fail(email, 5);
    expect(await expectThrottled(await logIn(email.toUpperCase(), PASSWORD))).toBe(30);
  });

  test("of 100 wrong ones at once at most five are judged, and a right one after them is not", async () => {
    const username = await newUser("rushed");
    const answers = await times(100, () => logIn(username, WRONG));
    const { 401: judged = 0, 429: refused = 0, ...others } = tally(answers);
    expect(others).toEqual({});
    expect(judged).toBeLessThanOrEqual(5);
    expect(judged + refused).toBe(100);
    expect(await expectThrottled(await logIn(username, PASSWORD))).toBe(30);
  });

  test("at once with right ones: what is refused begins no session", async () => {
    const username = await newUser("mixed");
    const wrong = times(20, () => logIn(username, WRONG));
    const right = await times(5, () => logIn(username, PASSWORD));
    await wrong;
    const { 200: granted = 0, 429: refused = 0 } = tally(right);
    expect(granted + refused).toBe(5);
    const begun = `SELECT * FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = '${username}')`;
    expect(await rowsOf(begun)).toHaveLength(granted);
  });

  test("are none among twenty right ones at once", async () => {
    const username = await newUser("crowd");
    expect(tally(await times(20, () => logIn(username, PASSWORD)))).toEqual({ 200: 20 });
  });

  test("at /token are the same count, told in its own form (RFC 6749 §5.2)", async () => {
    const username = await newUser("client");
    await fail(username, 3);
    expect(tally(await times(2, () => token(username, WRONG)))).toEqual({ 400: 2 });
    const answer = await token(username, PASSWORD);
    expect(answer.status).toBe(429);
    expect(answer.headers.get("retry-after")).toBe("30");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toEqual({
      error: "too_many_attempts",
      error_description: expect.stringMatching(/\.$/),
    });
    expect(await expectThrottled(await logIn(username, PASSWORD))).toBe(30);
    service.passSeconds(30);
    expect((await token(username, PASSWORD)).status).toBe(200);
  });
});

describe("the routes under /users/me that ask for the password", () => {
  const headers = from("203.0.113.7");
  const change = (token: string, current_password: string) => {
    const json = { current_password, new_password: "staple battery correct" };
    return service.call("PUT", "/users/me/password", { token, json, headers });
  };
  const remove = (token: string, password: string) =>
    service.call("DELETE", "/users/me", { token, json: { password }, headers });

  test("share the count of log-ins by name", async () => {
    const { username, token } = await service.user();
    await fail(username, 1);
    const answers = [change(token, WRONG), change(token, WRONG), remove(token, WRONG)];
    for (const answer of await Promise.all([...answers, remove(token, WRONG)])) {
      await expectProblem(answer, [403, "wrong_password"]);
    }
    const trips = service.trips();
    expect(await expectThrottled(await change(token, PASSWORD))).toBe(30);
    expect(await expectThrottled(await remove(token, PASSWORD))).toBe(30);
    expect(await expectThrottled(await logIn(username, PASSWORD))).toBe(30);
    expect(service.trips() - trips).toBe(3);
    // What asks for no password goes on.
    expect((await service.call("GET", "/todos", { token })).status).toBe(200);
    service.passSeconds(30);
    await expectProblem(await remove(token, WRONG), [403, "wrong_password"]);
    expect(await expectThrottled(await change(token, PASSWORD))).toBe(60);
    service.passSeconds(60);
    expect((await change(token, PASSWORD)).status).toBe(204);
    // A success there clears it too.
    await fail(username, 5);
  });

  test("judge at most five of 40 wrong ones at once, and not the right one after them", async () => {
    const { token } = await service.user();
    const answers = await times(40, (i) => (i % 2 ? change : remove)(token, WRONG));
    const { 403: judged = 0, 429: refused = 0, ...others } = tally(answers);
    expect(others).toEqual({});
    expect(judged).toBeLessThanOrEqual(5);
    expect(judged + refused).toBe(40);
    expect(await expectThrottled(await remove(token, PASSWORD))).toBe(30);
  });

  test("do nothing that they refuse, when wrong ones come at once with the right one", async () => {
    for (const attempt of [change, remove]) {
      const { id, token } = await service.user();
      const hash = `SELECT password_hash FROM users WHERE id = ${id}`;
      const before = await rowsOf(hash);
      const wrong = times(20, () => attempt(token, WRONG));
      const { status } = await attempt(token, PASSWORD);
      await wrong;
      expect([204, 429]).toContain(status);
      expect(Bun.deepEquals(await rowsOf(hash), before)).toBe(status === 429);
    }
  });

  test("count for a user who logged in from elsewhere by where they are now", async () => {
    const { username, token } = await service.user();
    await fail(username, 5, from(newHost()));
    expect((await change(token, PASSWORD)).status).toBe(204);
  });
});

describe("where log-ins come from", () => {
  test("each address has a count of its own", async () => {
    const username = await newUser("travelling");
    const [one, other] = [newHost(), newHost()];
    await fail(username, 5, from(one));
    expect(await expectThrottled(await logIn(username, PASSWORD, from(one)))).toBe(30);
    await fail(username, 4, from(other));
    expect((await logIn(username, PASSWORD, from(other))).status).toBe(200);
    // The success there is none here.
    expect(await expectThrottled(await logIn(username, PASSWORD, from(one)))).toBe(30);
  });

  test("what stands left of the proxy's own word changes nothing", async () => {
    const host = newHost();
    const spoofed = (i: number) => from(`10.0.0.${i}, 192.0.2.${i}, ${host}`);
    for (const i of [1, 2, 3, 4, 5]) await fail("spoofed", 1, spoofed(i));
    expect(await expectThrottled(await logIn("spoofed", WRONG, spoofed(6)))).toBe(30);
    expect(await expectThrottled(await logIn("spoofed", WRONG, from(host)))).toBe(30);
  });

  test("a port that the proxy adds makes it no other address", async () => {
    const host = newHost();
    for (const port of [1, 2, 3, 4, 5]) await fail("ported", 1, from(`${host}:5000${port}`));
    expect(await expectThrottled(await logIn("ported", WRONG, from(host)))).toBe(30);
  });

  test("IPv6 addresses of one /64 share a count, and others don't", async () => {
    const hosts = ["2001:db8:1:2::1", "2001:DB8:1:2::ffff", "2001:db8:1:2:3:4:5:6"];
    for (const host of hosts) await fail("roaming", 1, from(host));
    await fail("roaming", 2, from("2001:0db8:0001:0002:a:b:c:d"));
    expect(await expectThrottled(await logIn("roaming", WRONG, from("2001:db8:1:2::9")))).toBe(30);
    await fail("roaming", 1, from("2001:db8:1:3::1"));
  });

  test("behind two proxies it is the second from the right", async () => {
    const nested = await startService({ TRUST_PROXY: "2" });
    try {
      const attempt = (forwarded: string) => {
        const json = { username: "nested", password: WRONG };
        return nested.call("POST", "/users/log-in", { json, headers: from(forwarded) });
      };
      const host = newHost();
      const answers = await times(5, (i) => attempt(`10.0.0.${i}, ${host}, 192.0.2.${i}`));
      expect(tally(answers)).toEqual({ 401: 5 });
      expect((await attempt(`${host}, 192.0.2.9`)).status).toBe(429);
      expect((await attempt(`${host}, ${newHost()}, 192.0.2.9`)).status).toBe(401);
    } finally {
      await nested.stop();
    }
  });

  test("X-Forwarded-For counts for nothing unless a proxy is trusted", async () => {
    const direct = await startService();
    try {
      const attempt = (i: number, username = "forwarded") => {
        const json = { username, password: WRONG };
        return direct.call("POST", "/users/log-in", { json, headers: from(`198.51.100.${i}`) });
      };
      expect(tally(await times(5, attempt))).toEqual({ 401: 5 });
      expect((await attempt(6)).status).toBe(429);
      const { token } = await direct.user();
      const list = await direct.call("GET", "/users/me/sessions", { token });
      expect((await list.json()).sessions).toMatchObject([{ ip: "127.0.0.1" }]);
    } finally {
      await direct.stop();
    }
  });
});

describe("an account", () => {
  /** Fails 100 times, never more than five times from one address. */
  async function lock(username: string): Promise<void> {
    for (let i = 0; i < 20; i++) await fail(username, 5, from(newHost()));
  }

  test("is locked by 100 failures in a row from wherever, and opened by a reset", async () => {
    const { username, token } = await service.user();
    const email = "locked@example.com";
    await service.call("POST", "/users/email/otp", { token, json: { email } });
    const toVerify = { otp: await service.nextOtp(email) };
    await service.call("POST", "/users/email/otp/verify", { token, json: toVerify });

    await lock(username);
    const host = newHost();
    await expectProblem(await logIn(username, PASSWORD, from(host)), THROTTLED);
    // For good, not for a quarter of an hour.
    service.passSeconds(20 * 60);
    await expectProblem(await logIn(username, PASSWORD, from(host)), THROTTLED);
    const json = { password: PASSWORD };
    await expectProblem(await service.call("DELETE", "/users/me", { token, json }), THROTTLED);
    // It is the name that is locked: whoever knows only that does not lock its user out.
    expect((await logIn(email, PASSWORD, from(host))).status).toBe(200);

    await service.call("POST", "/users/password/otp", { json: { email } });
    const new_password = "staple battery correct";
    const reset = { email, otp: await service.nextOtp(email), new_password };
    const answer = await service.call("POST", "/users/password/reset", { json: reset });
    expect(answer.status).toBe(204);
    expect((await logIn(username, new_password, from(host))).status).toBe(200);
  });

  test("is not locked when one of them succeeds", async () => {
    const username = await newUser("unlocked");
    for (let i = 0; i < 19; i++) await fail(username, 5, from(newHost()));
    await fail(username, 4, from(newHost()));
    expect((await logIn(username, PASSWORD, from(newHost()))).status).toBe(200);
    await fail(username, 1, from(newHost()));
    expect((await logIn(username, PASSWORD, from(newHost()))).status).toBe(200);
  });
});
