/**
 * Resetting a forgotten password with a code (ASVS 5.0, 6.4.3). A wrong guess never uses up a code, so nobody can use
 * up another's code, and the code is too long to guess. An address that nobody has is treated in the same way, except
 * that no mail is sent.
 */
import { and, eq, type SQL, sql } from "drizzle-orm";
import { accountOf, accountOfUser, type Pseudonym } from "../auth/accounts.ts";
import type { Budgets } from "../auth/budgets.ts";
import type { KnownNetworks } from "../auth/known-networks.ts";
import { logSecurityEvent } from "../auth/security-log.ts";
import type { Throttle } from "../auth/throttle.ts";
import { createWaits, FREE, tooManyAttempts } from "../auth/waits.ts";
import type { Clock } from "../clock.ts";
import { batch } from "../database/batch.ts";
import type { Database } from "../database/drizzle.ts";
import { sessions, users, verifications } from "../database/schema.ts";
import type { Ttl } from "../database/ttl.ts";
import { networkOf } from "../http/client-ip.ts";
import type { Exchange } from "../http/exchange.ts";
import type { Meter } from "../instruments.ts";
import type { Enqueue } from "../mail/enqueue.ts";
import type { Language } from "../mail/language.ts";
import type { Mac } from "../seal.ts";
import { cooldown, DAY, isFull, type SendLimits } from "./limits.ts";
import { newResetCode, readResetCode } from "./reset-codes.ts";

/** Codes that may be valid at the same time. While there are as many, no further code is sent. */
const MOST_CODES = 3;
/** Sends per day for a network that the account is known from. Sends from other networks do not count. */
const KNOWN_NETWORK_LIMIT = 5;

/** The key of a row under the address's pseudonym. */
const keyUnder = (address: string | SQL, rest: string) => sql`(${address} || ${`/${rest}`})`;

/** The account of the user who has the address, found within the statement. NULL when no user has the address. */
const accountWith = (email: string) =>
  accountOfUser(sql`(SELECT id FROM ${users} WHERE email = ${email})`);

/** What the statements that reset a password need to know about the user. */
type Resetting = Pick<typeof users.$inferSelect, "id" | "username">;

/**
 * The limits that apply to a request for a code: their ends, in milliseconds since the epoch, and whether the network's
 * own limit is used.
 */
interface Asked {
  spent_until: number | null;
  own_wait_until: number | null;
  address_until: number | null;
  has_own: number;
}

export type Reset = ReturnType<typeof createReset>;

