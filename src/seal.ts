/** MACs (HMAC-SHA-256), and sealed texts: texts with a MAC that go to a client and come back. */
import type { CurrentFirst, Key } from "./keys.ts";

/**
 * HMAC-SHA-256 (RFC 2104) of a message in UTF-8: 43 characters of base64url without padding. The platform provides it.
 * WebCrypto has it on every runtime, but takes twenty times as long, because its calls are asynchronous.
 */
export type Hmac = (key: Key, message: string) => string;

/** The MAC of one or more parts, in order: 43 characters of base64url. */
export interface Mac {
  /** With the current key: for everything new. */
  (...parts: string[]): string;
  /** With each key, the current one first: the MACs that something older may have. */
  byEachKey(...parts: string[]): string[];
}

export function createMac(hmac: Hmac, keys: CurrentFirst<Key>): Mac {
  // As JSON, so that two different lists of parts never give the same message.
  const mac = (key: Key, parts: string[]) => hmac(key, JSON.stringify(parts));
  return Object.assign((...parts: string[]) => mac(keys[0], parts), {
    byEachKey: (...parts: string[]) => keys.map((key) => mac(key, parts)),
  });
}

const MAC_LENGTH = 43;

export interface Seal {
  /** `text` with a MAC that is only valid in this `context`. `text` must not contain a dot. */
  close(context: string, text: string): string;
  /** The text that was sealed in the same context; undefined for anything else. */
  open(context: string, sealed: string): string | undefined;
}

export function createSeal(mac: Mac): Seal {
  return {
    close: (context, text) => `${text}.${mac(context, text)}`,
    open(context, sealed) {
      const [text, tag, ...rest] = sealed.split(".");
      // A request may bring thousands of short ones, and each MAC takes time.
      if (text === undefined || tag?.length !== MAC_LENGTH || rest.length > 0) return undefined;
      return mac.byEachKey(context, text).some((each) => isEqual(tag, each)) ? text : undefined;
    },
  };
}

/**
 * Takes the same time wherever two texts of the same length differ, so that no MAC can be guessed character by
 * character.
 */
function isEqual(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
  return difference === 0;
}

/** base64url without padding (RFC 4648 §5). */
export const toBase64url = (bytes: Uint8Array) =>
  bytes.toBase64({ alphabet: "base64url", omitPadding: true });
