/** Verifying an address over HTTP. The mails are read from a real SMTP server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Expected, expectProblem, whole } from "../http/answers.ts";
import { tally, times } from "../parallel.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import { newAddress, otpRequests, retryAfter, wrongDigits } from "./requests.ts";

const INVALID_OTP: Expected = [400, "invalid_otp"];
const DAY = 24 * 3600;

let service: Service;
const { sendVerification, verify, sendReset, signUp, logIn, me, prove, verifiedUser, rowsOf } =
  otpRequests(() => service);
const { recipients } = otpRequests(() => service);

beforeAll(async () => {
  service = await startService();
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

/** A user without an address, who has asked to verify one. */
async function asking() {
  const user = await service.user();
  const address = newAddress();
  expect((await sendVerification(user.token, address)).status).toBe(202);
  return { ...user, address, otp: await service.nextOtp(address) };
}

describe("a one-time password to verify an address", () => {
  test("is sent, and the answer tells its times and nothing else", async () => {
    const { token } = await service.user();
    const address = newAddress();
    const answer = await sendVerification(token, address);
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({ expires_in: 180, resend_after: 60 });
    const { subject, to, text, html } = await service.nextMail(address);
    expect(to).toEqual([{ name: "", address }]);
    expect(subject).toMatch(/verify/);
    const [otp] = /\b\d{6}\b/.exec(text ?? "") ?? [];
    expect(html).toContain(`${otp}`);
    expect(subject).not.toContain(`${otp}`);
  });

  test("is told in Korean to those who prefer it, and else in English", async () => {
    const { token } = await service.user();
    const address = newAddress();
    await sendVerification(token, address, { headers: { "accept-language": "ko-KR, en;q=0.8" } });
    expect((await service.nextMail(address)).subject).toMatch(/확인/);
    await pass(60);
    await sendVerification(token, address, { headers: { "accept-language": "fr, ko;q=0" } });
    expect((await service.nextMail(address)).subject).toMatch(/verify/);
  });

  test("is good once", async () => {
    const { token, otp } = await asking();
    expect((await verify(token, otp)).status).toBe(200);
    await expectProblem(await verify(token, otp), INVALID_OTP);
  });

  test("is good after four that were wrong, which are all told the same", async () => {
    const { token, otp } = await asking();
    const fullWidth = otp.replaceAll(/\d/g, (digit) =>
      String.fromCodePoint(0xff10 + Number(digit)),
    );
    const refusals = [];
    for (const wrong of [` ${otp}`, `${otp}0`, otp.slice(0, 5), fullWidth]) {
      const answer = await verify(token, wrong);
      refusals.push(await whole(answer.clone()));
      await expectProblem(answer, INVALID_OTP);
    }
    for (const refusal of refusals.slice(1)) expect([refusal]).toEqual(refusals.slice(0, 1));
    expect((await verify(token, otp)).status).toBe(200);
  });

  test("is no longer good after five that were wrong", async () => {
    const { token, otp } = await asking();
    const answers = await Promise.all(wrongDigits(otp, 5).map((wrong) => verify(token, wrong)));
    expect(tally(answers)).toEqual({ 400: 5 });
    await expectProblem(await verify(token, otp), INVALID_OTP);
  });

  test("of 100 guesses at once no more than five are judged, and then the right one fails", async () => {
    const { token, otp } = await asking();
    const fifth = Promise.withResolvers<void>();
    let answered = 0;
    const guesses = wrongDigits(otp, 99).map(async (wrong) => {
      const answer = await verify(token, wrong);
      if (++answered === 5) fifth.resolve();
      return answer;
    });
    await fifth.promise;
    // The other requests are still under way.
    const right = await verify(token, otp);
    for (const answer of [right, ...(await Promise.all(guesses)), await verify(token, otp)]) {
      await expectProblem(answer, INVALID_OTP);
    }
  });

  test("sent twice at once succeeds once", async () => {
    const { token, otp } = await asking();
    expect(tally(await times(2, () => verify(token, otp)))).toEqual({ 200: 1, 400: 1 });
  });

  test("is replaced by a new one, which has five tries of its own", async () => {
    const { token, address, otp: first } = await asking();
    await Promise.all(wrongDigits(first, 5).map((wrong) => verify(token, wrong)));
    await pass(60);
    expect((await sendVerification(token, address)).status).toBe(202);
    const second = await service.nextOtp(address);
    await expectProblem(await verify(token, first), INVALID_OTP);
    expect((await verify(token, second)).status).toBe(200);
  });

  test("is good for 179 seconds, and not for 180", async () => {
    const { token, address, otp } = await asking();
    await pass(180);
    await expectProblem(await verify(token, otp), INVALID_OTP);
    expect((await sendVerification(token, address)).status).toBe(202);
    const next = await service.nextOtp(address);
    await pass(179);
    expect((await verify(token, next)).status).toBe(200);
  });

  test("is not replaced within 60 seconds, as Retry-After tells", async () => {
    const { token, address, otp } = await asking();
    const again = () => sendVerification(token, address, { password: PASSWORD });
    expect(await retryAfter(await again())).toBe(60);
    await pass(59);
    expect(await retryAfter(await again())).toBe(1);
    expect((await verify(token, otp)).status).toBe(200);
    // Also not when it was used.
    expect(await retryAfter(await again())).toBe(1);
    await pass(1);
    expect((await again()).status).toBe(202);
  });

  test("asked for twenty times at once is sent once", async () => {
    const { token } = await service.user();
    const address = newAddress();
    const answers = await times(20, () => sendVerification(token, address));
    expect(tally(answers)).toEqual({ 202: 1, 429: 19 });
    expect((await recipients()).filter((each) => each === address)).toHaveLength(1);
    expect((await verify(token, await service.nextOtp(address))).status).toBe(200);
  });

  test("can be read nowhere but in the mail, and nor can its address once it is used", async () => {
    const { token, address, otp } = await asking();
    const tables = ["SELECT * FROM ttl", "SELECT * FROM verifications", "SELECT * FROM outbox"];
    const kept = await Promise.all(tables.map(rowsOf));
    expect(kept[1]).not.toEqual([]);
    expect(JSON.stringify(kept)).not.toContain(otp);
    expect(JSON.stringify(kept[0])).not.toContain(address);
    await verify(token, otp);
    expect(JSON.stringify(await rowsOf("SELECT * FROM verifications"))).not.toContain(address);
  });

  test("leaves its address nowhere when it expires, once others are sent", async () => {
    // Each that is sent deletes only a few that have expired, and other tests have left many.
    await service.services.database.$client.execute("DELETE FROM verifications");
    const { address } = await asking();
    await pass(180);
    await asking();
    expect(JSON.stringify(await rowsOf("SELECT * FROM verifications"))).not.toContain(address);
  });
});

