/**
 * Slows down the guessing of passwords (ASVS 5.0, 6.3.1) with three limits: a wait for each account and network, a
 * limit for an account over all networks that it is not known from, and a limit for each network over all accounts.
 * `SECURITY.md` describes the whole design.
 *
 * The limits are checked before the password is hashed, and once more in the statements that count a failure or grant a
 * success. So a hundred guesses at once get no further than a hundred in a row.
 */
import { type SQL, sql } from "drizzle-orm";
import { batch } from "../database/batch.ts";
import type { Database } from "../database/drizzle.ts";
import type { Ttl } from "../database/ttl.ts";
import { networkOf } from "../http/client-ip.ts";
import type { Exchange } from "../http/exchange.ts";
import type { Meter } from "../instruments.ts";
import type { Budgets } from "./budgets.ts";
import type { KnownNetworks } from "./known-networks.ts";
import { logSecurityEvent } from "./security-log.ts";
import { createWaits, FREE, tooManyAttempts } from "./waits.ts";

/** Failures from anywhere since the last success, after which unknown networks are refused. */
const MOST_FAILURES = 100;
/** Milliseconds from the last failure until unknown networks are accepted again: a day. */
const ACCOUNT_LIFETIME = 24 * 3600_000;

/** The account whose password is tried, and the request that tries it. */
export interface Attempt {
  /** See `accounts.ts`. SQL, if only the statement knows it. */
  account: string | SQL;
  /** Null when no user has the name. */
  user_id: number | null;
  exchange: Exchange;
}

/** Why an attempt is not judged. Each value is the end of a limit, in milliseconds since the epoch. */
export interface Refusals {
  wait_until: number | null;
  refused_until: number | null;
  spent_until: number | null;
}

export type Throttle = ReturnType<typeof createThrottle>;

/** In all of them, `now` is in milliseconds since the epoch. */
export function createThrottle(services: {
  database: Database;
  ttl: Ttl;
  budgets: Budgets;
  knownNetworks: KnownNetworks;
  meter: Pick<Meter, "refused">;
}) {
  const { database: db, ttl, budgets, knownNetworks, meter } = services;
  const waits = createWaits(ttl, "password_failures");
  const keyOf = (account: string | SQL, network: string) => sql`(${account} || ${`/${network}`})`;

  /**
   * When the network's budget of failures is whole again (milliseconds since the epoch). NULL while some of it is left, and
   * for a network that the account is known from: that one is refused only because of its own failures.
   */
  const spentUntil = (account: string | SQL, network: string, now: number) =>
    sql<number | null>`iif(
      ${knownNetworks.isKnown(account, network, now)},
      NULL, ${budgets.spentUntil("failed_log_ins", network, now)}
    )`;

  /** The limits that apply to an attempt, for a SELECT. Each is NULL when it does not apply. */
  function refusals({ account, exchange }: Pick<Attempt, "account" | "exchange">, now: number) {
    const network = networkOf(exchange.ip);
    const isUnknown = sql`NOT ${knownNetworks.isKnown(account, network, now)}`;
    const isFull = sql`CAST(value AS INTEGER) >= ${MOST_FAILURES} AND ${isUnknown}`;
    return {
      wait_until: waits.until(keyOf(account, network), now),
      refused_until: ttl.end("account_failures", account, now, isFull),
      spent_until: spentUntil(account, network, now),
    };
  }

  /** The statement that asks for `refusals`. `refuse` reads its result. */
  function ask(attempt: Attempt, now: number) {
    const { wait_until, refused_until, spent_until } = refusals(attempt, now);
    return db.all<Refusals>(sql`
      SELECT ${wait_until} AS wait_until, ${refused_until} AS refused_until, ${spent_until} AS spent_until`);
  }

  /** @throws Failure `too_many_attempts`, `rate_limited` when a limit applies to the attempt */
  function refuse(found: Refusals | undefined, attempt: Attempt, now: number): void {
    if (!found) return;
    const { exchange, user_id } = attempt;
    const { wait_until, refused_until, spent_until } = found;
    const until = Math.max(wait_until ?? 0, refused_until ?? 0);
    if (until > 0) {
      const event = refused_until === null ? "too_many_failures" : "account_refused";
      logSecurityEvent(event, exchange, user_id);
      meter.refused(event);
      throw tooManyAttempts(until, now);
    }
    budgets.refuseSpent("failed_log_ins", spent_until, exchange);
  }

  function isAdmitted(attempt: Attempt, now: number): SQL {
    const { wait_until, refused_until, spent_until } = refusals(attempt, now);
    return sql`coalesce(${wait_until}, ${refused_until}, ${spent_until}) IS NULL`;
  }

  return {
    spentUntil,
    refusals,
    ask,
    refuse,

    /** True when the attempt may be judged. It is for the statements that a correct password allows. */
    isAdmitted,

    /**
     * Counts a failed attempt.
     * @throws Failure as `refuse` does, when other attempts have failed meanwhile. Then this attempt was not judged
     */
    async fail(attempt: Attempt, now: number): Promise<void> {
      const { account, exchange } = attempt;
      const network = networkOf(exchange.ip);
      // Either all counts are raised or none: each statement checks whether the one before has counted.
      const isCounted = sql`changes() > 0`;
      const { asked, failed } = await batch(db, {
        asked: ask(attempt, now),
        failed: waits.fail(keyOf(account, network), now, isAdmitted(attempt, now)),
        ofAccount: ttl.increment(
          {
            kind: "account_failures",
            key: account,
            lifetime: ACCOUNT_LIFETIME,
            when: isCounted,
          },
          now,
          true,
        ),
        ofNetwork: budgets.spend("failed_log_ins", network, now, isCounted),
        swept: ttl.sweep(now),
      });
      refuse(asked[0], attempt, now);
      if ((failed[0]?.value ?? 0) > FREE) {
        logSecurityEvent("too_many_failures", exchange, attempt.user_id);
      }
    },

    /** The statements after a log-in: they forget the failures from this network, and those from everywhere. */
    succeed(account: string, network: string, now: number, when: SQL) {
      return [
        waits.clear(`${account}/${network}`, when),
        ttl.delete("account_failures", account, when),
        ...knownNetworks.add(account, network, now, when),
      ];
    },

    /** The statement that forgets the failures from everywhere, but not the counts that networks have to wait for. */
    clearAccount: (account: string, when: SQL) => ttl.delete("account_failures", account, when),

    /** The statements that forget every failure of an account. */
    clearAll(account: string | SQL, when: SQL) {
      return [waits.clearUnder(account, when), ttl.delete("account_failures", account, when)];
    },
  };
}
