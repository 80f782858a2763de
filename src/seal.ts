/** MACs with the service's secret; with them it seals small texts that go out to a client and come back. */

export interface Seal {
  /** The MAC of `text` in this `context`: 43 characters of base64url. */
  sign(context: string, text: string): Promise<string>;
  /** `text` with a MAC that holds for this `context` alone. `text` must not contain a dot. */
  close(context: string, text: string): Promise<string>;
  /** The text of something closed in the same context; undefined for anything else. */
  open(context: string, sealed: string): Promise<string | undefined>;
}

/** @param secret the key of the HMAC-SHA-256, at least 32 bytes */
export function createSeal(secret: string): Seal {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [
    "sign",
    "verify",
  ]);
  // The line break can't stand in a JWT, which the same secret signs.
  const message = (context: string, text: string) => encoder.encode(`${context}\n${text}`);
  const seal: Seal = {
    async sign(context, text) {
      const mac = await crypto.subtle.sign("HMAC", await key, message(context, text));
      return toBase64url(new Uint8Array(mac));
    },
    async close(context, text) {
      return `${text}.${await seal.sign(context, text)}`;
    },
    async open(context, sealed) {
      const [text, mac, ...rest] = sealed.split(".");
      if (text === undefined || mac === undefined || rest.length > 0) return undefined;
      if (!/^[\w-]{43}$/.test(mac)) return undefined;
      const bytes = Uint8Array.fromBase64(mac, { alphabet: "base64url" });
      // The last character has two bits to spare: only one of its four spellings is ours.
      if (toBase64url(bytes) !== mac) return undefined;
      const isOurs = await crypto.subtle.verify("HMAC", await key, bytes, message(context, text));
      return isOurs ? text : undefined;
    },
  };
  return seal;
}

/** base64url without padding (RFC 4648 §5). */
export const toBase64url = (bytes: Uint8Array) =>
  bytes.toBase64({ alphabet: "base64url", omitPadding: true });