describe("what a one-time password is good for", () => {
  test("is not another user, whether they have one of their own or none", async () => {
    const [mina, jiho, sora] = [await asking(), await asking(), await service.user()];
    await expectProblem(await verify(jiho.token, mina.otp), INVALID_OTP);
    await expectProblem(await verify(sora.token, mina.otp), INVALID_OTP);
    for (const { token, otp, address } of [mina, jiho]) {
      expect(await (await verify(token, otp)).json()).toMatchObject({ email: address });
    }
  });

  test("is not the address that it was asked for before", async () => {
    const { token, otp: first } = await asking();
    const second = newAddress();
    await pass(60);
    await sendVerification(token, second);
    const toSecond = await service.nextOtp(second);
    await expectProblem(await verify(token, first), INVALID_OTP);
    expect(await (await verify(token, toSecond)).json()).toMatchObject({ email: second });
  });

  // A row that is copied from another user's is worthless. It also does not show to whom the same digits were sent.
  test("is bound to the user by its MAC, however it was sent", async () => {
    const sent = await asking();
    const address = newAddress();
    await signUp("bound", address);
    const signedUp = { ...(await service.logIn("bound")), otp: await service.nextOtp(address) };
    const stolen = { ...(await service.user()) };
    for (const { token, otp } of [sent, signedUp]) {
      const mac = `SELECT otp_mac FROM verifications WHERE email IN ('${sent.address}', '${address}')`;
      const macs = (await rowsOf(mac)).flat();
      expect(new Set(macs).size).toBe(macs.length);
      await service.services.database.$client.execute({
        sql: `INSERT INTO verifications SELECT ?, 'copy', 'copy-' || email, otp_mac, 0, expires_at
              FROM verifications WHERE email = ? ON CONFLICT (user_id) DO UPDATE SET otp_mac = excluded.otp_mac`,
        args: [stolen.id, token === sent.token ? sent.address : address],
      });
      await expectProblem(await verify(stolen.token, otp), INVALID_OTP);
      expect((await verify(token, otp)).status).toBe(200);
    }
  });
});

