/** Puts mails into the outbox, in the transaction that they report about. `outbox.ts` sends them. */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../database/drizzle.ts";
import { type CodeData, type MailData, outbox, users } from "../database/schema.ts";
import { toInstant } from "../instant.ts";
import type { Language } from "./language.ts";

export type CodeTemplate = "verify_email" | "reset_password";
export type NoticeTemplate = "address_replaced" | "password_changed" | "password_reset";

/** The recipient of a mail. */
interface Recipient {
  /** The user's id. No mail is written if it is NULL, or if there is no such user. */
  user_id: SQL | number;
  /** The address. No mail is written if it is NULL. */
  to: SQL | string;
  /** A further condition for the mail. */
  when: SQL;
  /** The id of the request that causes the mail. Each log line about the mail has it. */
  request_id: string;
}

/**
 * The order in which mails are sent. Somebody who has forgotten the password is waiting, and somebody who verifies an
 * address is too. Notices come last, because a user can cause as many as there are changes.
 */
const PRIORITIES = { reset_password: 0, verify_email: 1, notice: 2 };

/** Milliseconds after which a notice is no longer worth sending. */
const NOTICE_LIFETIME = 24 * 3600_000;

/** Milliseconds. */
const SHORTEST_DELAY = 50;
const LONGEST_DELAY = 250;

/**
 * Milliseconds until a mail is due, at random. The answer has been sent long before, so the time of the answer does not
 * show whether there is a mail.
 */
export const randomDelay = () =>
  Math.round(SHORTEST_DELAY + Math.random() * (LONGEST_DELAY - SHORTEST_DELAY));

export type Enqueue = ReturnType<typeof createEnqueue>;

/** @param delay milliseconds until a mail is due */
export function createEnqueue(db: Database, delay: () => number) {
  function insert(row: Row, now: number) {
    const { user_id, to, template, data, expires_at, priority, when, request_id } = row;
    return db.run(sql`
      INSERT INTO ${outbox}
        (user_id, "to", template, data, attempts, next_attempt_at, expires_at, created_at, priority,
          request_id)
      SELECT ${users.id}, ${to}, ${template}, ${JSON.stringify(data)}, 0, ${now + delay()},
        ${expires_at}, ${now}, ${priority}, ${request_id}
      FROM ${users} WHERE ${users.id} = ${user_id} AND ${to} IS NOT NULL AND ${when}`);
  }

  return {
    /** Milliseconds until a mail that is written now is due. The outbox is woken then. */
    delay,

    /**
     * The statement that writes a mail with a code.
     * @param now milliseconds since the epoch, here and below
     */
    code(template: CodeTemplate, recipient: Recipient, data: CodeData, now: number) {
      const expires_at = now + data.expires_in * 1000;
      return insert(
        { template, data, expires_at, priority: PRIORITIES[template], ...recipient },
        now,
      );
    },

    /**
     * The statement that writes a mail about a change that was made to an account now. There is none while an equal one
     * waits for the same recipient.
     */
    notice(template: NoticeTemplate, recipient: Recipient, language: Language, now: number) {
      const { user_id, to } = recipient;
      const data = { language, at: toInstant(now) };
      const expires_at = now + NOTICE_LIFETIME;
      const when = sql`${recipient.when} AND NOT EXISTS (
        SELECT 1 FROM ${outbox}
        WHERE ${outbox.user_id} = ${user_id} AND ${outbox.template} = ${template} AND ${outbox.to} = ${to}
      )`;
      const priority = PRIORITIES.notice;
      return insert({ template, data, expires_at, priority, ...recipient, when }, now);
    },
  };
}

interface Row extends Recipient {
  template: CodeTemplate | NoticeTemplate;
  data: MailData;
  expires_at: number;
  priority: number;
}
