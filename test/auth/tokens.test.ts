/** Access tokens that were verified before: kept until they expire, a bounded number of them, and nothing besides. */
import { beforeEach, expect, spyOn, test } from "bun:test";
import { createTokenSigner, type TokenSigner } from "../../src/auth/tokens.ts";
import { deriveKey } from "../../src/keys.ts";

const SESSION = { id: "pCkQ2vYtq0W8hQyqv1mUXA", user_id: 7 };
const TTL = 60;

let now = 0;
let tokens: TokenSigner;

beforeEach(async () => {
  now = Date.now();
  const key = await deriveKey("a secret of this test alone, long enough", "tokens");
  tokens = createTokenSigner({ key, issuer: "todos", audience: "todos" }, () => now);
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

test("a token that is no good is verified each time", async () => {
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
