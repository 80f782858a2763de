/** What one network may do in an hour, over all accounts: failed log-ins, sign-ups and mails. */
import { type SQL, sql } from "drizzle-orm";
import type { Clock } from "../clock.ts";
import type { Database } from "../database/drizzle.ts";
import type { Ttl } from "../database/ttl.ts";
import { networkOf } from "../http/client-ip.ts";
import type { Exchange } from "../http/exchange.ts";
import { Failure } from "../http/problem.ts";
import { retryAfter } from "../http/retry-after.ts";
import type { Meter } from "../instruments.ts";
import { logSecurityEvent } from "./security-log.ts";

/** Milliseconds after the first counted event until the count starts again. */
const HOUR = 3600_000;
/** The number of spent budgets that this process remembers. */
const REMEMBERED = 10_000;

export type Budget = "failed_log_ins" | "sign_ups" | "mails";

/** The limit per hour; 0 is no limit. */
export type BudgetLimits = Record<Budget, number>;

export type Budgets = ReturnType<typeof createBudgets>;

export function createBudgets(
  services: { database: Database; ttl: Ttl; clock: Clock; meter: Pick<Meter, "refused"> },
  limits: BudgetLimits,
) {
  const { database: db, ttl, clock, meter } = services;
  /**
   * When the spent budgets that this process has met are whole again (milliseconds since the epoch), the oldest first.
   * No budget is whole any earlier, so a request that finds its budget here can be refused without a round trip.
   */
  const spent = new Map<string, number>();
  const nameOf = (budget: Budget, network: string) => `${budget} ${network}`;

  function rememberSpent(budget: Budget, network: string, until: number): void {
    const name = nameOf(budget, network);
    // A Map would keep a known name at its old place.
    spent.delete(name);
    spent.set(name, until);
    const [oldest] = spent.keys();
    if (spent.size > REMEMBERED && oldest !== undefined) spent.delete(oldest);
  }

  function refusal(budget: Budget, until: number, now: number): Failure {
    meter.refused(budget);
    return new Failure("rate_limited", retryAfter(until, now));
  }

  /** When the network's budget is whole again (milliseconds since the epoch). NULL while some of the budget is left. */
  function spentUntil(budget: Budget, network: string, now: number): SQL<number | null> {
    const limit = limits[budget];
    if (limit === 0) return sql<number | null>`NULL`;
    return ttl.end(budget, network, now, sql`CAST(value AS INTEGER) >= ${limit}`);
  }

  return {
    spentUntil,

    /** The statement that asks for `spentUntil`, for `refuseSpent` to read. */
    ask: (budget: Budget, network: string, now: number) =>
      db.all<{ spent_until: number | null }>(
        sql`SELECT ${spentUntil(budget, network, now)} AS spent_until`,
      ),

    /** True while some of the budget is left. */
    isLeft: (budget: Budget, network: string, now: number) =>
      sql`${spentUntil(budget, network, now)} IS NULL`,

    /** The statement that counts one more. */
    spend: (budget: Budget, network: string, now: number, when: SQL) =>
      ttl.increment(
        {
          kind: budget,
          key: network,
          lifetime: HOUR,
          when: limits[budget] === 0 ? sql`false` : when,
        },
        now,
      ),

    /** @throws Failure `rate_limited` when `until`, a result of `spentUntil`, says that nothing is left */
    refuseSpent(budget: Budget, until: number | null | undefined, exchange: Exchange): void {
      if (until === null || until === undefined) return;
      const network = networkOf(exchange.ip);
      // One line for each hour, not for each request.
      if (spent.get(nameOf(budget, network)) !== until) {
        logSecurityEvent("budget_spent", exchange, null, { budget });
      }
      rememberSpent(budget, network, until);
      throw refusal(budget, until, clock());
    },

    /**
     * Refuses without asking the database, if this process already knows that nothing is left.
     * @throws Failure `rate_limited`
     */
    refuseKnownSpent(budget: Budget, exchange: Exchange): void {
      const name = nameOf(budget, networkOf(exchange.ip));
      const until = spent.get(name);
      const now = clock();
      if (until === undefined) return;
      if (until > now) throw refusal(budget, until, now);
      spent.delete(name);
    },
  };
}
