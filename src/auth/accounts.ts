/**
 * How accounts are named in the TTL table: by the user's id, whichever name a request used. A name that no user has is
 * replaced by a keyed hash. The hash has a fixed length, and a reader of the table cannot tell what was typed.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Kind, Ttl } from "../database/ttl.ts";
import type { Mac } from "../seal.ts";

/** An account's key, of at most 45 characters. */
export const accountOf = (user_id: number): string => `u:${user_id}`;

/** The same where only the statement knows the user's id; NULL without one. */
export const accountOfUser = (user_id: SQL) => sql<string | null>`('u:' || ${user_id})`;

/**
 * The keyed hash of a user name or an e-mail address in lower case: 45 characters.
 * @param now milliseconds since the epoch
 */
export type Pseudonym = (name: string, now: number) => string | SQL<string>;

/** The kinds of rows whose keys may be pseudonyms. */
const KEPT_UNDER_PSEUDONYMS: readonly Kind[] = [
  "password_failures",
  "account_failures",
  "verification_sends",
  "reset_code",
  "reset_failures",
  "reset_wait",
  "reset_sends",
];

/**
 * If the table has rows under the pseudonym that a previous key made, that pseudonym stays in use. So a change of the
 * secret loses no count and no reset code.
 */
export function createPseudonym(mac: Mac, ttl: Ttl): Pseudonym {
  return (name, now) => {
    const [current = "", ...former] = mac.byEachKey("name", name).map((each) => `n:${each}`);
    return former.length === 0
      ? current
      : sql<string>`coalesce(${ttl.firstInUse(KEPT_UNDER_PSEUDONYMS, former, now)}, ${current})`;
  };
}
