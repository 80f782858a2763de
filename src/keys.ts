/** The service's keys: one for each use, derived from its secret, so that what one signs no other accepts. */

/** What a key is for. It is part of the derivation: another name is another key. */
export type Use = "tokens" | "cursors" | "one-time passwords" | "throttling";

/** 256 bits. */
export type Key = Uint8Array<ArrayBuffer>;

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
