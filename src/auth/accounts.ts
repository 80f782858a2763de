/**
 * How accounts are named in the TTL table: by the user's id, whichever name a request used. What nobody has is named by
 * a keyed hash, which has a fixed length and tells nobody who reads the table what was typed.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Mac } from "../seal.ts";

/** An account's key, of at most 45 characters. */
export const accountOf = (user_id: number): string => `u:${user_id}`;

/** The same where only the statement knows the user's id; NULL without one. */
export const accountOfUser = (user_id: SQL) => sql<string | null>`('u:' || ${user_id})`;

/** The keyed hash of a user name or an e-mail address in lower case: 45 characters. */
export type Pseudonym = (name: string) => string;

export function createPseudonym(mac: Mac): Pseudonym {
  return (name) => `n:${mac("name", name)}`;
}
