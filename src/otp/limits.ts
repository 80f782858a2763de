/** How many one-time passwords are sent for each purpose, and what is told when it is too soon for another. */
import { sql } from "drizzle-orm";
import { Failure } from "../http/problem.ts";
import { retryAfter } from "../http/retry-after.ts";

export interface SendLimits {
  /** Seconds between two sends. */
  otpResendAfter: number;
  /** Sends a day, to one address and by one user. */
  otpDailyLimit: number;
}

/** Milliseconds over which sends are counted, from the first on. */
export const DAY = 24 * 3600_000;

/** True of a row of the TTL table that has counted `limit` or more. */
export const isFull = (limit: number) => sql`CAST(value AS INTEGER) >= ${limit}`;

/**
 * A send was refused.
 * @param until when the next may be asked for; with `now`, in milliseconds since the epoch
 */
export const cooldown = (until: number, now: number): Failure =>
  new Failure("otp_cooldown", retryAfter(until, now));
