/**
 * The throttling of log-ins, over HTTP and by the service's clock: who has to wait and for how long, and who does not.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ARGON2_PARAMETERS } from "../../src/auth/passwords.ts";
import { type Expected, expectProblem } from "../http/answers.ts";
import { tally, times } from "../parallel.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

const WRONG = "wrong horse battery";
const WRONG_CREDENTIALS: Expected = [401, "invalid_credentials"];
const THROTTLED: Expected = [429, "too_many_attempts"];

/** Behind one proxy, so that a test can choose its address. */
let service: Service;

beforeAll(async () => {
  service = await startService({ TRUST_PROXY: "1" });
  service.stopClock();
});
afterAll(() => service.stop());

const DAY = 24 * 3600;

let hosts = 0;
/** An address that no test has used before. */
const newHost = () => `198.51.${100 + (++hosts >> 8)}.${hosts & 255}`;

const from = (host: string) => ({ "x-forwarded-for": host });

const logIn = (username: string, password: string, headers = from("203.0.113.7")) =>
  service.call("POST", "/users/log-in", { json: { username, password }, headers });
const token = (username: string, password: string, headers = from("203.0.113.7")) => {
  const body = new URLSearchParams({ username, password });
  return service.call("POST", "/token", { body, headers });
};

/** Asserts that `answer` is 429, and returns its `Retry-After` in seconds. */
async function expectThrottled(answer: Response): Promise<number> {
  await expectProblem(answer, THROTTLED);
  return Number(answer.headers.get("retry-after"));
}

/** Fails `count` times to log in. */
async function fail(username: string, count: number, headers?: ReturnType<typeof from>) {
  const answers = await times(count, () => logIn(username, WRONG, headers));
  for (const answer of answers) await expectProblem(answer, WRONG_CREDENTIALS);
}

/** A user without a session, because a session would cost another hash. */
async function newUser(username: string): Promise<string> {
  const json = { username, password: PASSWORD };
  expect((await service.call("POST", "/users/sign-up", { json })).status).toBe(201);
  return username;
}

