/**
 * One-time passwords: six digits that prove that somebody reads an address. Kept as an HMAC in the TTL table; single
 * use, few tries, and only the newest counts (ASVS 6.5 and 6.6). All of a step's statements go in one batch, so that
 * nothing can come between the check of a limit and what it limits.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../database/drizzle.ts";
import { type MailData, outbox, users } from "../database/schema.ts";
import { ttlTable } from "../database/ttl.ts";
import { Failure } from "../http/problem.ts";
import { type Mac, toBase64url } from "../seal.ts";

/** Guesses that are judged; after them even the right one fails. */
const TRIES = 5;
/** Milliseconds over which sends are counted. */
const DAY = 24 * 3600_000;

export type Purpose = "verify_email" | "reset_password";

export interface OneTimePasswordSettings {
  /** Seconds. */
  otpTtl: number;
  /** Seconds between two sends. */
  otpResendAfter: number;
  /** Sends a day, to one address and to one user. */
  otpDailyLimit: number;
}

/** A new one-time password, and where it is to go. */
export interface Sending {
  purpose: Purpose;
  /** The user's id for `verify_email`, the address for `reset_password`: whose the one-time password is. */
  owner: number | string | SQL;
  /** In lower case. */
  email: string;
  /** The id of the user whom the mail is for; no mail is sent where it is NULL. */
  recipient: SQL;
  language: MailData["language"];
  /** What else must hold. */
  when: SQL;
}

/** What `ttl` has as the value: the MAC, a nonce that tells this one-time password from any other, the address. */
const MAC_LENGTH = 43;
const EMAIL_AT = MAC_LENGTH + 1 + 22 + 1 + 1;

export type OneTimePasswords = ReturnType<typeof createOneTimePasswords>;