describe("ten sends a day", () => {
  test("to one address, whoever asks", async () => {
    const users = [await service.user(), await service.user()];
    const address = newAddress();
    for (let i = 0; i < 10; i++) {
      const { token = "" } = users[i % 2] ?? {};
      expect((await sendVerification(token, address)).status).toBe(202);
      await pass(60);
    }
    const left = DAY - 10 * 60;
    for (const { token } of users) {
      expect(await retryAfter(await sendVerification(token, address))).toBe(left);
      // The users are not refused, but the address is.
      expect((await sendVerification(token, newAddress())).status).toBe(202);
    }
  });

  test("by one user, to whatever addresses", async () => {
    const user = await service.user();
    for (let i = 0; i < 10; i++) {
      expect((await sendVerification(user.token, newAddress())).status).toBe(202);
      await pass(60);
    }
    const fresh = newAddress();
    const left = DAY - 10 * 60;
    expect(await retryAfter(await sendVerification(user.token, fresh))).toBe(left);
    const other = await service.user();
    expect((await sendVerification(other.token, fresh)).status).toBe(202);
    await pass(left);
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
      await pass(60);
    }
    const answers = await Promise.all([
      sendVerification(one.token, address),
      sendVerification(other.token, address),
    ]);
    expect(tally(answers)).toEqual({ 202: 1, 429: 1 });
  });

  test("spend none of those that reset a password", async () => {
    const { address } = await verifiedUser();
    for (let i = 0; i < 12; i++) {
      const { token } = await service.user();
      await sendVerification(token, address);
      await pass(60);
    }
    const { token } = await service.user();
    expect(await retryAfter(await sendVerification(token, address))).toBeGreaterThan(0);
    await service.mails();
    expect((await sendReset(address)).status).toBe(202);
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
    const { token, address, otp } = await asking();
    expect((await logIn(address)).status).toBe(401);
    await verify(token, otp);
    expect((await logIn(address)).status).toBe(200);
    expect((await logIn(address.toUpperCase())).status).toBe(200);
    const body = new URLSearchParams({ username: address, password: PASSWORD });
    expect((await service.call("POST", "/token", { body })).status).toBe(200);
  });

  test("may be 254 characters long", async () => {
    const { token } = await service.user();
    const domain = ["b", "c", "d"].map((letter) => letter.repeat(61)).join(".");
    const address = `${"a".repeat(64)}@${domain}.com`;
    expect(address).toHaveLength(254);
    expect((await sendVerification(token, address)).status).toBe(202);
    // The SMTP server here accepts one character less than RFC 5321 allows.
    const shorter = address.slice(1);
    await pass(60);
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
    // These requests also do not prevent the user's password reset.
    expect((await sendReset(address)).status).toBe(202);
  });
});

