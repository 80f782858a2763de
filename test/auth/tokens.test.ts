/** Verified access tokens: they are kept until they expire, their number is limited, and nothing else is kept. */
import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createTokenSigner, type TokenSigner } from "../../src/auth/tokens.ts";
import { type CurrentFirst, deriveSigningKeys, type Key, type SigningKey } from "../../src/keys.ts";

const SESSION = { id: "pCkQ2vYtq0W8hQyqv1mUXA", user_id: 7 };
const TTL = 60;

let now = 0;
let tokens: TokenSigner;

const [mine, other] = await deriveSigningKeys([
  "a secret of this test alone, long enough",
  "another secret of this test, long enough",
]);
if (!other) throw new Error("There are two secrets");

const signerOf = (...keys: CurrentFirst<SigningKey>) =>
  createTokenSigner({ keys, issuer: "todos", audience: "todos" }, () => now);

beforeEach(() => {
  now = Date.now();
  tokens = signerOf(mine);
});

/** How often a signature is computed while `work` runs. */
async function signatures(work: () => Promise<unknown>): Promise<number> {
  using verify = spyOn(crypto.subtle, "verify");
  await work();
  return verify.mock.calls.length;
}

test("a token is verified once", async () => {
  const token = await tokens.signAccess(SESSION, TTL);
  const verify = async () => expect(await tokens.verifyAccess(token)).toEqual(SESSION);
  expect(await signatures(verify)).toBe(1);
  expect(await signatures(verify)).toBe(0);
});

test("it expires to the second, whether it was verified before or not", async () => {
  now = Math.floor(now / 1000) * 1000;
  const [seen, unseen] = [
    await tokens.signAccess(SESSION, TTL),
    await tokens.signAccess(SESSION, TTL),
  ];
  expect(await tokens.verifyAccess(seen)).toEqual(SESSION);
  now += TTL * 1000 - 1;
  expect(await tokens.verifyAccess(seen)).toEqual(SESSION);
  now += 1;
  expect(await tokens.verifyAccess(seen)).toBeUndefined();
  expect(await tokens.verifyAccess(unseen)).toBeUndefined();
});

test("an invalid token is verified each time", async () => {
  const token = await tokens.signAccess(SESSION, TTL);
  expect(await tokens.verifyAccess(token)).toEqual(SESSION);
  const forged = `${token.slice(0, token.lastIndexOf("."))}.${"A".repeat(43)}`;
  const verify = async () => expect(await tokens.verifyAccess(forged)).toBeUndefined();
  expect(await signatures(verify)).toBe(1);
  expect(await signatures(verify)).toBe(1);
});

test("the oldest of too many is forgotten, and verified again when it comes", async () => {
  const first = await tokens.signAccess(SESSION, TTL);
  await tokens.verifyAccess(first);
  const fill = async (count: number) => {
    for (let i = 0; i < count; i++)
      await tokens.verifyAccess(await tokens.signAccess(SESSION, TTL));
  };
  await fill(4999);
  const verify = async () => expect(await tokens.verifyAccess(first)).toEqual(SESSION);
  expect(await signatures(verify)).toBe(0);
  await fill(1);
  expect(await signatures(verify)).toBe(1);
}, 30_000);

/** A token like those of `signAccess`, with another header. */
function sign(header: object, key: Key): string {
  const iat = Math.floor(now / 1000);
  const claims = {
    iss: "todos",
    aud: "todos",
    sub: String(SESSION.user_id),
    sid: SESSION.id,
    jti: "1",
    iat,
    exp: iat + TTL,
  };
  const [first, second] = [header, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  const mac = createHmac("sha256", key).update(`${first}.${second}`).digest("base64url");
  return `${first}.${second}.${mac}`;
}

describe("with several keys", () => {
  test("the first key signs, and each key verifies tokens that name it and tokens that name no key", async () => {
    const both = signerOf(mine, other);
    const byMine = await tokens.signAccess(SESSION, TTL);
    const byOther = await signerOf(other).signAccess(SESSION, TTL);
    expect(await both.verifyAccess(byMine)).toEqual(SESSION);
    expect(await both.verifyAccess(byOther)).toEqual(SESSION);
    expect(await tokens.verifyAccess(byOther)).toBeUndefined();
    expect(await tokens.verifyAccess(await both.signAccess(SESSION, TTL))).toEqual(SESSION);
  });

  test("a key does not verify a token that names another key", async () => {
    const misnamed = await signerOf({ id: other.id, key: mine.key }).signAccess(SESSION, TTL);
    expect(await signerOf(mine, other).verifyAccess(misnamed)).toBeUndefined();
    const unknown = await signerOf({ id: "unknown", key: mine.key }).signAccess(SESSION, TTL);
    expect(await signerOf(mine, other).verifyAccess(unknown)).toBeUndefined();
  });

  test("a token that names no key, as those of version 0.1, is verified by each", async () => {
    for (const { key } of [mine, other]) {
      const unnamed = sign({ alg: "HS256", typ: "at+jwt" }, key);
      expect(await signerOf(mine, other).verifyAccess(unnamed)).toEqual(SESSION);
    }
  });
});