export function createOneTimePasswords(db: Database, mac: Mac, settings: OneTimePasswordSettings) {
  const ttl = ttlTable(db);
  const lifetime = settings.otpTtl * 1000;
  // A number is not left to SQL: a libSQL server takes it for 1.0.
  const keyOf = (purpose: Purpose, owner: Sending["owner"]) =>
    sql`${`${purpose}:`} || ${typeof owner === "number" ? String(owner) : owner}`;
  const isFull = sql`CAST(value AS INTEGER) >= ${settings.otpDailyLimit}`;

  return {
    /** The statements that send a one-time password, unless one was sent too recently; see `refuseUnsent`. */
    async send({ purpose, owner, email, recipient, language, when }: Sending, now: number) {
      const otp = randomDigits();
      const nonce = toBase64url(crypto.getRandomValues(new Uint8Array(16)));
      const value = `${await mac(purpose, otp)}.${nonce}.${email}`;
      const key = keyOf(purpose, owner);
      const byEmail = `email:${email}`;
      // Counted only where a user asks: where anybody does, it would tell which addresses are known.
      const byUser = purpose === "verify_email" ? sql`'user:' || ${recipient}` : sql`NULL`;
      const isAllowed = sql`${when}
        AND NOT ${ttl.exists("otp_cooldown", key, now)}
        AND NOT ${ttl.exists("otp_sends", byEmail, now, isFull)}
        AND NOT ${ttl.exists("otp_sends", byUser, now, isFull)}`;
      const isSent = ttl.exists("otp", key, now, sql`value = ${value}`);
      const count = { kind: "otp_sends", lifetime: DAY } as const;
      const data: MailData = { otp, language, expires_in: settings.otpTtl };
      return [
        ttl.get("otp_cooldown", key, now),
        ttl.get("otp_sends", byEmail, now),
        ttl.get("otp_sends", byUser, now),
        ttl.set({ kind: "otp", key, lifetime, when: isAllowed }, value, now),
        ttl.set({ kind: "otp_tries", key, lifetime, when: isSent }, "0", now),
        ttl.set(
          { kind: "otp_cooldown", key, lifetime: settings.otpResendAfter * 1000, when: isSent },
          "",
          now,
        ),
        ttl.increment({ ...count, key: byEmail, when: isSent }, now),
        ttl.increment(
          { ...count, key: byUser, when: sql`${byUser} IS NOT NULL AND ${isSent}` },
          now,
        ),
        db.insert(outbox).select(
          db
            .select({
              id: sql<number>`null`.as("id"),
              user_id: users.id,
              to: sql<string>`${email}`.as("to"),
              template: sql<Purpose>`${purpose}`.as("template"),
              data: sql<MailData>`${JSON.stringify(data)}`.as("data"),
              attempts: sql<number>`0`.as("attempts"),
              next_attempt_at: sql<string>`${now}`.as("next_attempt_at"),
              expires_at: sql<string>`${now + lifetime}`.as("expires_at"),
              created_at: sql<string>`${now}`.as("created_at"),
            })
            .from(users)
            .where(sql`${users.id} = ${recipient} AND ${isSent}`),
        ),
        ttl.sweep(now),
      ] as const;
    },

    /**
     * @param results those of the statements of `send`
     * @returns what the client is told, in seconds
     * @throws Failure `otp_cooldown`
     */
    refuseUnsent(results: SendResults, now: number): { expires_in: number; resend_after: number } {
      const [cooldown, toAddress, toUser, sent] = results;
      if (sent.length === 0) {
        const full = [...toAddress, ...toUser].filter(
          ({ value }) => Number(value) >= settings.otpDailyLimit,
        );
        const end = Math.max(now, ...[...cooldown, ...full].map(({ expires_at }) => expires_at));
        const seconds = Math.max(1, Math.ceil((end - now) / 1000));
        throw new Failure("otp_cooldown", { headers: { "retry-after": String(seconds) } });
      }
      return { expires_in: settings.otpTtl, resend_after: settings.otpResendAfter };
    },

    /**
     * The judging of a guess: `count` is the statement to run first, `isRight` then the condition, `take` what uses
     * the one-time password up, and `email` the address that it was sent to.
     */
    async judge(
      purpose: Purpose,
      owner: number | string,
      guess: string,
      now: number,
      when = sql`true`,
    ) {
      const key = keyOf(purpose, owner);
      const guessed = await mac(purpose, guess);
      const fits = sql`substr(value, 1, ${MAC_LENGTH}) = ${guessed}`;
      const stands = ttl.exists("otp", key, now, fits);
      const isJudged = ttl.exists("otp_tries", key, now, sql`CAST(value AS INTEGER) <= ${TRIES}`);
      return {
        key,
        count: ttl.increment({ kind: "otp_tries", key, lifetime, when }, now),
        isRight: sql`${stands} AND ${isJudged}`,
        /** For a second batch, when the first has found it right: it may have been used up in between. */
        stands,
        take: ttl.take("otp", key, now, sql`${fits} AND ${isJudged}`),
        email: sql<string>`(
          SELECT substr(value, ${EMAIL_AT}) FROM ttl WHERE kind = 'otp' AND key = ${key}
        )`,
      };
    },

    /** The statement that forgets what would reset the password of whoever has the address. */
    forgetReset: (email: string | SQL, now: number, when: SQL) =>
      ttl.take("otp", keyOf("reset_password", email), now, when),

    /** The statements that forget a user's one-time passwords. */
    forget(user_id: number, email: string | null, now: number, when: SQL) {
      return [
        ttl.take("otp", keyOf("verify_email", user_id), now, when),
        ttl.take("otp", keyOf("reset_password", email ?? ""), now, when),
      ] as const;
    },
  };
}

type SendResults = readonly [
  cooldown: { expires_at: number }[],
  toAddress: { value: string; expires_at: number }[],
  toUser: { value: string; expires_at: number }[],
  sent: unknown[],
  ...unknown[],
];

/** Six digits, each of the million equally likely. */
function randomDigits(): string {
  const range = 1_000_000;
  for (;;) {
    const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
    // The last part of the 32-bit range, not a whole million, would favour its low numbers.
    if (number < 2 ** 32 - (2 ** 32 % range)) return String(number % range).padStart(6, "0");
  }
}