describe("a change of a verified address", () => {
  test("takes the password, and tells the old address", async () => {
    const { token, address, username } = await verifiedUser();
    const next = newAddress();
    await pass(60);
    await expectProblem(await sendVerification(token, next), [403, "password_required"]);
    await expectProblem(await sendVerification(token, address), [403, "password_required"]);
    const wrong = await sendVerification(token, next, { password: "wrong horse" });
    await expectProblem(wrong, [403, "wrong_password"]);
    expect(await recipients()).not.toContain(next);
    expect((await sendVerification(token, next, { password: PASSWORD })).status).toBe(202);
    const otp = await service.nextOtp(next);
    expect(await recipients()).not.toContain(address);
    expect((await verify(token, otp, { "accept-language": "ko" })).status).toBe(200);
    const { subject, text } = await service.nextMail(address);
    expect(subject).toMatch(/바뀌었습니다/);
    expect(`${subject} ${text}`).not.toContain(next);
    expect(await me(token)).toMatchObject({ username, email: next });
    expect(await recipients()).not.toContain(next);
  });

  test("by a wrong password waits after five, by the session's own count", async () => {
    const { token, username } = await verifiedUser();
    const other = await service.logIn(username);
    await pass(60);
    const attempt = (each: string, password: string) =>
      sendVerification(each, newAddress(), { password });
    expect(tally(await times(5, () => attempt(token, "wrong horse")))).toEqual({ 403: 5 });
    expect(await retryAfter(await attempt(token, PASSWORD), "too_many_attempts")).toBe(30);
    // Neither the account nor its other sessions have to wait.
    expect((await logIn(username)).status).toBe(200);
    expect((await attempt(other.token, PASSWORD)).status).toBe(202);
  });

  test("with the right password is refused when five attempts failed while it was verified", async () => {
    const { token } = await verifiedUser();
    await pass(60);
    const { hasher } = service.services;
    const { verify: verifyNow } = hasher;
    const begun = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<void>();
    hasher.verify = async (hash, password, client) => {
      if (password === PASSWORD) {
        begun.resolve();
        await failed.promise;
      }
      return verifyNow(hash, password, client);
    };
    try {
      const next = newAddress();
      const right = sendVerification(token, next, { password: PASSWORD });
      await begun.promise;
      const wrong = await times(5, () =>
        sendVerification(token, next, { password: "wrong horse" }),
      );
      expect(tally(wrong)).toEqual({ 403: 5 });
      failed.resolve();
      expect(await retryAfter(await right, "too_many_attempts")).toBe(30);
      expect(await recipients()).not.toContain(next);
    } finally {
      hasher.verify = verifyNow;
    }
  });

  test("with the right password clears the session's count", async () => {
    const { token } = await verifiedUser();
    await pass(60);
    const attempt = (password: string) => sendVerification(token, newAddress(), { password });
    expect(tally(await times(4, () => attempt("wrong horse")))).toEqual({ 403: 4 });
    expect((await attempt(PASSWORD)).status).toBe(202);
    expect(tally(await times(4, () => attempt("wrong horse")))).toEqual({ 403: 4 });
    // The password is right again, but the wait between two mails is not over, so the request is refused.
    expect(await retryAfter(await attempt(PASSWORD))).toBe(60);
  });

  test("with a wrong password is refused before there is an address, too", async () => {
    const { token } = await service.user();
    const answer = await sendVerification(token, newAddress(), { password: "wrong horse" });
    await expectProblem(answer, [403, "wrong_password"]);
  });

  test("to the same one tells nobody", async () => {
    const user = await verifiedUser();
    await pass(60);
    await prove(user, user.address);
    expect(await recipients()).not.toContain(user.address);
  });

  test("leaves the old address free for others", async () => {
    const user = await verifiedUser();
    const next = newAddress();
    await pass(60);
    await prove(user, next);
    expect((await logIn(user.address)).status).toBe(401);
    const other = await service.user();
    await service.nextMail(user.address);
    await prove(other, user.address);
    expect(await me(other.token)).toMatchObject({ email: user.address });
  });

  test("cannot come by what was asked for without the password, before there was an address", async () => {
    const { token, otp: stolen } = await asking();
    await pass(60);
    const address = newAddress();
    await sendVerification(token, address);
    expect((await verify(token, await service.nextOtp(address))).status).toBe(200);
    await expectProblem(await verify(token, stolen), INVALID_OTP);
    expect(await me(token)).toMatchObject({ email: address });
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
    expect(await retryAfter(await sendVerification(token, newAddress()))).toBe(60);
    const otp = await service.nextOtp(address);
    for (const wrong of wrongDigits(otp, 4)) {
      await expectProblem(await verify(token, wrong), INVALID_OTP);
    }
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
    const { token: others } = await service.user();
    for (let i = 0; i < 10; i++) {
      expect((await sendVerification(others, address)).status).toBe(202);
      await service.nextMail(address);
      await pass(60);
    }
    expect((await signUp("late", address)).status).toBe(201);
    const { token } = await service.logIn("late");
    await retryAfter(await sendVerification(token, address));
    expect(await recipients()).not.toContain(address);
    // Nothing was sent, so there is no wait.
    expect((await sendVerification(token, newAddress())).status).toBe(202);
  });

  test("under a name that is taken sends nothing", async () => {
    const address = newAddress();
    expect((await signUp("taken", newAddress())).status).toBe(201);
    await expectProblem(await signUp("Taken", address), [409, "username_taken"]);
    expect(await recipients()).not.toContain(address);
    await prove(await service.user(), address);
  });
});
