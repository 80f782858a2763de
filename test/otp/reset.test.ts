/** Resetting a forgotten password over HTTP. The mails are read from a real SMTP server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Expected, expectProblem, whole } from "../http/answers.ts";
import { tally, times } from "../parallel.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import {
  from,
  type Headers,
  NEW_PASSWORD,
  newAddress,
  otpRequests,
  retryAfter,
} from "./requests.ts";

const INVALID_OTP: Expected = [400, "invalid_otp"];
const THROTTLED: Expected = [429, "too_many_attempts"];
const DAY = 24 * 3600;

/** Behind one proxy, so that a test can choose its address. Without a header the address is 127.0.0.1. */
let service: Service;
const {
  sendVerification,
  verify,
  sendReset,
  reset,
  logIn,
  prove,
  verifiedUser,
  rowsOf,
  recipients,
} = otpRequests(() => service);

beforeAll(async () => {
  service = await startService({ TRUST_PROXY: "1" });
  service.stopClock();
});
afterAll(() => service.stop());

/**
 * Moves the clock forward. The mails are sent before: otherwise the claim of a mail would end, and it would be sent
 * twice.
 */
async function pass(seconds: number): Promise<void> {
  await service.mails();
  service.passSeconds(seconds);
}

let hosts = 0;
/** An address that no test has used before. */
const newHost = (): Headers => from(`198.51.100.${++hosts}`);

/** A user with a verified address, to whom a code was sent. */
async function resetting() {
  const user = await verifiedUser();
  expect((await sendReset(user.address)).status).toBe(202);
  return { ...user, code: await service.nextOtp(user.address) };
}

/** A different code of the same form. */
const wrongCode = (code: string, i = 0) =>
  code.replace(/^./, (first) => (first === "0" ? `${1 + i}` : "0"));

/** The codes in all mails to the address. */
async function codesTo(address: string): Promise<string[]> {
  const count = (await recipients()).filter((each) => each === address).length;
  const codes = [];
  for (let i = 0; i < count; i++) codes.push(await service.nextOtp(address));
  return codes;
}

