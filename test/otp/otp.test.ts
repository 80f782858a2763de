/** One-time passwords over HTTP, with the mails read from a real SMTP server: to verify an address, and to reset. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Expected, expectProblem, whole } from "../http/answers.ts";
import { tally, times } from "../parallel.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

const INVALID_OTP: Expected = [400, "invalid_otp"];
const COOLDOWN: Expected = [429, "otp_cooldown"];
const NEW_PASSWORD = "staple battery correct";
const DAY = 24 * 3600;

let service: Service;

beforeAll(async () => {
  service = await startService();
  service.stopClock();
});
afterAll(() => service.stop());

let addresses = 0;
const newAddress = () => `mina-${++addresses}@example.com`;

type User = Awaited<ReturnType<Service["user"]>>;
type Headers = Record<string, string>;

const sendVerification = (token: string, email: string, headers: Headers = {}) =>
  service.call("POST", "/users/email/otp", { token, json: { email }, headers });
const verify = (token: string, otp: string) =>
  service.call("POST", "/users/email/otp/verify", { token, json: { otp } });
const sendReset = (email: string, headers: Headers = {}) =>
  service.call("POST", "/users/password/otp", { json: { email }, headers });
const reset = (email: string, otp: string, new_password = NEW_PASSWORD) =>
  service.call("POST", "/users/password/reset", { json: { email, otp, new_password } });
const signUp = (username: string, email: string, headers: Headers = {}) =>
  service.call("POST", "/users/sign-up", {
    json: { username, password: PASSWORD, email },
    headers,
  });
const logIn = (username: string, password = PASSWORD) =>
  service.call("POST", "/users/log-in", { json: { username, password } });

async function me(token: string) {
  return (await service.call("GET", "/users/me", { token })).json();
}

/** Lets the user prove `address`. */
async function prove(user: User, address: string): Promise<void> {
  expect((await sendVerification(user.token, address)).status).toBe(202);
  expect((await verify(user.token, await service.nextOtp(address))).status).toBe(200);
}

async function verifiedUser() {
  const user = await service.user();
  const address = newAddress();
  await prove(user, address);
  return { ...user, address };
}

/** Asserts that `answer` is 429 and gives its `Retry-After`, in seconds. */
async function expectCooldown(answer: Response): Promise<number> {
  await expectProblem(answer, COOLDOWN);
  return Number(answer.headers.get("retry-after"));
}

/** `count` different codes, none of which is `otp`. */
const wrongCodes = (otp: string, count: number) =>
  Array.from({ length: count }, (_, i) => String((Number(otp) + 1 + i) % 1e6).padStart(6, "0"));

async function rowsOf(sql: string): Promise<unknown[][]> {
  const { rows } = await service.services.database.$client.execute(sql);
  return rows.map((row) => Object.values(row));
}

/** A one-time password that was asked for. */
interface Asked {
  address: string;
  send: (headers?: Headers) => Promise<Response>;
  guess: (otp: string) => Promise<Response>;
}

async function askToVerify(): Promise<Asked> {
  const { token } = await service.user();
  const address = newAddress();
  return {
    address,
    send: (headers) => sendVerification(token, address, headers),
    guess: (otp) => verify(token, otp),
  };
}

async function askToReset(): Promise<Asked> {
  const { address } = await verifiedUser();
  return {
    address,
    send: (headers) => sendReset(address, headers),
    guess: (otp) => reset(address, otp),
  };
}

