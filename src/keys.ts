/**
 * The service's keys, derived from its secrets. Each use has its own key, so no key accepts what another key has
 * signed. The first secret signs everything new. The other secrets only verify what they have signed before a change of
 * the secret.
 */

/** The use of a key. It is part of the derivation, so another name gives another key. */
export type Use =
  | "tokens"
  | "token key ids"
  | "cursors"
  | "one-time passwords"
  | "throttling"
  | "bookmarks";

/** 256 bits. */
export type Key = Uint8Array<ArrayBuffer>;

/** One or more: first the current secret, then the previous ones. */
export type CurrentFirst<T> = readonly [current: T, ...previous: T[]];

/** A key for tokens, and the `kid` that names it in their headers (RFC 7515 §4.1.4). */
export interface SigningKey {
  id: string;
  key: Key;
}

/** HKDF with SHA-256 and without a salt (RFC 5869), because the secret is already random enough. */
export async function deriveKey(secret: string, use: Use): Promise<Key> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const material = await crypto.subtle.importKey("raw", encode(secret), "HKDF", false, [
    "deriveBits",
  ]);
  const algorithm = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(0),
    info: encode(`todos: ${use}`),
  };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, material, 256));
}

/** The keys for one use, in the order of the secrets. */
export const deriveKeys = (secrets: CurrentFirst<string>, use: Use): Promise<CurrentFirst<Key>> =>
  mapAll(secrets, (secret) => deriveKey(secret, use));

/** The keys for tokens, in the order of the secrets. */
export const deriveSigningKeys = (
  secrets: CurrentFirst<string>,
): Promise<CurrentFirst<SigningKey>> =>
  mapAll(secrets, async (secret) => ({
    id: await keyId(secret),
    key: await deriveKey(secret, "tokens"),
  }));

/** Bytes. This is enough to tell a few keys apart. */
const KEY_ID_LENGTH = 8;

/** Derived in the same way as the keys, but with its own name, so it reveals nothing about any of them. */
async function keyId(secret: string): Promise<string> {
  return (await deriveKey(secret, "token key ids")).subarray(0, KEY_ID_LENGTH).toHex();
}

async function mapAll<T, U>(
  [current, ...previous]: CurrentFirst<T>,
  derive: (each: T) => Promise<U>,
): Promise<CurrentFirst<U>> {
  return [await derive(current), ...(await Promise.all(previous.map(derive)))];
}
