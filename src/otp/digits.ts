/** One-time passwords that verify an address: six digits. They are stored as a MAC that is valid for one user only. */
import { type SQL, sql } from "drizzle-orm";
import { accountOf } from "../auth/accounts.ts";
import { users } from "../database/schema.ts";
import type { Mac } from "../seal.ts";

/** Six digits, each of the million equally likely. */
export function newDigits(): string {
  const range = 1_000_000;
  for (;;) {
    const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
    // The 32-bit range does not end at a multiple of a million. Without this check, low numbers would be more likely.
    if (number < 2 ** 32 - (2 ** 32 % range)) return String(number % range).padStart(6, "0");
  }
}

const PURPOSE = "verify_email";

/** The text that the MAC covers, for digits that are sent to a user whose id is known. */
const partsForUser = (user_id: number, otp: string) => [PURPOSE, accountOf(user_id), otp];

/**
 * At a sign-up, the digits are stored in the same transaction that gives the user an id. So there is a MAC for each
 * remainder of the id, and the statement chooses the MAC of the new user.
 */
const REMAINDERS = 64;
const partsForNewUser = (remainder: number, otp: string) => [PURPOSE, `new user ${remainder}`, otp];

/** The MAC to store: for a user with this id or, without an id, for the new user in the statement's row of `users`. */
export function macToKeep(mac: Mac, user_id: number | null, otp: string): SQL {
  if (user_id !== null) return sql`${mac(...partsForUser(user_id, otp))}`;
  const macs = Array.from({ length: REMAINDERS }, (_, i) => mac(...partsForNewUser(i, otp)));
  const remainder = sql`(${users.id} % ${sql.raw(`${REMAINDERS}`)})`;
  return sql`json_extract(${JSON.stringify(macs)}, '$[' || ${remainder} || ']')`;
}

/** The MACs under which a correct guess may be stored. */
export const macsOfGuess = (mac: Mac, user_id: number, guess: string): string[] => [
  ...mac.byEachKey(...partsForUser(user_id, guess)),
  ...mac.byEachKey(...partsForNewUser(user_id % REMAINDERS, guess)),
];