describe.each([
  ["to verify an address", askToVerify, 200, /verify/, /확인/],
  ["to reset a password", askToReset, 204, /reset/, /재설정/],
])("a one-time password %s", (_purpose, prepare, done, english, korean) => {
  /** Asks, and reads the mail. */
  async function ask() {
    const asked = await prepare();
    expect((await asked.send()).status).toBe(202);
    return { ...asked, otp: await service.nextOtp(asked.address) };
  }

  test("is sent, and the answer tells its times and nothing else", async () => {
    const { send, address } = await prepare();
    const answer = await send();
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({ expires_in: 180, resend_after: 60 });
    const { subject, to, text, html } = await service.nextMail(address);
    expect(to).toEqual([{ name: "", address }]);
    expect(subject).toMatch(english);
    const [otp] = /\b\d{6}\b/.exec(text ?? "") ?? [];
    expect(html).toContain(`${otp}`);
    expect(subject).not.toContain(`${otp}`);
  });

  test("is told in Korean to those who prefer it, and else in English", async () => {
    const { send, address } = await prepare();
    await send({ "accept-language": "ko-KR, en;q=0.8" });
    expect((await service.nextMail(address)).subject).toMatch(korean);
    service.passSeconds(60);
    await send({ "accept-language": "fr, en;q=0.8, ko;q=0.5" });
    expect((await service.nextMail(address)).subject).toMatch(english);
  });

  test("is good once", async () => {
    const { otp, guess } = await ask();
    expect((await guess(otp)).status).toBe(done);
    await expectProblem(await guess(otp), INVALID_OTP);
  });

  test("is good after four that were wrong, which are all told the same", async () => {
    const { otp, guess } = await ask();
    const fullWidth = otp.replaceAll(/\d/g, (digit) =>
      String.fromCodePoint(0xff10 + Number(digit)),
    );
    const refusals = [];
    for (const wrong of [` ${otp}`, `${otp}0`, otp.slice(0, 5), fullWidth]) {
      const answer = await guess(wrong);
      refusals.push(await whole(answer.clone()));
      await expectProblem(answer, INVALID_OTP);
    }
    for (const refusal of refusals.slice(1)) expect([refusal]).toEqual(refusals.slice(0, 1));
    expect((await guess(otp)).status).toBe(done);
  });

  test("is no longer good after five that were wrong", async () => {
    const { otp, guess } = await ask();
    const answers = await Promise.all(wrongCodes(otp, 5).map(guess));
    expect(tally(answers)).toEqual({ 400: 5 });
    await expectProblem(await guess(otp), INVALID_OTP);
  });

  test("of 100 guesses at once no more than five are judged, and then the right one fails", async () => {
    const { otp, guess } = await ask();
    const fifth = Promise.withResolvers<void>();
    let answered = 0;
    const guesses = wrongCodes(otp, 99).map(async (wrong) => {
      const answer = await guess(wrong);
      if (++answered === 5) fifth.resolve();
      return answer;
    });
    await fifth.promise;
    // The others are still on their way.
    const right = await guess(otp);
    for (const answer of [right, ...(await Promise.all(guesses)), await guess(otp)]) {
      await expectProblem(answer, INVALID_OTP);
    }
  });

  test("sent twice at once succeeds once", async () => {
    const { otp, guess } = await ask();
    expect(tally(await times(2, () => guess(otp)))).toEqual({ [done]: 1, 400: 1 });
  });

  test("is replaced by a new one, which has five tries of its own", async () => {
    const { otp: first, address, send, guess } = await ask();
    await Promise.all(wrongCodes(first, 5).map(guess));
    service.passSeconds(60);
    expect((await send()).status).toBe(202);
    const second = await service.nextOtp(address);
    await expectProblem(await guess(first), INVALID_OTP);
    expect((await guess(second)).status).toBe(done);
  });

  test("is good for 179 seconds, and not for 180", async () => {
    const { otp, address, send, guess } = await ask();
    service.passSeconds(180);
    await expectProblem(await guess(otp), INVALID_OTP);
    expect((await send()).status).toBe(202);
    const next = await service.nextOtp(address);
    service.passSeconds(179);
    expect((await guess(next)).status).toBe(done);
  });

  test("is not replaced within 60 seconds, as Retry-After tells", async () => {
    const { otp, send, guess } = await ask();
    expect(await expectCooldown(await send())).toBe(60);
    service.passSeconds(59);
    expect(await expectCooldown(await send())).toBe(1);
    expect((await guess(otp)).status).toBe(done);
    // Nor once it is used.
    expect(await expectCooldown(await send())).toBe(1);
    service.passSeconds(1);
    expect((await send()).status).toBe(202);
  });

  test("asked for twenty times at once is sent once", async () => {
    const { address, send, guess } = await prepare();
    expect(tally(await times(20, () => send()))).toEqual({ 202: 1, 429: 19 });
    const mails = await service.mails();
    expect(mails.filter(({ recipients }) => recipients.includes(address))).toHaveLength(1);
    expect((await guess(await service.nextOtp(address))).status).toBe(done);
  });

  test("can be read nowhere but in the mail", async () => {
    const { otp } = await ask();
    const kept = await rowsOf("SELECT kind, key, value FROM ttl");
    expect(kept.length).toBeGreaterThan(0);
    expect(JSON.stringify(kept)).not.toContain(otp);
    expect(await rowsOf("SELECT * FROM outbox")).toEqual([]);
  });
});

