/** One-time passwords that verify an address: six digits, kept as a MAC that holds for one user alone. */
import { type SQL, sql } from "drizzle-orm";
import { accountOf } from "../auth/accounts.ts";
import { users } from "../database/schema.ts";
import type { Mac } from "../seal.ts";

/** Six digits, each of the million equally likely. */
export function newDigits(): string {
  const range = 1_000_000;
  for (;;) {
    const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
    // The end of the 32-bit range is not a whole million, and would make low numbers more likely.
    if (number < 2 ** 32 - (2 ** 32 % range)) return String(number % range).padStart(6, "0");
  }
}

const PURPOSE = "verify_email";

/** What the MAC of digits covers that are sent to a user whose id is known. */
const partsForUser = (user_id: number, otp: string) => [PURPOSE, accountOf(user_id), otp];

/**
 * With a sign-up, the digits are sent in the very transaction that gives the user an id. So there is a MAC for each
 * remainder of the id, and the statement picks the user's.
 */
const REMAINDERS = 64;
const partsForNewUser = (remainder: number, otp: string) => [PURPOSE, `new user ${remainder}`, otp];

/** The MAC to be kept: of a user with this id or, without one, of the new user in the statement's row of `users`. */
export function macToKeep(mac: Mac, user_id: number | null, otp: string): SQL {
  if (user_id !== null) return sql`${mac(...partsForUser(user_id, otp))}`;
  const macs = Array.from({ length: REMAINDERS }, (_, i) => mac(...partsForNewUser(i, otp)));
  const remainder = sql`(${users.id} % ${sql.raw(`${REMAINDERS}`)})`;
  return sql`json_extract(${JSON.stringify(macs)}, '$[' || ${remainder} || ']')`;
}

/** The MACs that a right guess may have been kept as. */
export const macsOfGuess = (mac: Mac, user_id: number, guess: string): string[] => [
  ...mac.byEachKey(...partsForUser(user_id, guess)),
  ...mac.byEachKey(...partsForNewUser(user_id % REMAINDERS, guess)),
];
