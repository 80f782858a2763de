/** The keys that are derived from the service's secret. */
import { expect, test } from "bun:test";
import { hkdfSync } from "node:crypto";
import { deriveKey, deriveSigningKeys } from "../src/keys.ts";

const USES = ["tokens", "token key ids", "cursors", "one-time passwords", "throttling"] as const;
const SECRET = "a secret, long enough for this test";

test("are HKDF's, by SHA-256, without a salt and 32 bytes long (RFC 5869)", async () => {
  for (const use of USES) {
    const expected = hkdfSync("sha256", SECRET, "", `todos: ${use}`, 32);
    expect(await deriveKey(SECRET, use)).toEqual(new Uint8Array(expected));
  }
});

test("differ for each use and each secret", async () => {
  const keys = [];
  for (const secret of [SECRET, `${SECRET}!`]) {
    for (const use of USES) keys.push((await deriveKey(secret, use)).toHex());
  }
  expect(new Set(keys).size).toBe(2 * USES.length);
});

test("that sign tokens have names that are the same at each start, and tell nothing of the keys", async () => {
  const secrets = [SECRET, `${SECRET}!`] as const;
  const keys = await deriveSigningKeys(secrets);
  expect(await deriveSigningKeys(secrets)).toEqual(keys);
  expect(keys.map(({ key }) => key)).toEqual([
    await deriveKey(secrets[0], "tokens"),
    await deriveKey(secrets[1], "tokens"),
  ]);
  expect(new Set(keys.map(({ id }) => id)).size).toBe(2);
  for (const { id, key } of keys) {
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(key.toHex()).not.toContain(id);
  }
});