describe("ten sends a day", () => {
  /** Sends again and again, as soon as it may, from the first of the day to the last. */
  async function useUp(send: (i: number) => Promise<Response>): Promise<void> {
    for (let i = 0; i < 10; i++) {
      expect((await send(i)).status).toBe(202);
      service.passSeconds(60);
    }
  }

  test("to one address, counted for both purposes", async () => {
    const { token, address } = await verifiedUser();
    const { token: otherToken } = await service.user();
    for (let i = 1; i < 10; i++) {
      const send = [
        () => sendReset(address.toUpperCase()),
        () => sendVerification(token, address),
        () => sendVerification(otherToken, address),
      ][i % 3];
      service.passSeconds(60);
      expect((await send?.())?.status).toBe(202);
    }
    service.passSeconds(60);
    const left = DAY - 10 * 60;
    expect(await expectCooldown(await sendReset(address))).toBe(left);
    expect(await expectCooldown(await sendVerification(token, address))).toBe(left);
    expect(await expectCooldown(await sendVerification(otherToken, address))).toBe(left);
    // The users are not refused, but the address is.
    expect((await sendVerification(token, newAddress())).status).toBe(202);
    service.passSeconds(left - 1);
    expect(await expectCooldown(await sendReset(address))).toBe(1);
    service.passSeconds(1);
    expect((await sendReset(address)).status).toBe(202);
  });

  test("by one user, to whatever addresses", async () => {
    const user = await service.user();
    await useUp(() => sendVerification(user.token, newAddress()));
    const fresh = newAddress();
    const left = DAY - 10 * 60;
    expect(await expectCooldown(await sendVerification(user.token, fresh))).toBe(left);
    const other = await service.user();
    expect((await sendVerification(other.token, fresh)).status).toBe(202);
    service.passSeconds(left);
    const { refresh_token } = user;
    const refreshed = await service.call("POST", "/users/refresh", { json: { refresh_token } });
    const { access_token } = await refreshed.json();
    expect((await sendVerification(access_token, fresh)).status).toBe(202);
  });

  test("of two at once for the tenth, one is sent", async () => {
    const address = newAddress();
    const [one, other] = [await service.user(), await service.user()];
    for (let i = 0; i < 9; i++) {
      expect((await sendVerification(one.token, address)).status).toBe(202);
      service.passSeconds(60);
    }
    const answers = await Promise.all([
      sendVerification(one.token, address),
      sendVerification(other.token, address),
    ]);
    expect(tally(answers)).toEqual({ 202: 1, 429: 1 });
  });
});

describe("a code is good for nothing but what it was sent for:", () => {
  test("not for the other purpose", async () => {
    const { token, address } = await verifiedUser();
    service.passSeconds(60);
    expect((await sendReset(address)).status).toBe(202);
    const toReset = await service.nextOtp(address);
    expect((await sendVerification(token, address)).status).toBe(202);
    const toVerify = await service.nextOtp(address);
    await expectProblem(await reset(address, toVerify), INVALID_OTP);
    await expectProblem(await verify(token, toReset), INVALID_OTP);
    expect((await verify(token, toVerify)).status).toBe(200);
    expect((await reset(address, toReset)).status).toBe(204);
  });

  test("not for another user, whether they have one of their own or none", async () => {
    const [mina, jiho, sora] = [await service.user(), await service.user(), await service.user()];
    const [minas, jihos] = [newAddress(), newAddress()];
    await sendVerification(mina.token, minas);
    await sendVerification(jiho.token, jihos);
    const [minasOtp, jihosOtp] = [await service.nextOtp(minas), await service.nextOtp(jihos)];
    await expectProblem(await verify(jiho.token, minasOtp), INVALID_OTP);
    await expectProblem(await verify(sora.token, minasOtp), INVALID_OTP);
    expect(await (await verify(jiho.token, jihosOtp)).json()).toMatchObject({ email: jihos });
    expect(await (await verify(mina.token, minasOtp)).json()).toMatchObject({ email: minas });
  });

  test("not for another address to verify", async () => {
    const { token } = await service.user();
    const [first, second] = [newAddress(), newAddress()];
    await sendVerification(token, first);
    const toFirst = await service.nextOtp(first);
    service.passSeconds(60);
    await sendVerification(token, second);
    const toSecond = await service.nextOtp(second);
    await expectProblem(await verify(token, toFirst), INVALID_OTP);
    expect(await (await verify(token, toSecond)).json()).toMatchObject({ email: second });
  });

  test("not for another address to reset", async () => {
    const [mina, jiho] = [await verifiedUser(), await verifiedUser()];
    await sendReset(mina.address);
    await sendReset(jiho.address);
    const otp = await service.nextOtp(mina.address);
    await expectProblem(await reset(jiho.address, otp), INVALID_OTP);
    await expectProblem(await reset(newAddress(), otp), INVALID_OTP);
    expect((await reset(mina.address, otp)).status).toBe(204);
  });

  test("not for whoever had the address when it was sent", async () => {
    const user = await verifiedUser();
    await sendReset(user.address);
    const otp = await service.nextOtp(user.address);
    service.passSeconds(60);
    await prove(user, newAddress());
    await expectProblem(await reset(user.address, otp), INVALID_OTP);
  });
});

