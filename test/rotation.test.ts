/**
 * A change of `JWT_SECRET`, with the former one in `JWT_PREVIOUS_SECRETS`: everything that was issued before stays
 * valid.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { expectProblem } from "./http/answers.ts";
import { otpRequests } from "./otp/requests.ts";
import { temporaryFolder } from "./process.ts";
import { PASSWORD, type Service, startService } from "./service.ts";

const OLD = "the-secret-of-the-first-months-long-enough";
const NEW = "the-secret-of-the-months-after-long-enough";
const BEFORE = { JWT_SECRET: OLD };
const BETWEEN = { JWT_SECRET: NEW, JWT_PREVIOUS_SECRETS: OLD };
const AFTER = { JWT_SECRET: NEW };

/** Services that follow each other on one database. Each one is stopped before the next one starts. */
async function onOneDatabase() {
  const folder = temporaryFolder();
  let service: Service | undefined;
  return {
    async start(secrets: Record<string, string>): Promise<Service> {
      await service?.stop();
      const url = `file:${join(folder.path, "todos.db")}`;
      service = await startService({ DATABASE_URL: url, ...secrets });
      return service;
    },
    async [Symbol.asyncDispose]() {
      await service?.stop();
      folder[Symbol.dispose]();
    },
  };
}

const headerOf = (token: string) =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());

const refresh = (service: Service, refresh_token: string) =>
  service.call("POST", "/users/refresh", { json: { refresh_token } });

test("logs nobody out: tokens of before are good, and the next ones are signed anew", async () => {
  await using services = await onOneDatabase();
  const before = await services.start(BEFORE);
  const mina = await before.user("mina");

  const between = await services.start(BETWEEN);
  expect((await between.call("GET", "/todos", { token: mina.token })).status).toBe(200);
  const refreshed = await refresh(between, mina.refresh_token);
  expect(refreshed.status).toBe(200);
  const renewed = await refreshed.json();
  expect(headerOf(mina.token).kid).not.toBe(headerOf(renewed.access_token).kid);
  expect(headerOf(mina.refresh_token).kid).toBe(headerOf(mina.token).kid);
  expect(headerOf(renewed.refresh_token).kid).toBe(headerOf(renewed.access_token).kid);

  const after = await services.start(AFTER);
  expect((await after.call("GET", "/todos", { token: renewed.access_token })).status).toBe(200);
  expect((await refresh(after, renewed.refresh_token)).status).toBe(200);
  const gone = await after.call("GET", "/todos", { token: mina.token });
  await expectProblem(gone, [401, "unauthorized"]);
  await expectProblem(await refresh(after, mina.refresh_token), [401, "invalid_refresh_token"]);
});

test("keeps cursors", async () => {
  await using services = await onOneDatabase();
  const before = await services.start(BEFORE);
  const { token } = await before.user("mina");
  for (const contents of ["one", "two", "three"]) {
    await before.call("POST", "/todos", { token, json: { contents } });
  }
  const read = async (path: string) => (await before.call("GET", path, { token })).json();
  const pages = {
    "/todos?limit=2&cursor=": (await read("/todos?limit=2")).next_cursor,
    "/todos/changes?limit=2&since=": (await read("/todos/changes?limit=2")).next,
  };

  const between = await services.start(BETWEEN);
  const fresh = await between.logIn("mina");
  for (const [path, cursor] of Object.entries(pages)) {
    const answer = await between.call("GET", path + cursor, { token });
    expect(answer.status).toBe(200);
    const { todos, changes } = await answer.json();
    expect(todos ?? changes).toMatchObject([{ contents: "three" }]);
  }

  const after = await services.start(AFTER);
  for (const [path, cursor] of Object.entries(pages)) {
    const answer = await after.call("GET", path + cursor, { token: fresh.token });
    await expectProblem(answer, [422, "validation_failed"]);
  }
});

test("keeps the digits that verify an address, sent to new users and to others", async () => {
  await using services = await onOneDatabase();
  const before = await services.start(BEFORE);
  const requests = otpRequests(() => before);
  await requests.signUp("mina", "mina@example.com");
  const ofMina = await before.nextOtp("mina@example.com");
  const jiho = await before.user("jiho");
  await requests.sendVerification(jiho.token, "jiho@example.com");
  const ofJiho = await before.nextOtp("jiho@example.com");

  const between = await services.start(BETWEEN);
  const { verify } = otpRequests(() => between);
  const mina = await between.logIn("mina");
  await expectProblem(await verify(mina.token, ofJiho), [400, "invalid_otp"]);
  expect((await verify(mina.token, ofMina)).status).toBe(200);
  expect((await verify(jiho.token, ofJiho)).status).toBe(200);
});

test("keeps codes that reset a password, and the new secret alone keeps those that came after", async () => {
  await using services = await onOneDatabase();
  // Without a wait between two mails.
  const quick = { OTP_RESEND_AFTER: "0" };
  const before = await services.start({ ...BEFORE, ...quick });
  const requests = otpRequests(() => before);
  for (const name of ["mina", "jiho"]) {
    await requests.prove(await before.user(name), `${name}@example.com`);
    expect((await requests.sendReset(`${name}@example.com`)).status).toBe(202);
  }
  const ofMina = await before.nextOtp("mina@example.com");
  await before.nextOtp("jiho@example.com");

  const between = await services.start({ ...BETWEEN, ...quick });
  const { reset, sendReset } = otpRequests(() => between);
  expect((await reset("mina@example.com", ofMina)).status).toBe(204);
  // A code can be used once.
  await expectProblem(await reset("mina@example.com", ofMina), [400, "invalid_otp"]);
  expect((await sendReset("jiho@example.com")).status).toBe(202);
  const ofJiho = await between.nextOtp("jiho@example.com");
  expect((await reset("jiho@example.com", ofJiho)).status).toBe(204);

  const kim = await between.user("kim");
  await otpRequests(() => between).prove(kim, "kim@example.com");
  await sendReset("kim@example.com");
  const ofKim = await between.nextOtp("kim@example.com");
  const after = await services.start(AFTER);
  expect((await otpRequests(() => after).reset("kim@example.com", ofKim)).status).toBe(204);
});

test("forgets no count, whether anybody has the name or not", async () => {
  await using services = await onOneDatabase();
  const before = await services.start(BEFORE);
  await before.user("mina");
  const requests = otpRequests(() => before);
  for (const name of ["mina", "nobody"]) {
    for (let i = 0; i < 5; i++) await requests.logIn(name, `not the ${PASSWORD}`);
  }
  await requests.sendReset("nobody@example.com");
  for (let i = 0; i < 5; i++) await requests.reset("nobody@example.com", "AAAAA-AAAAA-AAA");

  const between = await services.start(BETWEEN);
  const { logIn, sendReset, reset, signUp } = otpRequests(() => between);
  for (const name of ["mina", "nobody"]) {
    await expectProblem(await logIn(name), [429, "too_many_attempts"]);
  }
  await expectProblem(await sendReset("nobody@example.com"), [429, "otp_cooldown"]);
  const guess = await reset("nobody@example.com", "AAAAA-AAAAA-AAA");
  await expectProblem(guess, [429, "too_many_attempts"]);

  // A user who takes the name begins without the failures of others.
  expect((await signUp("nobody", "nobody@example.com")).status).toBe(201);
  expect((await logIn("nobody")).status).toBe(200);
});
