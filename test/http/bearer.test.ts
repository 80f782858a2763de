/** Bearer tokens: every route needs one unless it is public, and all invalid tokens get the same answer. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { deriveKey, type Key } from "../../src/keys.ts";
import { PASSWORD, SECRET, type Service, startService } from "../service.ts";
import {
  CANARY,
  CHALLENGE,
  type Expected,
  expectProblem,
  INVALID_TOKEN,
  sendRaw,
  stored,
} from "./answers.ts";

const UNAUTHORIZED: Expected = [401, "unauthorized"];

/** All routes that answer without a bearer token. The paths of the docs all begin with `/swagger`. */
const publicRoutes = [
  "GET /",
  "GET /health/alive",
  "GET /health/ready",
  "POST /users/sign-up",
  "POST /users/log-in",
  "POST /users/refresh",
  "POST /users/password/otp",
  "POST /users/password/reset",
  "POST /token",
];

let service: Service;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** Asserts that `answer` is 401 with this challenge. */
async function expectChallenge(answer: Response, challenge: string): Promise<void> {
  await expectProblem(answer, UNAUTHORIZED);
  expect(answer.headers.get("www-authenticate")).toBe(challenge);
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

/** The key that the service signs tokens with, and a key of another secret. */
const signingKey = await deriveKey(SECRET, "tokens");
const otherKey = await deriveKey(`${SECRET}!`, "tokens");

type Json = Record<string, unknown>;

const base64url = (text: string) => Buffer.from(text).toString("base64url");

function decode(token: string): { header: Json; claims: Json } {
  const [header = "", claims = ""] = token.split(".");
  const parse = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
  return { header: parse(header), claims: parse(claims) };
}

/** A JWT, correctly signed unless `hash` is undefined. `undefined` leaves out a claim. */
function forge(
  header: Json,
  claims: Json,
  { key = signingKey, hash = "sha256" }: { key?: Key; hash?: string | null } = {},
): string {
  const message = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  const mac = hash === null ? "" : createHmac(hash, key).update(message).digest("base64url");
  return `${message}.${mac}`;
}

const withAuthorization = (authorization: string) =>
  service.call("GET", "/users/me", { headers: { authorization } });

describe("every route but the public ones", () => {
  test("answers 401 without a token, whatever else is wrong, and touches no data", async () => {
    const before = await stored(service);
    const trips = service.trips();
    const open: string[] = [];
    for (const { method, path } of service.app.routes) {
      if (path.startsWith("/swagger")) continue;
      const hasBody =
        ["POST", "PUT", "PATCH"].includes(method) || method + path === "DELETE/users/me";
      const answer = await service.call(method, `${path.replace(":id", CANARY)}?a=${CANARY}`, {
        ...(hasBody && { json: { [CANARY]: CANARY } }),
      });
      if (answer.status === 401) await expectChallenge(answer, CHALLENGE);
      else open.push(`${method} ${path}`);
    }
    expect(open.sort()).toEqual(publicRoutes.sort());
    expect(service.trips() - trips).toBeLessThanOrEqual(1); // `GET /health/ready`
    expect(await stored(service)).toBe(before);
  });

  test("answers 401 to a bad token, as to HEAD", async () => {
    for (const { method, path } of service.app.routes) {
      if (path.startsWith("/swagger") || publicRoutes.includes(`${method} ${path}`)) continue;
      const hasBody =
        ["POST", "PUT", "PATCH"].includes(method) || method + path === "DELETE/users/me";
      const answer = await service.call(method, path.replace(":id", "1"), {
        token: CANARY,
        ...(hasBody && { json: {} }),
      });
      await expectChallenge(answer, INVALID_TOKEN);
      if (method !== "GET") continue;
      const head = await service.call("HEAD", path.replace(":id", "1"), { token: CANARY });
      expect(head.status).toBe(401);
      expect(head.headers.get("www-authenticate")).toBe(INVALID_TOKEN);
    }
  });
});

describe("no credentials", () => {
  test("none at all", async () => {
    await expectChallenge(await service.call("GET", "/users/me"), CHALLENGE);
  });

  test("another scheme (RFC 6750 §3.1)", async () => {
    const { username, token } = await service.user();
    const basic = Buffer.from(`${username}:${PASSWORD}`).toString("base64");
    await expectChallenge(await withAuthorization(`Basic ${basic}`), CHALLENGE);
    await expectChallenge(await withAuthorization(`DPoP ${token}`), CHALLENGE);
    await expectChallenge(await withAuthorization(token), CHALLENGE);
    await expectChallenge(await withAuthorization(`Bearer${token}`), CHALLENGE);
  });

  test("a token in the query, a cookie or the body counts for nothing", async () => {
    const { token } = await service.user();
    for (const name of ["access_token", "token", "authorization"]) {
      const answer = await service.call("GET", `/todos?${name}=${token}`);
      await expectChallenge(answer, CHALLENGE);
    }
    const headers = { cookie: `access_token=${token}; authorization=Bearer%20${token}` };
    await expectChallenge(await service.call("GET", "/todos", { headers }), CHALLENGE);
    const json = { contents: "x", access_token: token };
    await expectChallenge(await service.call("POST", "/todos", { json }), CHALLENGE);
  });

  test("beside a good token, one in the query is an unknown parameter", async () => {
    const { token } = await service.user();
    const answer = await service.call("GET", `/todos?access_token=${token}`, { token });
    await expectProblem(answer, [422, "validation_failed"]);
  });
});

describe("a good token", () => {
  test("has the header and the claims of the contract", async () => {
    const { id, token } = await service.user();
    const { header, claims } = decode(token);
    expect(header).toEqual({
      alg: "HS256",
      typ: "at+jwt",
      kid: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(Object.keys(claims).sort()).toEqual(["aud", "exp", "iat", "iss", "jti", "sid", "sub"]);
    expect(claims.sub).toBe(String(id));
    expect(Number(claims.exp) - Number(claims.iat)).toBeWithin(1798, 1803);
  });

  test("is taken whatever the case of the scheme", async () => {
    const { token } = await service.user();
    for (const scheme of ["Bearer", "bearer", "BEARER"]) {
      expect((await withAuthorization(`${scheme} ${token}`)).status).toBe(200);
    }
  });

  test("is what this file forges, when it changes nothing", async () => {
    const { header, claims } = decode((await service.user()).token);
    expect((await withAuthorization(`Bearer ${forge(header, claims)}`)).status).toBe(200);
    const almostTooEarly = { ...claims, iat: Math.floor(Date.now() / 1000) + 50 };
    expect((await withAuthorization(`Bearer ${forge(header, almostTooEarly)}`)).status).toBe(200);
  });
});

type Bad = (good: { token: string; refresh_token: string; header: Json; claims: Json }) => string;

const now = () => Math.floor(Date.now() / 1000);
const claim =
  (change: Json): Bad =>
  ({ header, claims }) =>
    forge(header, { ...claims, ...change });
const header =
  (change: Json): Bad =>
  ({ header, claims }) =>
    forge({ ...header, ...change }, claims);

const badTokens: [name: string, bad: Bad][] = [
  ["empty", () => ""],
  ["a word", () => CANARY],
  ["three words", () => `${CANARY}.${CANARY}.${CANARY}`],
  ["dots alone", () => ".."],
  ["two tokens", ({ token }) => `${token} ${token}`],
  ["followed by something", ({ token }) => `${token}, ${CANARY}`],
  ["without its signature", ({ token }) => token.slice(0, token.lastIndexOf(".") + 1)],
  ["cut short", ({ token }) => token.slice(0, -1)],
  ["with padding", ({ token }) => `${token}=`],
  ["in another spelling", ({ token }) => respelt(token)],
  ["alg none", ({ header, claims }) => forge({ ...header, alg: "none" }, claims, { hash: null })],
  ["alg none with a signature", ({ header, claims }) => forge({ ...header, alg: "none" }, claims)],
  [
    "HS512 under the same secret",
    ({ header, claims }) => forge({ ...header, alg: "HS512" }, claims, { hash: "sha512" }),
  ],
  [
    "HS384 under the same secret",
    ({ header, claims }) => forge({ ...header, alg: "HS384" }, claims, { hash: "sha384" }),
  ],
  ["without alg", header({ alg: undefined })],
  ["signed with another secret", ({ header, claims }) => forge(header, claims, { key: otherKey })],
  [
    "signed with no secret",
    ({ header, claims }) => forge(header, claims, { key: new Uint8Array(0) }),
  ],
  ["a refresh token", ({ refresh_token }) => refresh_token],
  ["typ JWT", header({ typ: "JWT" })],
  ["typ rt+jwt", header({ typ: "rt+jwt" })],
  ["without typ", header({ typ: undefined })],
  ["of an unknown critical extension", header({ crit: [CANARY], [CANARY]: 1 })],
  ["of another issuer", claim({ iss: CANARY })],
  ["without iss", claim({ iss: undefined })],
  ["for another audience", claim({ aud: CANARY })],
  ["without aud", claim({ aud: undefined })],
  ["expired", claim({ exp: now() - 1 })],
  ["without exp", claim({ exp: undefined })],
  ["exp as a string", claim({ exp: String(now() + 1000) })],
  ["iat 61 s ahead and more", claim({ iat: now() + 90 })],
  ["iat as a string", claim({ iat: String(now()) })],
  ["without iat", claim({ iat: undefined })],
  ["not good yet", claim({ nbf: now() + 1000 })],
  [
    "sub as a number",
    ({ header, claims }) => forge(header, { ...claims, sub: Number(claims.sub) }),
  ],
  [
    "sub not canonical",
    ({ header, claims }) => forge(header, { ...claims, sub: `0${claims.sub}` }),
  ],
  ["sub larger than an exact number", claim({ sub: "9999999999999999" })],
  ["sid with a NUL", claim({ sid: "\0" })],
  ["sid empty", claim({ sid: "" })],
  [
    "sub with white space",
    ({ header, claims }) => forge(header, { ...claims, sub: `${claims.sub} ` }),
  ],
  [
    "sub in another form",
    ({ header, claims }) => forge(header, { ...claims, sub: `${claims.sub}.0` }),
  ],
  ["sub in a list", ({ header, claims }) => forge(header, { ...claims, sub: [claims.sub] })],
  ["sub of another user", claim({ sub: "1" })],
  ["sub of nobody", claim({ sub: "999999" })],
  ["without sub", claim({ sub: undefined })],
  ["without sid", claim({ sid: undefined })],
  ["sid as a number", claim({ sid: 1 })],
  ["sid in a list", ({ header, claims }) => forge(header, { ...claims, sid: [claims.sid] })],
  ["sid null", claim({ sid: null })],
  ["sid of no session", claim({ sid: CANARY })],
  ["claims in a list", ({ header, claims }) => forge(header, [claims] as unknown as Json)],
];

describe("a bad token is invalid_token", () => {
  beforeAll(async () => {
    await service.user(); // Its id is 1, or at least lower than that of the user below.
  });

  test.each(badTokens)("%s", async (_name, bad) => {
    const { token, refresh_token } = await service.user();
    const answer = await withAuthorization(
      `Bearer ${bad({ token, refresh_token, ...decode(token) })}`,
    );
    await expectChallenge(answer, INVALID_TOKEN);
  });

  test("two Authorization headers", async () => {
    const { token } = await service.user();
    const line = `Authorization: Bearer ${token}\r\n`;
    const head = `GET /users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
    await expectChallenge(await sendRaw(service, `${head}${line}${line}\r\n`), INVALID_TOKEN);
  });

  test("one that has had its time", async () => {
    // A separate service, so that the other tests do not find a moved clock.
    const aged = await startService();
    const { token } = await aged.user();
    aged.passSeconds(30 * 60 + 1);
    const answer = await aged.call("GET", "/users/me", { token });
    await expectChallenge(answer, INVALID_TOKEN);
    await aged.stop();
  });

  test("one whose session has ended", async () => {
    const { token } = await service.user();
    expect((await service.call("POST", "/users/log-out", { token })).status).toBe(204);
    await expectChallenge(await withAuthorization(`Bearer ${token}`), INVALID_TOKEN);
  });

  test("one whose user is deleted", async () => {
    const { token } = await service.user();
    const json = { password: PASSWORD };
    expect((await service.call("DELETE", "/users/me", { token, json })).status).toBe(204);
    await expectChallenge(await withAuthorization(`Bearer ${token}`), INVALID_TOKEN);
  });

  test("an ended session is told on every route, and changes nothing", async () => {
    const { token } = await service.user();
    await service.call("POST", "/users/log-out", { token });
    const before = await stored(service);
    const bodies: Record<string, unknown> = {
      "PUT /users/me/password": { current_password: PASSWORD, new_password: `${PASSWORD}!` },
      "DELETE /users/me": { password: PASSWORD },
      "POST /users/email/otp": { email: "mina@example.com" },
      "POST /users/email/otp/verify": { otp: "123456" },
      "POST /todos": { contents: "x" },
      "POST /todos/batch": { operations: [{ op: "create", contents: "x" }] },
      "PATCH /todos/:id": { is_done: true },
      "POST /todos/:id/move": {},
      "POST /lists": { name: "x" },
      "PATCH /lists/:id": { name: "y" },
      "POST /lists/:id/move": { after: null },
    };
    for (const { method, path } of service.app.routes) {
      const route = `${method} ${path}`;
      if (path.startsWith("/swagger") || publicRoutes.includes(route)) continue;
      const json = bodies[route];
      const answer = await service.call(method, path.replace(":id", "1"), { token, json });
      await expectChallenge(answer, INVALID_TOKEN);
    }
    expect(await stored(service)).toBe(before);
  });
});

/** The same bytes with different spare bits at the end: 43 characters of base64url have two spare bits. */
function respelt(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.slice(-1)) + 1];
}