describe("whether an address is known is not told", () => {
  /** Asserts that the two answers differ in nothing, and so do the trips to the database that they took. */
  async function expectSame(known: () => Promise<Response>, unknown: () => Promise<Response>) {
    const answers = [];
    for (const call of [known, unknown]) {
      const before = service.trips();
      const answer = await call();
      answers.push({ ...(await whole(answer)), trips: service.trips() - before });
    }
    expect(answers[0]).toEqual(answers[1]);
    return answers[1]?.status;
  }

  test("by /users/password/otp, the first time, in the cooldown, and when the day's are used up", async () => {
    const { address } = await verifiedUser();
    const nobodys = newAddress();
    service.passSeconds(DAY);
    const ask = () =>
      expectSame(
        () => sendReset(address),
        () => sendReset(nobodys),
      );
    for (let i = 0; i < 10; i++) {
      expect(await ask()).toBe(202);
      expect(await ask()).toBe(429);
      await service.mails();
      service.passSeconds(60);
    }
    expect(await ask()).toBe(429);
    const mails = (await service.mails()).flatMap(({ recipients }) => recipients);
    expect(mails.filter((recipient) => recipient === address)).toHaveLength(10);
    expect(mails).not.toContain(nobodys);
  });

  test("by /users/password/otp, when its user has used up their own sends of the day", async () => {
    const { token, address } = await verifiedUser();
    for (let i = 1; i < 10; i++) {
      service.passSeconds(60);
      expect((await sendVerification(token, newAddress())).status).toBe(202);
    }
    const nobodys = newAddress();
    const ask = () =>
      expectSame(
        () => sendReset(address),
        () => sendReset(nobodys),
      );
    expect(await ask()).toBe(202);
    expect(await ask()).toBe(429);
  });

  test("by /users/password/reset, asked for or not, with a good password or a weak one", async () => {
    const [asked, idle] = [await verifiedUser(), await verifiedUser()];
    const nobodys = newAddress();
    await sendReset(asked.address);
    await sendReset(nobodys);
    const otp = await service.nextOtp(asked.address);
    const [wrong = ""] = wrongCodes(otp, 1);
    for (const address of [asked.address, idle.address]) {
      for (const password of [NEW_PASSWORD, "password123", asked.username.padEnd(8, "!")]) {
        const status = await expectSame(
          () => reset(address, wrong, password),
          () => reset(nobodys, wrong, password),
        );
        expect(status).toBe(password === "password123" ? 422 : 400);
      }
    }
  });
});

