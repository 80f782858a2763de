/**
 * The service's keys, derived from its secrets: one for each use, so that what one key signs no other accepts. The first
 * secret makes what is new. The others only know what they have made, so that it outlives a change of the secret.
 */

/** What a key is for. It is part of the derivation: another name is another key. */
export type Use =
  | "tokens"
  | "token key ids"
  | "cursors"
  | "one-time passwords"
  | "throttling"
  | "bookmarks";

/** 256 bits. */
export type Key = Uint8Array<ArrayBuffer>;

/** One or more: the current one, then the previous ones. */
export type CurrentFirst<T> = readonly [current: T, ...previous: T[]];

/** A key for tokens, and the `kid` that names it in their headers (RFC 7515 §4.1.4). */
export interface SigningKey {
  id: string;
  key: Key;
}

/** HKDF with SHA-256 and without a salt (RFC 5869): the secret is random enough already. */
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

/** Bytes. Enough to tell a few keys apart. */
const KEY_ID_LENGTH = 8;

/** Derived as the keys are, under a name of its own, so it tells nothing about any of them. */
async function keyId(secret: string): Promise<string> {
  return (await deriveKey(secret, "token key ids")).subarray(0, KEY_ID_LENGTH).toHex();
}

async function mapAll<T, U>(
  [current, ...previous]: CurrentFirst<T>,
  derive: (each: T) => Promise<U>,
): Promise<CurrentFirst<U>> {
  return [await derive(current), ...(await Promise.all(previous.map(derive)))];
}
