/**
 * Hashes as PHC strings, for runtimes whose Argon2id returns bare bytes. The strings are the same as those of the
 * native library.
 */
import type { Argon2, Argon2Parameters } from "./passwords.ts";

/** Derives 32 bytes by Argon2id, version 1.3 (RFC 9106). */
export type DeriveBytes = (
  password: Uint8Array<ArrayBuffer>,
  salt: Uint8Array<ArrayBuffer>,
  parameters: Argon2Parameters,
) => Uint8Array | Promise<Uint8Array>;

/** Bytes of a new salt (RFC 9106 §3.1). */
const SALT_LENGTH = 16;

/** https://github.com/P-H-C/phc-string-format: base64 without padding. */
const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** @returns an `Argon2` whose `verify` throws when a stored hash is no Argon2id string */
export function argon2From(derive: DeriveBytes): Argon2 {
  const encoder = new TextEncoder();
  return {
    async hash(password, parameters) {
      const salt = crypto.getRandomValues(new Uint8Array(SALT_LENGTH));
      const tag = await derive(encoder.encode(password), salt, parameters);
      const { memoryCost, timeCost, parallelism } = parameters;
      const costs = `m=${memoryCost},t=${timeCost},p=${parallelism}`;
      return `$argon2id$v=19$${costs}$${toBase64(salt)}$${toBase64(tag)}`;
    },

    async verify(passwordHash, password) {
      const [, memoryCost, timeCost, parallelism, salt = "", tag = ""] =
        PHC.exec(passwordHash) ?? [];
      if (memoryCost === undefined) throw new Error("Not an Argon2id hash");
      const parameters = {
        memoryCost: Number(memoryCost),
        timeCost: Number(timeCost),
        parallelism: Number(parallelism),
      };
      const derived = await derive(
        encoder.encode(password),
        Uint8Array.fromBase64(salt),
        parameters,
      );
      return isEqual(derived, Uint8Array.fromBase64(tag));
    },
  };
}

const toBase64 = (bytes: Uint8Array) => bytes.toBase64({ omitPadding: true });

/** Compares every byte, so that the time does not tell where the first difference is. */
function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (const [i, byte] of one.entries()) difference |= byte ^ (other[i] ?? 0);
  return difference === 0;
}
