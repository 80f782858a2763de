/**
 * Verifying an address with a one-time password (ASVS 5.0, 6.5 and 6.6). It allows few tries and one use, and only the
 * newest one counts. All statements of a step are in one batch, so that nothing can happen between the check of a limit
 * and the action that it limits.
 */
import { and, eq, inArray, isNotNull, type SQL, sql } from "drizzle-orm";
import { accountOf, accountOfUser, type Pseudonym } from "../auth/accounts.ts";
import type { Budgets } from "../auth/budgets.ts";
import type { Confirmation } from "../auth/confirmation.ts";
import { isLive, live, ownerOf, type SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import { batch } from "../database/batch.ts";
import type { Database } from "../database/drizzle.ts";
import { sessions, users, verifications } from "../database/schema.ts";
import type { Ttl } from "../database/ttl.ts";
import { networkOf } from "../http/client-ip.ts";
import type { Exchange } from "../http/exchange.ts";
import { Failure } from "../http/problem.ts";
import type { Enqueue } from "../mail/enqueue.ts";
import type { Language } from "../mail/language.ts";
import { type Mac, toBase64url } from "../seal.ts";
import { macsOfGuess, macToKeep, newDigits } from "./digits.ts";
import { cooldown, DAY, isFull, type SendLimits } from "./limits.ts";

/** Guesses that are checked. After them, even the correct one fails. */
const TRIES = 5;
/** Expired rows deleted per send. A send inserts one, so expired rows cannot accumulate. */
const SWEEP = 4;

/** A one-time password to send. */
interface Sending {
  /** The id of the user who wants to verify the address; null for the user that `newUser` finds. */
  user_id: number | null;
  /** The id of the user whom an earlier statement of the batch has inserted; NULL if it has not inserted one. */
  newUser?: SQL;
  /** In lower case. */
  email: string;
  language: Language;
  exchange: Exchange;
  /** A further condition. */
  when: SQL;
}

export type Verification = ReturnType<typeof createVerification>;

export function createVerification(
  services: {
    database: Database;
    ttl: Ttl;
    clock: Clock;
    budgets: Budgets;
    pseudonym: Pseudonym;
    otpMac: Mac;
    enqueue: Enqueue;
    confirmation: Confirmation;
  },
  settings: SendLimits & {
    /** Seconds. */
    otpTtl: number;
  },
) {
  const { database: db, ttl, clock, budgets, pseudonym, otpMac, enqueue, confirmation } = services;
  const lifetime = settings.otpTtl * 1000;
  const full = isFull(settings.otpDailyLimit);

  /** Deletes a few expired rows, so that no address is stored longer than necessary. */
  const sweep = (now: number) =>
    db.run(sql`
      DELETE FROM ${verifications} WHERE user_id IN (
        SELECT user_id FROM ${verifications} WHERE expires_at <= ${now}
        ORDER BY expires_at LIMIT ${SWEEP}
      )`);

  /** The statements that send a one-time password, unless a limit is reached. */
  function sending(wanted: Sending, now: number) {
    const { user_id, newUser, email, language, exchange, when } = wanted;
    const otp = newDigits();
    const id = toBase64url(crypto.getRandomValues(new Uint8Array(16)));
    const network = networkOf(exchange.ip);
    const recipient = newUser ?? sql`CAST(${user_id} AS INTEGER)`;
    const byUser = user_id === null ? accountOfUser(recipient) : accountOf(user_id);
    const toAddress = pseudonym(email, now);
    const limits = {
      wait: ttl.end("verification_wait", byUser, now),
      byUser: ttl.end("verification_sends", byUser, now, full),
      toAddress: ttl.end("verification_sends", toAddress, now, full),
    };
    const isAllowed = sql`${when} AND ${budgets.isLeft("mails", network, now)}
      AND coalesce(${limits.wait}, ${limits.byUser}, ${limits.toAddress}) IS NULL`;
    const isSent = sql`EXISTS (SELECT 1 FROM ${verifications} WHERE id = ${id})`;
    const sends = { kind: "verification_sends", lifetime: DAY, when: isSent } as const;
    const waiting = {
      kind: "verification_wait",
      key: byUser,
      lifetime: settings.otpResendAfter * 1000,
      when: isSent,
    } as const;
    const mail = { user_id: recipient, to: email, when: isSent, request_id: exchange.id };
    const data = { otp, language, expires_in: settings.otpTtl };
    return {
      budget: budgets.ask("mails", network, now),
      limits: db.all<{ until: number }>(sql`
        SELECT max(
          coalesce(${limits.wait}, 0), coalesce(${limits.byUser}, 0), coalesce(${limits.toAddress}, 0)
        ) AS until`),
      sent: db.all<{ id: string }>(sql`
        INSERT INTO ${verifications} (user_id, id, email, otp_mac, tries, expires_at)
        SELECT ${users.id}, ${id}, ${email}, ${macToKeep(otpMac, user_id, otp)}, 0, ${now + lifetime}
        FROM ${users} WHERE ${users.id} = ${recipient} AND ${isAllowed}
        ON CONFLICT (user_id) DO UPDATE SET
          id = excluded.id, email = excluded.email, otp_mac = excluded.otp_mac,
          tries = 0, expires_at = excluded.expires_at
        RETURNING id`),
      waiting: ttl.set(waiting, "", now),
      ofUser: ttl.increment({ ...sends, key: byUser }, now),
      ofAddress: ttl.increment({ ...sends, key: toAddress }, now),
      ofNetwork: budgets.spend("mails", network, now, isSent),
      mail: enqueue.code("verify_email", mail, data, now),
      expired: sweep(now),
      swept: ttl.sweep(now),
    };
  }

  return {
    /**
     * The statements that send one to a user who is inserted earlier in the same batch. If a limit is reached, nothing
     * is sent.
     * @param newUser the user's id; NULL if no user was inserted
     */
    sendingToNew(
      newUser: SQL,
      { email, language, exchange }: Pick<Sending, "email" | "language" | "exchange">,
      now: number,
    ) {
      const when = sql`true`;
      return Object.values(
        sending({ user_id: null, newUser, email, language, exchange, when }, now),
      );
    },

    /**
     * Sends one to an address that the user wants to verify.
     * @param confirmed the hash of the password that confirmed the request, if there was one
     * @returns the answer for the client, in seconds
     * @throws Failure `unauthorized`, `too_many_attempts`, `password_required`, `wrong_password`, `rate_limited`,
     *   `otp_cooldown`
     */
    async send(
      session: SessionRef,
      { email, language, exchange }: Pick<Sending, "email" | "language" | "exchange">,
      confirmed: string | undefined,
    ) {
      const now = clock();
      const { user_id } = session;
      // Without the password, anybody who has stolen a token could move the account to another address.
      const mayChange = sql<number>`(${users.email} IS NULL OR ${users.password_hash} IS ${confirmed ?? null})`;
      const found = db
        .select({ may_change: mayChange.as("may_change") })
        .from(sessions)
        .innerJoin(users, eq(users.id, sessions.user_id))
        .where(isLive({ ...session, now }));
      // Other attempts may have failed while this password was verified. Then the result does not count.
      const isAdmitted =
        confirmed === undefined ? sql`true` : confirmation.isAdmitted(session, now);
      const when = sql`EXISTS (SELECT 1 FROM (${found}) WHERE may_change) AND ${isAdmitted}`;
      const isConfirmed = confirmed === undefined ? sql`false` : when;
      const results = await batch(db, {
        found,
        asked: confirmation.ask(session, now),
        ...sending({ user_id, email, language, exchange, when }, now),
        failures: confirmation.clear(session, isConfirmed),
      });
      const { may_change } = live(results.found[0]);
      if (confirmed !== undefined) confirmation.refuse(results.asked[0], session, exchange, now);
      if (!may_change) {
        throw new Failure(confirmed === undefined ? "password_required" : "wrong_password");
      }
      if (results.sent.length === 0) {
        budgets.refuseSpent("mails", results.budget[0]?.spent_until, exchange);
        throw cooldown(results.limits[0]?.until ?? now, now);
      }
      return { expires_in: settings.otpTtl, resend_after: settings.otpResendAfter };
    },

    /**
     * Sets the address that the one-time password was sent to, and sends a mail to the address that it replaces.
     * Undefined when the guess was wrong, or when another user has verified the address before.
     * @throws Failure `unauthorized`
     */
    async verify(session: SessionRef, guess: string, language: Language, exchange: Exchange) {
      const now = clock();
      const { user_id } = session;
      const owner = ownerOf(db, session, now);
      const isRight = and(
        eq(verifications.user_id, user_id),
        inArray(verifications.otp_mac, macsOfGuess(otpMac, user_id, guess)),
        sql`${verifications.tries} <= ${TRIES} AND ${verifications.expires_at} > ${now}`,
        sql`EXISTS ${owner}`,
      );
      /** The address that is verified now. There is no row when none is. */
      const proved = sql`(
        SELECT ${verifications.email} FROM ${verifications} WHERE ${isRight} AND NOT EXISTS (
          SELECT 1 FROM ${users} AS other
          WHERE other.email = ${verifications.email} AND other.id <> ${user_id}
        )
      )`;
      const replaced = {
        user_id,
        to: sql`${users.email}`,
        when: sql`${users.email} <> ${proved}`,
        request_id: exchange.id,
      };
      const { found, user } = await batch(db, {
        found: owner,
        tried: db
          .update(verifications)
          .set({ tries: sql`${verifications.tries} + 1` })
          .where(and(eq(verifications.user_id, user_id), sql`EXISTS ${owner}`)),
        notice: enqueue.notice("address_replaced", replaced, language, now),
        user: db
          .update(users)
          .set({ email: proved })
          .where(and(eq(users.id, owner), isNotNull(proved)))
          .returning({
            id: users.id,
            username: users.username,
            email: users.email,
            created_at: users.created_at,
          }),
        used: db.delete(verifications).where(isRight),
      });
      live(found[0]);
      return user[0];
    },
  };
}