describe("a reset code", () => {
  test("is sent, and the answer tells its times and nothing else", async () => {
    const { address } = await verifiedUser();
    const answer = await sendReset(address.toUpperCase());
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({ expires_in: 600, resend_after: 60 });
    const { subject, to, text, html } = await service.nextMail(address);
    expect(to).toEqual([{ name: "", address }]);
    expect(subject).toMatch(/reset/);
    // Crockford's alphabet has no I, L, O and U.
    const [, code = "none"] =
      /^ {4}([0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{3})$/m.exec(
        text ?? "",
      ) ?? [];
    expect(html).toContain(code);
    expect(subject).not.toContain(code);
    expect(text).toMatch(/10 minutes/);
  });

  test("is told in Korean to those who prefer it", async () => {
    const { address } = await verifiedUser();
    await sendReset(address, { "accept-language": "ko-KR, en;q=0.8" });
    expect((await service.nextMail(address)).subject).toMatch(/재설정/);
  });

  test.each<[how: string, write: (code: string) => string]>([
    ["as it came", (code) => code],
    ["in lower case", (code) => code.toLowerCase()],
    ["without hyphens", (code) => code.replaceAll("-", "")],
    ["with hyphens elsewhere", (code) => code.replaceAll("-", "").replaceAll(/(..)/g, "$1-")],
    ["with O for 0", (code) => code.replaceAll("0", "O")],
    ["with o for 0", (code) => code.replaceAll("0", "o")],
    ["with I for 1", (code) => code.replaceAll("1", "I")],
    ["with l for 1", (code) => code.replaceAll("1", "l")],
  ])("is read %s", async (_how, write) => {
    const { address, code } = await resetting();
    expect((await reset(address, write(code))).status).toBe(204);
  });

  test("is good once, and of two at once one succeeds", async () => {
    const { address, code } = await resetting();
    expect(tally(await times(2, () => reset(address, code)))).toEqual({ 204: 1, 400: 1 });
    await expectProblem(await reset(address, code), INVALID_OTP);
  });

  test("is good for 599 seconds, and not for 600", async () => {
    const { address, code } = await resetting();
    await pass(600);
    await expectProblem(await reset(address, code), INVALID_OTP);
    expect((await sendReset(address)).status).toBe(202);
    const next = await service.nextOtp(address);
    await pass(599);
    expect((await reset(address, next)).status).toBe(204);
  });

  test("can be read nowhere but in the mail, and nor can the address", async () => {
    const { address, code } = await resetting();
    const kept = await rowsOf("SELECT kind, key, value FROM ttl");
    expect(kept.map(([kind]) => kind)).toContain("reset_code");
    expect(JSON.stringify(kept)).not.toContain(code.replaceAll("-", ""));
    expect(JSON.stringify(kept)).not.toContain(code);
    expect(JSON.stringify(kept)).not.toContain(address);
    expect(await rowsOf("SELECT * FROM outbox")).toEqual([]);
  });

  test("is refused in any other form, all told the same", async () => {
    const { address, code } = await resetting();
    const refusals = [];
    for (const wrong of [` ${code}`, `${code}0`, code.slice(0, -1), `${code.slice(0, -1)}U`]) {
      const answer = await reset(address, wrong);
      refusals.push(await whole(answer.clone()));
      await expectProblem(answer, INVALID_OTP);
    }
    for (const refusal of refusals.slice(1)) expect([refusal]).toEqual(refusals.slice(0, 1));
    expect((await reset(address, code)).status).toBe(204);
  });

  test("is bound to its purpose and its address", async () => {
    const mina = await resetting();
    const jiho = await resetting();
    await pass(60);
    await sendVerification(mina.token, mina.address, { password: PASSWORD });
    const digits = await service.nextOtp(mina.address);
    await expectProblem(await reset(mina.address, digits), INVALID_OTP);
    await expectProblem(await verify(mina.token, mina.code), INVALID_OTP);
    await expectProblem(await reset(jiho.address, mina.code), INVALID_OTP);
    await expectProblem(await reset(newAddress(), mina.code), INVALID_OTP);
    expect((await reset(mina.address, mina.code)).status).toBe(204);
  });

  test("is not for whoever had the address when it was sent, nor for whoever has it next", async () => {
    const user = await resetting();
    await pass(60);
    await prove(user, newAddress());
    await expectProblem(await reset(user.address, user.code), INVALID_OTP);
    const other = await service.user();
    await service.nextMail(user.address);
    await prove(other, user.address);
    await expectProblem(await reset(user.address, user.code), INVALID_OTP);
    expect((await logIn(other.username)).status).toBe(200);
  });
});

test("a code from before a password change does not reset the new password", async () => {
  const { username, token, address, code } = await resetting();
  const json = { current_password: PASSWORD, new_password: "a-third-Password" };
  const changed = await service.call("PUT", "/users/me/password", { token, json });
  expect(changed.status).toBe(200);
  await expectProblem(await reset(address, code), INVALID_OTP);
  expect((await logIn(username, "a-third-Password")).status).toBe(200);
});

test("a code for another address ends with the password that asked for it", async () => {
  for (const how of ["change", "reset"]) {
    const { token, address, username } = await verifiedUser();
    const other = newAddress();
    await pass(60);
    expect((await sendVerification(token, other, { password: PASSWORD })).status).toBe(202);
    const code = await service.nextOtp(other);
    if (how === "change") {
      const json = { current_password: PASSWORD, new_password: NEW_PASSWORD };
      await service.call("PUT", "/users/me/password", { token, json });
      await expectProblem(await verify(token, code), INVALID_OTP);
    } else {
      await sendReset(address);
      await reset(address, await service.nextOtp(address));
      const again = await service.logIn(username, NEW_PASSWORD);
      await expectProblem(await verify(again.token, code), INVALID_OTP);
    }
  }
});

describe("several codes", () => {
  test("up to three are good at once; a further request is answered the same and sends nothing", async () => {
    const { address } = await verifiedUser();
    const answers = [];
    for (let i = 0; i < 5; i++) {
      const answer = await sendReset(address);
      answers.push(await whole(answer));
      await pass(60);
    }
    for (const answer of answers) expect(answer).toEqual(answers[0] ?? expect.anything());
    const codes = await codesTo(address);
    expect(codes).toHaveLength(3);
    const [first = "", second = "", third = ""] = codes;
    expect((await reset(address, second)).status).toBe(204);
    // Using one ends all.
    for (const code of [first, third]) await expectProblem(await reset(address, code), INVALID_OTP);
  });

  test("make room for another when the first has expired", async () => {
    const { address } = await verifiedUser();
    for (let i = 0; i < 3; i++) {
      await sendReset(address);
      await pass(200);
    }
    const [expired = "", ...good] = await codesTo(address);
    expect((await sendReset(address)).status).toBe(202);
    const fourth = await service.nextOtp(address);
    await expectProblem(await reset(address, expired), INVALID_OTP);
    expect(good).toHaveLength(2);
    expect((await reset(address, fourth)).status).toBe(204);
  });
});

describe("wrong codes", () => {
  test("never spend the code: from another network it is good after any number of them", async () => {
    const { address, code } = await resetting();
    for (let i = 0; i < 20; i++) {
      const attacker = newHost();
      const guesses = await times(5, (n) =>
        reset(address, wrongCode(code, n), NEW_PASSWORD, attacker),
      );
      expect(tally(guesses)).toEqual({ 400: 5 });
      await expectProblem(await reset(address, code, NEW_PASSWORD, attacker), THROTTLED);
    }
    expect((await reset(address, code)).status).toBe(204);
  });

  test("are counted for their network: five, and then a wait, apart from failed log-ins", async () => {
    const { address, code, username } = await resetting();
    const host = newHost();
    const attempt = (text: string) => reset(address, text, NEW_PASSWORD, host);
    expect(tally(await times(5, () => attempt(wrongCode(code))))).toEqual({ 400: 5 });
    expect(await retryAfter(await attempt(code), "too_many_attempts")).toBe(30);
    expect((await logIn(username, PASSWORD, host)).status).toBe(200);
    expect((await logIn(address, PASSWORD, host)).status).toBe(200);
    await pass(30);
    await expectProblem(await attempt(wrongCode(code)), INVALID_OTP);
    expect(await retryAfter(await attempt(code), "too_many_attempts")).toBe(60);
    await pass(60);
    expect((await attempt(code)).status).toBe(204);
    // The reset has cleared the count.
    await pass(60);
    await sendReset(address);
    expect(tally(await times(5, () => attempt(wrongCode(code))))).toEqual({ 400: 5 });
  });

  test("of 100 at once no more than five are judged", async () => {
    const { address, code } = await resetting();
    const host = newHost();
    const answers = await times(100, () => reset(address, wrongCode(code), NEW_PASSWORD, host));
    expect(tally(answers)).toEqual({ 400: 5, 429: 95 });
  });
});

describe("the waits and limits of sending", () => {
  test("a minute between two, as Retry-After tells", async () => {
    const { address } = await verifiedUser();
    expect(tally(await times(20, () => sendReset(address)))).toEqual({ 202: 1, 429: 19 });
    expect(await codesTo(address)).toHaveLength(1);
    expect(await retryAfter(await sendReset(address))).toBe(60);
    await pass(59);
    expect(await retryAfter(await sendReset(address))).toBe(1);
    await pass(1);
    expect((await sendReset(address)).status).toBe(202);
  });

  test("ten a day to one address, which verifications do not spend", async () => {
    const { token, address } = await verifiedUser();
    for (let i = 0; i < 10; i++) {
      expect((await sendReset(address, newHost())).status).toBe(202);
      // Until one of the codes has expired.
      await pass(300);
    }
    const left = DAY - 10 * 300;
    expect(await retryAfter(await sendReset(address, newHost()))).toBe(left);
    expect((await sendVerification(token, address, { password: PASSWORD })).status).toBe(401);
    const again = await service.logIn(await usernameOf(address));
    const sent = await sendVerification(again.token, address, { password: PASSWORD });
    expect(sent.status).toBe(202);
    await pass(left);
    expect((await sendReset(address, newHost())).status).toBe(202);
  });

  const usernameOf = async (address: string) => {
    const [[username] = []] = await rowsOf(`SELECT username FROM users WHERE email = '${address}'`);
    return String(username);
  };

  test("a network that the account is known from has a wait and five a day of its own", async () => {
    const { address } = await verifiedUser();
    // Other clients use up the address's limit.
    for (let i = 0; i < 10; i++) {
      expect((await sendReset(address, newHost())).status).toBe(202);
      await pass(300);
    }
    await retryAfter(await sendReset(address, newHost()));
    await codesTo(address);
    for (let i = 0; i < 5; i++) {
      expect((await sendReset(address)).status).toBe(202);
      expect((await codesTo(address)).length).toBe(1);
      // After the last of them, the address's own limit applies, and it is reached.
      const wait = await retryAfter(await sendReset(address));
      if (i < 4) expect(wait).toBe(60);
      else expect(wait).toBeGreaterThan(3600);
      await pass(300);
    }
    expect(await retryAfter(await sendReset(address))).toBeGreaterThan(3600);
  });

  test("somebody else's request a moment ago does not keep the user waiting", async () => {
    const { address } = await verifiedUser();
    expect((await sendReset(address, newHost())).status).toBe(202);
    expect(await retryAfter(await sendReset(address, newHost()))).toBe(60);
    expect((await sendReset(address)).status).toBe(202);
  });
});

test("a mail with a reset code is sent before those that verify addresses", async () => {
  // No server listens there, so the mails wait.
  const unreachable = await startService({ MAIL_URL: "smtp://127.0.0.1:1" });
  try {
    const { token, id } = await unreachable.user();
    const { $client: client } = unreachable.services.database;
    const ask = (path: string, json: object) => unreachable.call("POST", path, { token, json });
    expect((await ask("/users/email/otp", { email: newAddress() })).status).toBe(202);
    const email = newAddress();
    await client.execute({ sql: "UPDATE users SET email = ? WHERE id = ?", args: [email, id] });
    expect((await ask("/users/password/otp", { email })).status).toBe(202);
    const { rows } = await client.execute("SELECT template, priority FROM outbox");
    const priorities = Object.fromEntries(rows.map((row) => [row.template, Number(row.priority)]));
    expect(Object.keys(priorities).toSorted()).toEqual(["reset_password", "verify_email"]);
    expect(priorities.reset_password).toBeLessThan(priorities.verify_email ?? 0);
  } finally {
    await unreachable.stop();
  }
});

describe("whether an address is known is not told", () => {
  /** Asserts that the two answers are the same, and that they needed the same number of round trips to the database. */
  async function expectSame(known: () => Promise<Response>, unknown: () => Promise<Response>) {
    const answers = [];
    for (const call of [known, unknown]) {
      const before = service.trips();
      const answer = await call();
      answers.push({ ...(await whole(answer)), trips: service.trips() - before });
    }
    expect(answers[0]).toEqual(answers[1] ?? expect.anything());
    return answers[1]?.status;
  }

  test.each([
    ["a network that it is known from", {}],
    ["another network", from("198.51.100.250")],
  ])(
    "by /users/password/otp from %s, the first time, in the wait, and when the day's are used up",
    async (_, headers) => {
      const { address } = await verifiedUser();
      const nobodys = newAddress();
      const ask = () =>
        expectSame(
          () => sendReset(address, headers),
          () => sendReset(nobodys, headers),
        );
      for (let i = 0; i < 10; i++) {
        expect(await ask()).toBe(202);
        expect(await ask()).toBe(429);
        await pass(300);
      }
      expect(await ask()).toBe(429);
      const mails = await recipients();
      expect(mails.filter((recipient) => recipient === address)).toHaveLength(10);
      expect(mails).not.toContain(nobodys);
    },
  );

  test("by /users/password/otp while three codes are good", async () => {
    const { address } = await verifiedUser();
    const nobodys = newAddress();
    for (let i = 0; i < 5; i++) {
      const status = await expectSame(
        () => sendReset(address),
        () => sendReset(nobodys),
      );
      expect(status).toBe(202);
      await pass(60);
    }
  });

  test("by /users/password/reset, asked for or not, with a good password or a weak one", async () => {
    const [asked, idle] = [await resetting(), await verifiedUser()];
    const nobodys = newAddress();
    await sendReset(nobodys);
    const wrong = wrongCode(asked.code);
    for (const address of [asked.address, idle.address]) {
      for (const password of [NEW_PASSWORD, "password123", asked.username.padEnd(8, "!")]) {
        const host = newHost();
        for (let i = 0; i < 6; i++) {
          const status = await expectSame(
            () => reset(address, wrong, password, host),
            () => reset(nobodys, wrong, password, host),
          );
          expect(status).toBe(password === "password123" ? 422 : i < 5 ? 400 : 429);
        }
        await pass(900);
      }
    }
  });
});

describe("a reset", () => {
  test("sets the password, ends every session, and tells the address", async () => {
    const { username, token, refresh_token, address, code } = await resetting();
    const other = await service.logIn(username);
    const answer = await reset(address.toUpperCase(), code);
    expect(answer.status).toBe(204);
    expect(await answer.text()).toBe("");
    for (const each of [token, other.token]) {
      expect((await service.call("GET", "/users/me", { token: each })).status).toBe(401);
    }
    for (const json of [{ refresh_token }, { refresh_token: other.refresh_token }]) {
      expect((await service.call("POST", "/users/refresh", { json })).status).toBe(401);
    }
    expect((await logIn(username)).status).toBe(401);
    expect((await logIn(username, NEW_PASSWORD)).status).toBe(200);
    const { subject, text } = await service.nextMail(address);
    expect(subject).toBe("Your password was reset");
    expect(text).not.toContain(username);
  });

  test("works while log-ins are throttled, and opens them from every network", async () => {
    const { username, address, code } = await resetting();
    const places = [newHost(), newHost()];
    for (const host of places) {
      await times(5, () => logIn(username, "wrong horse", host));
      await expectProblem(await logIn(address, PASSWORD, host), THROTTLED);
    }
    expect((await reset(address, code)).status).toBe(204);
    for (const host of places) {
      expect((await logIn(username, NEW_PASSWORD, host)).status).toBe(200);
      expect((await logIn(address, NEW_PASSWORD, host)).status).toBe(200);
    }
  });

  test("with a weak password leaves the code good, and counts no failure", async () => {
    const { username, address, code } = await resetting();
    for (let i = 0; i < 3; i++) {
      for (const weak of ["password123", `${username.toUpperCase()}-12345`]) {
        const faults = await expectProblem(await reset(address, code, weak), [
          422,
          "weak_password",
        ]);
        expect(faults.map(({ pointer }) => pointer)).toEqual(["/new_password"]);
      }
    }
    expect((await reset(address, code)).status).toBe(204);
  });

  test("is refused a common password before anything is judged", async () => {
    const { address, code } = await resetting();
    const trips = service.trips();
    const answers = await times(10, () => reset(address, code, "password123"));
    expect(tally(answers)).toEqual({ 422: 10 });
    expect(service.trips()).toBe(trips);
    expect((await reset(address, code)).status).toBe(204);
  });
});

describe("deletion of the user", () => {
  test("takes the codes with it, and leaves the address free", async () => {
    const user = await resetting();
    const { token, address, code } = user;
    await pass(60);
    await sendVerification(token, newAddress(), { password: PASSWORD });
    const json = { password: PASSWORD };
    expect((await service.call("DELETE", "/users/me", { token, json })).status).toBe(204);
    expect(
      await rowsOf(`SELECT * FROM ttl WHERE kind = 'reset_code' AND value = '${user.id}'`),
    ).toEqual([]);
    expect(await rowsOf(`SELECT * FROM verifications WHERE user_id = ${user.id}`)).toEqual([]);
    expect(await rowsOf(`SELECT * FROM ttl WHERE key LIKE 'u:${user.id}/%'`)).toEqual([]);
    await expectProblem(await reset(address, code), INVALID_OTP);
    await prove(await service.user(), address);
  });

  test("takes the mails with it that are not sent yet", async () => {
    // No server listens there, so the mails wait for the next attempt.
    const unreachable = await startService({ MAIL_URL: "smtp://127.0.0.1:1" });
    try {
      const { token } = await unreachable.user();
      const json = { email: newAddress() };
      const answer = await unreachable.call("POST", "/users/email/otp", { token, json });
      expect(answer.status).toBe(202);
      const { $client: client } = unreachable.services.database;
      expect((await client.execute("SELECT id FROM outbox")).rows).toHaveLength(1);
      const password = { password: PASSWORD };
      const deleted = await unreachable.call("DELETE", "/users/me", { token, json: password });
      expect(deleted.status).toBe(204);
      expect((await client.execute("SELECT id FROM outbox")).rows).toEqual([]);
    } finally {
      await unreachable.stop();
    }
  });
});