describe("the address", () => {
  test("is in GET /users/me once it is verified, in lower case, and not before", async () => {
    const user = await service.user();
    const address = newAddress();
    expect((await sendVerification(user.token, address.toUpperCase())).status).toBe(202);
    expect(await me(user.token)).toMatchObject({ email: null });
    const answer = await verify(user.token, await service.nextOtp(address));
    expect(answer.status).toBe(200);
    const { id, username } = user;
    const found = await answer.json();
    expect(found).toEqual({ id, username, email: address, created_at: expect.any(String) });
    expect(await me(user.token)).toEqual(found);
  });

  test("is good to log in by once it is verified, in any case, and not before", async () => {
    const user = await service.user();
    const address = newAddress();
    await sendVerification(user.token, address);
    expect((await logIn(address)).status).toBe(401);
    await verify(user.token, await service.nextOtp(address));
    expect((await logIn(address)).status).toBe(200);
    expect((await logIn(address.toUpperCase())).status).toBe(200);
    const body = new URLSearchParams({ username: address, password: PASSWORD });
    expect((await service.call("POST", "/token", { body })).status).toBe(200);
  });

  test("is given up for another, and then free for others", async () => {
    const user = await verifiedUser();
    const next = newAddress();
    service.passSeconds(60);
    await prove(user, next);
    expect(await me(user.token)).toMatchObject({ email: next });
    expect((await logIn(user.address)).status).toBe(401);
    const other = await service.user();
    await prove(other, user.address);
    expect(await me(other.token)).toMatchObject({ email: user.address });
  });

  test("takes no code along to whoever has it next", async () => {
    const user = await verifiedUser();
    await sendReset(user.address);
    const otp = await service.nextOtp(user.address);
    service.passSeconds(60);
    await prove(user, newAddress());
    const other = await service.user();
    await prove(other, user.address);
    await expectProblem(await reset(user.address, otp), INVALID_OTP);
    expect((await logIn(other.username)).status).toBe(200);
  });

  test("may be 254 characters long", async () => {
    const { token } = await service.user();
    const domain = ["b", "c", "d"].map((letter) => letter.repeat(61)).join(".");
    const address = `${"a".repeat(64)}@${domain}.com`;
    expect(address).toHaveLength(254);
    expect((await sendVerification(token, address)).status).toBe(202);
    // The SMTP server here takes one character less than RFC 5321 would have it.
    const shorter = address.slice(1);
    service.passSeconds(60);
    expect((await sendVerification(token, shorter)).status).toBe(202);
    expect((await verify(token, await service.nextOtp(shorter))).status).toBe(200);
    expect((await logIn(shorter)).status).toBe(200);
  });

  test("that two users ask to verify is whose who first proves to have it", async () => {
    const [claimant, owner] = [await service.user(), await service.user()];
    const address = newAddress();
    expect((await sendVerification(claimant.token, address)).status).toBe(202);
    const claimantsOtp = await service.nextOtp(address);
    expect((await sendVerification(owner.token, address)).status).toBe(202);
    expect((await verify(owner.token, await service.nextOtp(address))).status).toBe(200);
    await expectProblem(await verify(claimant.token, claimantsOtp), INVALID_OTP);
    expect(await me(claimant.token)).toMatchObject({ email: null });
    expect(await me(owner.token)).toMatchObject({ email: address });
  });

  test("that two users prove at once is one's alone", async () => {
    const users = [await service.user(), await service.user()];
    const address = newAddress();
    const attempts = [];
    for (const { token } of users) {
      await sendVerification(token, address);
      const otp = await service.nextOtp(address);
      attempts.push(() => verify(token, otp));
    }
    const answers = await Promise.all(attempts.map((attempt) => attempt()));
    expect(tally(answers)).toEqual({ 200: 1, 400: 1 });
    const found = await Promise.all(users.map(({ token }) => me(token)));
    expect(found.map(({ email }) => email).toSorted()).toEqual([address, null]);
  });

  test("that is somebody's stays theirs, whoever claims it", async () => {
    const { token, address } = await verifiedUser();
    const claimant = await service.user();
    expect((await sendVerification(claimant.token, address)).status).toBe(202);
    const otp = await service.nextOtp(address);
    await expectProblem(await verify(claimant.token, otp), INVALID_OTP);
    expect((await signUp("claimant", address)).status).toBe(201);
    expect(await me(token)).toMatchObject({ email: address });
    // Nor do the claims keep its user from a reset.
    expect((await sendReset(address)).status).toBe(202);
  });
});

