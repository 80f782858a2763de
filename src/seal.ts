/** MACs (HMAC-SHA-256), and texts that go out to a client under such a MAC and come back. */
import type { Key } from "./keys.ts";

/** The MAC of one or more parts, in order: 43 characters of base64url. */
export type Mac = (...parts: string[]) => Promise<string>;

export function createMac(key: Key): Mac {
  const imported = importKey(key);
  return async (...parts) => {
    const mac = await crypto.subtle.sign("HMAC", await imported, message(parts));
    return toBase64url(new Uint8Array(mac));
  };
}

export interface Seal {
  /** `text` with a MAC that holds in this `context` alone. `text` must not contain a dot. */
  close(context: string, text: string): Promise<string>;
  /** The text of something closed in the same context; undefined for anything else. */
  open(context: string, sealed: string): Promise<string | undefined>;
}

export function createSeal(key: Key): Seal {
  const imported = importKey(key);
  const mac = createMac(key);
  return {
    async close(context, text) {
      return `${text}.${await mac(context, text)}`;
    },
    async open(context, sealed) {
      const [text, tag, ...rest] = sealed.split(".");
      if (text === undefined || tag === undefined || rest.length > 0) return undefined;
      if (!/^[\w-]{43}$/.test(tag)) return undefined;
      const bytes = Uint8Array.fromBase64(tag, { alphabet: "base64url" });
      // The last character has two bits to spare. Only one of its four spellings is ours.
      if (toBase64url(bytes) !== tag) return undefined;
      const signed = message([context, text]);
      return (await crypto.subtle.verify("HMAC", await imported, bytes, signed)) ? text : undefined;
    },
  };
}

const importKey = (key: Key) =>
  crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);

/** As JSON, so that no two lists of parts are the same bytes. */
const message = (parts: string[]) => new TextEncoder().encode(JSON.stringify(parts));

/** base64url without padding (RFC 4648 §5). */
export const toBase64url = (bytes: Uint8Array) =>
  bytes.toBase64({ alphabet: "base64url", omitPadding: true });
