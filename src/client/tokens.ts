/** Where a client keeps its tokens, and what it reads from them. */
import type { Tokens } from "../model/tokens.ts";

/**
 * Tokens as a client keeps them. `renew_at` (milliseconds since 1970, by this device's clock) is the time to ask for
 * new tokens. Tokens without it are used until the service refuses them.
 */
export type StoredTokens = Tokens & { renew_at?: number };

/** Keeps the tokens of one session, or null while logged out. Clients may share a store, as the tabs of a page do. */
export interface TokenStore {
  get(): StoredTokens | null | Promise<StoredTokens | null>;
  set(tokens: StoredTokens | null): void | Promise<void>;
}

export function memoryStore(): TokenStore {
  let kept: StoredTokens | null = null;
  return {
    get: () => kept,
    set(tokens) {
      kept = tokens;
    },
  };
}

/** The part of the life of an access token after which it is renewed: 27 of its 30 minutes. */
const RENEW_AFTER = 0.9;

/**
 * Tokens that have just arrived, with the time to renew them. This time is counted from the arrival by this device's
 * clock. The claims of the JWT use the clock of the service, which may differ by minutes.
 */
export const arrived = (tokens: Tokens): StoredTokens => ({
  ...tokens,
  renew_at: Date.now() + tokens.expires_in * 1000 * RENEW_AFTER,
});

export const isDue = ({ renew_at }: StoredTokens) =>
  renew_at !== undefined && Date.now() >= renew_at;

/**
 * The id of the user whom the tokens belong to: the access token's `sub`. Null without tokens, or if they cannot be
 * read.
 */
export function userOf(tokens: Tokens | null): string | null {
  const [, claims = ""] = tokens?.access_token.split(".") ?? [];
  try {
    return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))).sub ?? null;
  } catch {
    return null;
  }
}