/** A user with a verified address, who has logged in from 127.0.0.1 and from the tests' usual address. */
async function verifiedUser() {
  const user = await service.user();
  const email = `${user.username}@example.com`;
  await service.call("POST", "/users/email/otp", { token: user.token, json: { email } });
  const json = { otp: await service.nextOtp(email) };
  await service.call("POST", "/users/email/otp/verify", { token: user.token, json });
  expect((await logIn(user.username, PASSWORD)).status).toBe(200);
  return { ...user, email };
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

  test("are one count for the name and for the verified address of a user", async () => {
    const { username, email } = await verifiedUser();
    await fail(username, 3);
    await fail(email, 2);
    for (const name of [username, email, email.toUpperCase()]) {
      expect(await expectThrottled(await logIn(name, PASSWORD))).toBe(30);
    }
    service.passSeconds(30);
    expect((await logIn(email, PASSWORD)).status).toBe(200);
    await fail(username, 5);
  });

  test("of a name before it is signed up are none of its user's", async () => {
    for (let i = 0; i < 19; i++) await fail("Newcomer", 5, from(newHost()));
    const host = from(newHost());
    await fail("newcomer", 5, host);
    await expectThrottled(await logIn("newcomer", PASSWORD, host));
    await newUser("newComer");
    expect((await logIn("newcomer", PASSWORD, host)).status).toBe(200);
    // They are also forgotten when the user is deleted.
    const { token } = await service.logIn("newcomer");
    const json = { password: PASSWORD };
    expect((await service.call("DELETE", "/users/me", { token, json })).status).toBe(204);
    await fail("newcomer", 5, host);
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

  test("have the session's own count, apart from those of the account and the network", async () => {
    const { username, token } = await service.user();
    const other = await service.logIn(username);
    await fail(username, 5);
    const answers = [change(token, WRONG), change(token, WRONG), remove(token, WRONG)];
    answers.push(remove(token, WRONG), remove(token, WRONG));
    for (const answer of await Promise.all(answers)) {
      await expectProblem(answer, [403, "wrong_password"]);
    }
    const trips = service.trips();
    expect(await expectThrottled(await change(token, PASSWORD))).toBe(30);
    expect(await expectThrottled(await remove(token, PASSWORD))).toBe(30);
    expect(service.trips() - trips).toBe(2);
    // Requests without a password still work, and so does another session from the same network.
    expect((await service.call("GET", "/todos", { token })).status).toBe(200);
    await expectProblem(await change(other.token, WRONG), [403, "wrong_password"]);
    service.passSeconds(30);
    await expectProblem(await remove(token, WRONG), [403, "wrong_password"]);
    expect(await expectThrottled(await change(token, PASSWORD))).toBe(60);
    service.passSeconds(60);
    expect((await change(token, PASSWORD)).status).toBe(200);
    // A success clears it.
    const again = await times(5, () => change(token, WRONG));
    expect(tally(again)).toEqual({ 403: 5 });
  });

  test("count nothing against log-ins", async () => {
    const { username, token } = await service.user();
    expect(tally(await times(5, () => change(token, WRONG)))).toEqual({ 403: 5 });
    expect((await logIn(username, PASSWORD)).status).toBe(200);
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
      expect([200, 204, 429]).toContain(status);
      expect(Bun.deepEquals(await rowsOf(hash), before)).toBe(status === 429);
    }
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
    // The success there does not count here.
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
  /** Fails 100 times, at most five times from one address. */
  async function refuse(username: string): Promise<void> {
    for (let i = 0; i < 20; i++) await fail(username, 5, from(newHost()));
  }

  test("with 100 failures from wherever is refused to networks that it is not known from", async () => {
    const { username, email, token } = await verifiedUser();
    await refuse(username);
    const host = from(newHost());
    expect(await expectThrottled(await logIn(username, PASSWORD, host))).toBe(DAY);
    expect(await expectThrottled(await logIn(email, PASSWORD, host))).toBe(DAY);
    expect((await accountToken(username, host)).status).toBe(429);
    // The attacker cannot affect its live sessions and the networks that it is known from.
    const change = { current_password: PASSWORD, new_password: `${PASSWORD} 2` };
    const changed = await service.call("PUT", "/users/me/password", {
      token,
      json: change,
      headers: host,
    });
    expect(changed.status).toBe(200);
    await refuse(username);
    expect(await expectThrottled(await logIn(username, change.new_password, host))).toBe(DAY);
    await fail(username, 1, HOME);
    expect((await logIn(username, change.new_password, HOME)).status).toBe(200);
    // That was a success, from anywhere.
    expect((await logIn(username, change.new_password, host)).status).toBe(200);
  });

  test("is refused until 24 hours after the last failure, which what is refused does not put off", async () => {
    const username = await newUser("refused");
    await refuse(username);
    service.passSeconds(DAY - 1);
    expect(await expectThrottled(await logIn(username, WRONG, from(newHost())))).toBe(1);
    service.passSeconds(1);
    expect((await logIn(username, PASSWORD, from(newHost()))).status).toBe(200);
  });

  test("is opened by a reset, to all networks", async () => {
    const { username, email } = await verifiedUser();
    await refuse(username);
    const host = from(newHost());
    await expectThrottled(await logIn(username, PASSWORD, host));
    const asked = await service.call("POST", "/users/password/otp", {
      json: { email },
      headers: host,
    });
    expect(asked.status).toBe(202);
    const new_password = "staple battery correct";
    const json = { email, otp: await service.nextOtp(email), new_password };
    expect(
      (await service.call("POST", "/users/password/reset", { json, headers: host })).status,
    ).toBe(204);
    expect((await logIn(username, new_password, host)).status).toBe(200);
  });

  test("that nobody has behaves alike", async () => {
    await refuse("no-such-user");
    expect(await expectThrottled(await logIn("no-such-user", PASSWORD, from(newHost())))).toBe(DAY);
  });

  test("is not refused when one of them succeeds", async () => {
    const username = await newUser("unlocked");
    for (let i = 0; i < 19; i++) await fail(username, 5, from(newHost()));
    await fail(username, 4, from(newHost()));
    expect((await logIn(username, PASSWORD, from(newHost()))).status).toBe(200);
    await fail(username, 1, from(newHost()));
    expect((await logIn(username, PASSWORD, from(newHost()))).status).toBe(200);
  });

  test("is known from a network for 90 days after a log-in there, however its address is written", async () => {
    const username = await newUser("resident");
    const home = ["2001:db8:7:8::1", "2001:0db8:0007:0008:ffff::2"];
    expect((await logIn(username, PASSWORD, from(home[0] ?? ""))).status).toBe(200);
    service.passSeconds(90 * DAY - 1);
    await refuse(username);
    expect((await logIn(username, PASSWORD, from(home[1] ?? ""))).status).toBe(200);
    service.passSeconds(90 * DAY);
    await refuse(username);
    await expectThrottled(await logIn(username, PASSWORD, from(home[1] ?? "")));
  });

  test("is known from 100 networks at most, those used last", async () => {
    const username = await newUser("traveller");
    const hosts = Array.from({ length: 103 }, newHost);
    for (const host of hosts) {
      expect((await logIn(username, PASSWORD, from(host))).status).toBe(200);
      service.passSeconds(1);
    }
    const known =
      "SELECT key FROM ttl WHERE kind = 'known_network' AND key LIKE 'u:' || " +
      `(SELECT id FROM users WHERE username = '${username}') || '/%'`;
    const networks = (await rowsOf(known)).map(([key]) => String(key).split("/")[1]);
    expect(networks.toSorted()).toEqual(hosts.slice(3).toSorted());
  });

  const HOME = from("203.0.113.7");
  const accountToken = (username: string, headers: ReturnType<typeof from>) =>
    token(username, PASSWORD, headers);
});

describe("a password for a name that nobody has", () => {
  test("costs as much time as a wrong one", async () => {
    // With the usual parameters, so that the hash takes most of the time.
    const shipped = await startService({}, ARGON2_PARAMETERS);
    try {
      const { username } = await shipped.user();
      const time = async (name: string) => {
        const began = performance.now();
        const json = { username: name, password: WRONG };
        await expectProblem(
          await shipped.call("POST", "/users/log-in", { json }),
          WRONG_CREDENTIALS,
        );
        return performance.now() - began;
      };
      let known = Number.POSITIVE_INFINITY;
      let unknown = Number.POSITIVE_INFINITY;
      const areAlike = () => known < 2 * unknown && unknown < 2 * known;
      // The fastest of each, because other work on the machine only makes them slower. While there is much of it, more
      // rounds are needed. Without a hash, an answer is twenty times as fast, however many rounds there are.
      for (let i = 0; i < 5 || (i < 50 && !areAlike()); i++) {
        known = Math.min(known, await time(username));
        unknown = Math.min(unknown, await time(`nobody-${i}`));
      }
      expect([known, unknown]).toSatisfy(areAlike);
    } finally {
      await shipped.stop();
    }
  });
});