describe("a reset", () => {
  async function resetting() {
    const user = await verifiedUser();
    expect((await sendReset(user.address)).status).toBe(202);
    return { ...user, otp: await service.nextOtp(user.address) };
  }

  test("sets the password and ends every session", async () => {
    const { username, token, refresh_token, address, otp } = await resetting();
    const other = await service.logIn(username);
    const answer = await reset(address.toUpperCase(), otp);
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
  });

  test("works while log-ins are throttled, and opens them", async () => {
    const { username, address, otp } = await resetting();
    for (const name of [username, address]) {
      await times(5, () => logIn(name, "wrong horse"));
      await expectProblem(await logIn(name), [429, "too_many_attempts"]);
    }
    expect((await reset(address, otp)).status).toBe(204);
    for (const name of [username, address]) {
      expect((await logIn(name, NEW_PASSWORD)).status).toBe(200);
    }
  });

  test("with a weak password leaves the code good", async () => {
    const { username, address, otp } = await resetting();
    for (const weak of ["password123", `${username.toUpperCase()}-12345`]) {
      const faults = await expectProblem(await reset(address, otp, weak), [422, "weak_password"]);
      expect(faults.map(({ pointer }) => pointer)).toEqual(["/new_password"]);
    }
    expect((await reset(address, otp)).status).toBe(204);
  });

  test("is refused a common password before anything is judged", async () => {
    const { address, otp } = await resetting();
    const trips = service.trips();
    const answers = await times(10, () => reset(address, otp, "password123"));
    expect(tally(answers)).toEqual({ 422: 10 });
    expect(service.trips()).toBe(trips);
    expect((await reset(address, otp)).status).toBe(204);
  });

  test("tried a hundred times at once with the user name in it is judged five times", async () => {
    const { username, address, otp } = await resetting();
    const answers = await times(100, () => reset(address, otp, username.padEnd(8, "!")));
    expect(tally(answers)).toEqual({ 422: 5, 400: 95 });
    await expectProblem(await reset(address, otp), INVALID_OTP);
  });
});

describe("sign-up with an address", () => {
  test("is sign-up followed by asking to verify it", async () => {
    const address = newAddress();
    const answer = await signUp("sora", address.toUpperCase());
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe("/users/me");
    expect(await answer.json()).toEqual({ id: expect.any(Number), username: "sora" });
    const { token } = await service.logIn("sora");
    expect(await me(token)).toMatchObject({ email: null });
    expect(await expectCooldown(await sendVerification(token, newAddress()))).toBe(60);
    const otp = await service.nextOtp(address);
    expect((await verify(token, otp)).status).toBe(200);
    expect(await me(token)).toMatchObject({ email: address });
  });

  test("writes in the language of the request", async () => {
    const address = newAddress();
    await signUp("yuna", address, { "accept-language": "ko" });
    expect((await service.nextMail(address)).subject).toMatch(/확인/);
  });

  test("is 201 also when no mail may go there today", async () => {
    const address = newAddress();
    for (let i = 0; i < 10; i++) {
      expect((await sendReset(address)).status).toBe(202);
      service.passSeconds(60);
    }
    expect((await signUp("late", address)).status).toBe(201);
    const { token } = await service.logIn("late");
    await expectCooldown(await sendVerification(token, address));
    const recipients = (await service.mails()).flatMap((mail) => mail.recipients);
    expect(recipients).not.toContain(address);
    // Nothing was sent, so nothing has to be waited for.
    expect((await sendVerification(token, newAddress())).status).toBe(202);
  });

  test("under a name that is taken sends nothing", async () => {
    const address = newAddress();
    expect((await signUp("taken", newAddress())).status).toBe(201);
    await expectProblem(await signUp("Taken", address), [409, "username_taken"]);
    const recipients = (await service.mails()).flatMap((mail) => mail.recipients);
    expect(recipients).not.toContain(address);
    const user = await service.user();
    await prove(user, address);
  });
});

describe("deletion of the user", () => {
  test("takes the one-time passwords with it, and leaves the address free", async () => {
    const user = await verifiedUser();
    const { token, address } = user;
    service.passSeconds(60);
    await sendVerification(token, newAddress());
    await sendReset(address);
    const otp = await service.nextOtp(address);
    const json = { password: PASSWORD };
    expect((await service.call("DELETE", "/users/me", { token, json })).status).toBe(204);
    const left = await rowsOf(
      `SELECT key FROM ttl WHERE kind = 'otp' AND key IN ('verify_email:${user.id}', 'reset_password:${address}')`,
    );
    expect(left).toEqual([]);
    await expectProblem(await reset(address, otp), INVALID_OTP);
    await prove(await service.user(), address);
  });

  test("takes the mails with it that are not sent yet", async () => {
    // Nobody listens there, so they wait for the next attempt.
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
