/** How many one-time passwords are sent for each purpose, and the error when the next one is requested too early. */
import { sql } from "drizzle-orm";
import { Failure } from "../http/problem.ts";
import { retryAfter } from "../http/retry-after.ts";

export interface SendLimits {
  /** Seconds between two sends. */
  otpResendAfter: number;
  /** Sends per day, to one address and for one user. */
  otpDailyLimit: number;
}

/** Milliseconds over which sends are counted, from the first one. */
export const DAY = 24 * 3600_000;

/** True for a row of the TTL table with a count of `limit` or more. */
export const isFull = (limit: number) => sql`CAST(value AS INTEGER) >= ${limit}`;

/**
 * A send was refused.
 * @param until when the next one may be requested; like `now`, in milliseconds since the epoch
 */
export const cooldown = (until: number, now: number): Failure =>
  new Failure("otp_cooldown", retryAfter(until, now));
