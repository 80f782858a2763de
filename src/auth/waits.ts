/**
 * After failures, a client has to wait before the next attempt. Five failures are free. Then the wait is 30 seconds,
 * and each further failure doubles it, up to 15 minutes. 15 minutes after the last failure, all of them are forgotten.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Ttl } from "../database/ttl.ts";
import { Failure } from "../http/problem.ts";
import { retryAfter } from "../http/retry-after.ts";

/** Failures that cost no wait. */
export const FREE = 5;
/** Milliseconds from the last free failure. Each further failure doubles them. */
const FIRST_WAIT = 30_000;
const LONGEST_WAIT = 15 * 60_000;

/**
 * An attempt was not judged.
 * @param until when the next attempt may be made; like `now`, in milliseconds since the epoch
 */
export const tooManyAttempts = (until: number, now: number): Failure =>
  new Failure("too_many_attempts", retryAfter(until, now));

/** What failed. Each kind has its own count. */
type Kind = "password_failures" | "reset_failures";

/**
 * In all of them, `now` is in milliseconds since the epoch, and `key` says whose failures are counted and from where.
 */
export function createWaits(ttl: Ttl, kind: Kind) {
  const failures = sql`CAST(value AS INTEGER)`;
  return {
    /** When the next attempt may be judged, in milliseconds since the epoch; NULL for at once. */
    until(key: string | SQL, now: number) {
      const wait = sql`min(${LONGEST_WAIT}, ${FIRST_WAIT} << (min(${failures}, 16) - ${FREE}))`;
      // Each failure moves the end of the row to LONGEST_WAIT after itself.
      const until = sql`expires_at - ${LONGEST_WAIT} + ${wait}`;
      return sql<number | null>`(
        SELECT ${until} FROM ttl
        WHERE ${ttl.row(kind, key, now)} AND ${failures} >= ${FREE} AND ${until} > ${now}
      )`;
    },

    /** The statement that counts a failure, and returns the count. */
    fail: (key: string | SQL, now: number, when?: SQL) =>
      ttl.increment({ kind, key, lifetime: LONGEST_WAIT, ...(when && { when }) }, now, true),

    /** The statement that forgets the failures under one key. */
    clear: (key: string | SQL, when: SQL) => ttl.delete(kind, key, when),

    /** The statement that forgets an account's failures from all networks: those under the first part of their keys. */
    clearUnder: (account: string | SQL, when: SQL) => ttl.deleteUnder(kind, account, when),
  };
}
