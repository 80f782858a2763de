/**
 * Slows down the guessing of passwords (ASVS 6.3.1, NIST SP 800-63B §3.2.2). Whether an attempt has to wait is asked
 * before the password is hashed, and once more in the statements that count a failure or grant a success: so of a
 * hundred guesses at once no more are judged than of a hundred in a row, and right passwords never count.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../database/drizzle.ts";
import { ttlTable } from "../database/ttl.ts";
import { networkOf } from "../http/client-ip.ts";
import { Failure } from "../http/problem.ts";

/** Failures in a row from one client address, after which each further attempt has to wait. */
const FREE = 5;
/** Milliseconds from the last failure that it has to wait; doubled with each failure more. */
const FIRST_WAIT = 30_000;
const LONGEST_WAIT = 15 * 60_000;
/** Failures in a row, from wherever, after which only a password reset opens the account. */
const LOCKED = 100;
/** Milliseconds for which failures from wherever count as in a row: a year. */
const ACCOUNT_LIFETIME = 365 * 24 * 3600_000;

/** Whose password is tried, and from where. */
export interface Attempt {
  /** As the request names it, in lower case, known or not; SQL where only the statement knows it. */
  account: string | SQL;
  /** The client's address; null where the runtime does not tell. */
  ip: string | null;
}

export type Throttle = ReturnType<typeof createThrottle>;

/** @param now milliseconds since the epoch, everywhere */
export function createThrottle(db: Database) {
  const ttl = ttlTable(db);
  const keyOf = ({ account, ip }: Attempt) =>
    sql`${account} || ${`\n${ip === null ? "" : networkOf(ip)}`}`;
  const failures = sql`CAST(value AS INTEGER)`;

  const throttle = {
    /** When the attempt may be judged, in milliseconds since the epoch; it must wait if that is after `now`. */
    retryAt(attempt: Attempt, now: number): SQL<number> {
      const wait = sql`min(${LONGEST_WAIT}, ${FIRST_WAIT} << (min(${failures}, 16) - ${FREE}))`;
      // Each failure moves the row's end to LONGEST_WAIT after itself.
      const here = sql`(
        SELECT expires_at - ${LONGEST_WAIT} + ${wait} FROM ttl
        WHERE ${ttl.row("log_in_failures", keyOf(attempt), now)} AND ${failures} >= ${FREE}
      )`;
      const anywhere = sql`(
        SELECT ${now + LONGEST_WAIT} FROM ttl
        WHERE ${ttl.row("account_failures", attempt.account, now)} AND ${failures} >= ${LOCKED}
      )`;
      return sql<number>`max(coalesce(${here}, 0), coalesce(${anywhere}, 0))`;
    },

    /** True when the attempt need not wait: for the statements that grant what a right password is for. */
    isAdmitted: (attempt: Attempt, now: number) => sql`${throttle.retryAt(attempt, now)} <= ${now}`,

    /** The statement that asks for `retryAt`, for `refuse` to read. */
    ask: (attempt: Attempt, now: number) =>
      db.all<{ retry_at: number }>(sql`SELECT ${throttle.retryAt(attempt, now)} AS retry_at`),

    /** @throws Failure `too_many_attempts` when what was asked for is after `now` */
    refuse([asked]: { retry_at: number }[], now: number): void {
      const retryAt = asked?.retry_at ?? 0;
      if (retryAt <= now) return;
      const seconds = String(Math.ceil((retryAt - now) / 1000));
      throw new Failure("too_many_attempts", { headers: { "retry-after": seconds } });
    },

    /**
     * Counts a failed attempt.
     * @throws Failure `too_many_attempts` when others have failed meanwhile: then this one was not judged
     */
    async fail(attempt: Attempt, now: number): Promise<void> {
      const [asked] = await db.batch([
        throttle.ask(attempt, now),
        ttl.increment(
          {
            kind: "log_in_failures",
            key: keyOf(attempt),
            lifetime: LONGEST_WAIT,
            when: throttle.isAdmitted(attempt, now),
          },
          now,
          true,
        ),
        ttl.increment(
          {
            kind: "account_failures",
            key: attempt.account,
            lifetime: ACCOUNT_LIFETIME,
            // The statement before has counted.
            when: sql`changes() > 0`,
          },
          now,
          true,
        ),
        ttl.sweep(now),
      ]);
      throttle.refuse(asked, now);
    },

    /** The statements that forget the failures here and of the account, after a success. */
    clear(attempt: Attempt, when: SQL) {
      return [
        ttl.delete("log_in_failures", keyOf(attempt), when),
        ttl.delete("account_failures", attempt.account, when),
      ] as const;
    },

    /** The statements that forget every failure of an account, from wherever: with a reset, or with the user. */
    clearAll(account: string, when: SQL) {
      return [
        db.run(sql`
          DELETE FROM ttl WHERE kind = 'log_in_failures'
          AND key >= ${`${account}\n`} AND key < ${`${account}\v`} AND ${when}`),
        ttl.delete("account_failures", account, when),
      ] as const;
    },
  };
  return throttle;
}
