/** Argon2id on each runtime: a hash from one implementation is verified by all others. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { wasmArgon2 } from "../../src/auth/argon2-wasm.ts";
import { ARGON2_PARAMETERS } from "../../src/auth/passwords.ts";
import { nativePlatform } from "../../src/start/platform.ts";

const file = fileURLToPath(import.meta.resolve("@phi-ag/argon2/argon2.wasm"));
const wasm = wasmArgon2(new WebAssembly.Module(readFileSync(file)));
const native = nativePlatform(() => null).argon2;

const CHEAP = { memoryCost: 64, timeCost: 1, parallelism: 1 };

/**
 * Each password with another one that differs only in its last code point. A hash of only a part of the password could
 * not distinguish them.
 */
const passwords = [
  ["ASCII", "correct horse battery", "correct horse batterz"],
  ["Korean", "바른말고운말배터리", "바른말고운말배터림"],
  ["emoji", "🐎🔋🐎🔋🐎🔋🐎🔋", "🐎🔋🐎🔋🐎🔋🐎🔌"],
  ["the longest", `${"가".repeat(255)}나`, `${"가".repeat(255)}다`],
] as const;

describe.each(passwords)("%s", (_name, password, other) => {
  test.each([
    ["wasm", "native", wasm, native],
    ["native", "wasm", native, wasm],
    ["wasm", "wasm", wasm, wasm],
  ])("a hash of %s is verified by %s", async (_maker, _verifier, maker, verifier) => {
    const hash = await maker.hash(password, CHEAP);
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(await verifier.verify(hash, password)).toBe(true);
    expect(await verifier.verify(hash, other)).toBe(false);
  });
});

test("it takes the parameters that the service ships with, and several lanes", async () => {
  const hash = await wasm.hash("correct horse battery", ARGON2_PARAMETERS);
  expect(await native.verify(hash, "correct horse battery")).toBe(true);
  const two = await native.hash("x", { memoryCost: 256, timeCost: 3, parallelism: 2 });
  expect(await wasm.verify(two, "x")).toBe(true);
  expect(await wasm.verify(two, "y")).toBe(false);
});

test("a salt is never used twice", async () => {
  const hashes = new Set(
    await Promise.all(Array.from({ length: 20 }, () => wasm.hash("x", CHEAP))),
  );
  expect(hashes.size).toBe(20);
});

test("what is no Argon2id hash is an error, and not a wrong password", async () => {
  await expect(wasm.verify("$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", "x")).rejects.toThrow(
    "Not an Argon2id hash",
  );
});