export function createReset(
  services: {
    database: Database;
    ttl: Ttl;
    clock: Clock;
    budgets: Budgets;
    knownNetworks: KnownNetworks;
    throttle: Throttle;
    pseudonym: Pseudonym;
    otpMac: Mac;
    enqueue: Enqueue;
    meter: Pick<Meter, "refused">;
  },
  settings: SendLimits & {
    /** Seconds. */
    resetTtl: number;
  },
) {
  const {
    database: db,
    ttl,
    clock,
    budgets,
    knownNetworks,
    throttle,
    pseudonym,
    otpMac,
    enqueue,
    meter,
  } = services;
  const waits = createWaits(ttl, "reset_failures");

  /** The text that the MAC of a code covers. It also has the purpose and the address. */
  const partsOfCode = (email: string, code: string | undefined) => [
    "reset_password",
    email,
    code ?? "",
  ];

  /** True for the user to whom the code was sent, while the code is valid. */
  function isValidCode(address: string | SQL, email: string, guess: string, now: number): SQL {
    const isTheirs = sql`value = CAST(${users.id} AS TEXT)`;
    const macs = otpMac.byEachKey(...partsOfCode(email, readResetCode(guess)));
    const isKept = macs.map((mac) =>
      ttl.exists("reset_code", keyUnder(address, mac), now, isTheirs),
    );
    return sql`(${sql.join(isKept, sql` OR `)})`;
  }

  /**
   * The limits for sends to an address. All sends count for the address, and also for the requesting network. From a
   * network that the account is known from, the address's limits do not apply while the network's own limit is not
   * reached. So others may use up the address's limit, and the user still gets a code.
   */
  function limitsOf(address: string | SQL, email: string, network: string, now: number) {
    const own = keyUnder(address, network);
    const account = accountWith(email);
    const wait = ttl.end("reset_wait", address, now);
    const sends = ttl.end("reset_sends", address, now, isFull(settings.otpDailyLimit));
    const spentUntil = budgets.spentUntil("mails", network, now);
    const ownWaitUntil = ttl.end("reset_wait", own, now);
    const addressUntil = sql`nullif(max(coalesce(${wait}, 0), coalesce(${sends}, 0)), 0)`;
    const hasOwn = sql`(
      ${knownNetworks.isKnown(account, network, now)}
      AND NOT ${ttl.exists("reset_sends", own, now, isFull(KNOWN_NETWORK_LIMIT))}
    )`;
    return {
      own,
      ask: db.all<Asked>(sql`
        SELECT ${spentUntil} AS spent_until, ${ownWaitUntil} AS own_wait_until,
          ${addressUntil} AS address_until, ${hasOwn} AS has_own`),
      isAllowed: sql`${spentUntil} IS NULL AND ${ownWaitUntil} IS NULL
        AND (${addressUntil} IS NULL OR ${hasOwn})`,
    };
  }

  /** @throws Failure `rate_limited`, `otp_cooldown` when a limit applies to the request */
  function refuseUnsent(asked: Asked | undefined, exchange: Exchange, now: number): void {
    if (!asked) return;
    const { spent_until, own_wait_until, address_until, has_own } = asked;
    budgets.refuseSpent("mails", spent_until, exchange);
    const until = Math.max(own_wait_until ?? 0, has_own ? 0 : (address_until ?? 0));
    if (until > 0) throw cooldown(until, now);
  }

  /**
   * The statements that end the codes of a user: those that reset the password, with their failed guesses, and the one
   * that verifies another address. The counts of mails and the waits between mails stay until they expire, so that nobody
   * can reset a limit by deleting an account.
   * @param email the verified address; null when there is none
   */
  function endCodes(user_id: number, email: string | null, now: number, when: SQL) {
    const address = email === null ? undefined : pseudonym(email, now);
    return [
      db.delete(verifications).where(and(eq(verifications.user_id, user_id), when)),
      ...(address === undefined
        ? []
        : [ttl.deleteUnder("reset_code", address, when), waits.clearUnder(address, when)]),
    ];
  }

  return {
    /**
     * Sends a code to the user who has verified the address.
     * @returns the answer for the client, in seconds. It is the same whether anybody has the address or not
     * @throws Failure `rate_limited`, `otp_cooldown`
     */
    async send(email: string, language: Language, exchange: Exchange) {
      budgets.refuseKnownSpent("mails", exchange);
      const now = clock();
      const network = networkOf(exchange.ip);
      const address = pseudonym(email, now);
      const code = newResetCode();
      const key = keyUnder(address, otpMac(...partsOfCode(email, readResetCode(code))));
      const { own, ask, isAllowed } = limitsOf(address, email, network, now);
      const user_id = sql`(SELECT id FROM ${users} WHERE email = ${email})`;
      const codes = ttl.countUnder("reset_code", address, now, MOST_CODES);
      const row = {
        kind: "reset_code",
        key,
        lifetime: settings.resetTtl * 1000,
        when: sql`${isAllowed} AND ${codes} < ${MOST_CODES}`,
      } as const;
      const isSent = ttl.exists("reset_code", key, now);
      const waiting = {
        kind: "reset_wait",
        lifetime: settings.otpResendAfter * 1000,
        when: isSent,
      } as const;
      const sends = { kind: "reset_sends", lifetime: DAY, when: isSent } as const;
      const mail = { user_id, to: email, when: isSent, request_id: exchange.id };
      const data = { otp: code, language, expires_in: settings.resetTtl };
      const { asked } = await batch(db, {
        asked: ask,
        // An address that nobody has also gets a row, without a user, so that both cases cost the same.
        code: ttl.set(row, sql`coalesce(CAST(${user_id} AS TEXT), '')`, now),
        // Every answered request counts, whether a mail is sent or not. This comes before the waits, because they would
        // refuse it.
        ofNetwork: budgets.spend("mails", network, now, isAllowed),
        waiting: [address, own].map((each) => ttl.set({ ...waiting, key: each }, "", now)),
        sends: [address, own].map((each) => ttl.increment({ ...sends, key: each }, now)),
        mail: enqueue.code("reset_password", mail, data, now),
        swept: ttl.sweep(now),
      });
      refuseUnsent(asked[0], exchange, now);
      return { expires_in: settings.resetTtl, resend_after: settings.otpResendAfter };
    },

    /**
     * The user whose password a correct code may reset; undefined for a wrong code. A wrong code is counted.
     * @throws Failure `too_many_attempts`, `rate_limited`
     */
    async judge(email: string, guess: string, exchange: Exchange): Promise<Resetting | undefined> {
      const now = clock();
      const network = networkOf(exchange.ip);
      const address = pseudonym(email, now);
      const own = keyUnder(address, network);
      const waitUntil = waits.until(own, now);
      const spentUntil = throttle.spentUntil(accountWith(email), network, now);
      const isJudged = sql`coalesce(${waitUntil}, ${spentUntil}) IS NULL`;
      const isRight = and(eq(users.email, email), isValidCode(address, email, guess, now));
      const isWrong = sql`${isJudged} AND NOT EXISTS (SELECT 1 FROM ${users} WHERE ${isRight})`;
      const { asked, user, failed } = await batch(db, {
        asked: db.all<{ wait_until: number | null; spent_until: number | null }>(
          sql`SELECT ${waitUntil} AS wait_until, ${spentUntil} AS spent_until`,
        ),
        user: db
          .select({ id: users.id, username: users.username })
          .from(users)
          .where(and(isRight, isJudged)),
        failed: waits.fail(own, now, isWrong),
        // Only when the statement before has counted.
        ofNetwork: budgets.spend("failed_log_ins", network, now, sql`changes() > 0`),
        swept: ttl.sweep(now),
      });
      const { wait_until = null, spent_until = null } = asked[0] ?? {};
      if (wait_until !== null || (failed[0]?.value ?? 0) > FREE) {
        logSecurityEvent("too_many_failures", exchange, null);
      }
      if (wait_until !== null) {
        meter.refused("too_many_failures");
        throw tooManyAttempts(wait_until, now);
      }
      budgets.refuseSpent("failed_log_ins", spent_until, exchange);
      return user[0];
    },

    /**
     * Sets the new hash if the code is still valid. Returns whether it was. All sessions and all codes end, the
     * failures are forgotten, and the address gets a mail.
     */
    async apply(
      user: Resetting,
      email: string,
      guess: string,
      newHash: string,
      language: Language,
      exchange: Exchange,
    ): Promise<boolean> {
      const now = clock();
      const address = pseudonym(email, now);
      // A hash has a random salt. So if this hash is stored, the update has happened.
      const isReset = sql`EXISTS (
        SELECT 1 FROM ${users} WHERE id = ${user.id} AND password_hash = ${newHash}
      )`;
      const notice = { user_id: user.id, to: email, when: isReset, request_id: exchange.id };
      const { reset } = await batch(db, {
        reset: db
          .update(users)
          .set({ password_hash: newHash })
          .where(
            and(
              eq(users.id, user.id),
              eq(users.email, email),
              isValidCode(address, email, guess, now),
            ),
          )
          .returning({ id: users.id }),
        sessions: db.delete(sessions).where(and(eq(sessions.user_id, user.id), isReset)),
        codes: endCodes(user.id, email, now, isReset),
        logInFailures: throttle.clearAll(accountOf(user.id), isReset),
        notice: enqueue.notice("password_reset", notice, language, now),
      });
      return reset.length > 0;
    },

    endCodes,
  };
}
