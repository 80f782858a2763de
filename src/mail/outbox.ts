/**
 * The mails that wait in the table `outbox`. Takes the mails that are due, and sends each at least once, as long as it
 * is of any use. `clockwork.ts` decides when to look for them.
 */
import { getLogger } from "@logtape/logtape";
import { and, asc, eq, inArray, lte, min, sql } from "drizzle-orm";
import type { Clock } from "../clock.ts";
import type { Database } from "../database/drizzle.ts";
import { outbox } from "../database/schema.ts";
import { toInstant } from "../instant.ts";
import { type Meter, silent } from "../instruments.ts";
import { reasonOf } from "./failure.ts";
import { render } from "./templates.ts";
import { SEND_TIMEOUT, type SendError, type Transport } from "./transport.ts";

export interface Outbox {
  /**
   * Claims up to `limit` mails that are due, in one statement, so that no other process gets the same mails.
   * @returns these mails, and when to look for more: milliseconds since the epoch, or null when no mail is left in the
   *   table
   */
  claim(limit: number): Promise<{ mails: Claimed[]; nextAt: number | null }>;
  /** Sends a claimed mail, and stores the result. Never rejects. */
  deliver(mail: Claimed): Promise<void>;
}

/**
 * Milliseconds that a claim lasts. This is longer than sending a mail and storing the result can take. When a claim
 * ends without a result, its process has died, and the mail is due again.
 */
export const LEASE = 2 * SEND_TIMEOUT;

/**
 * Milliseconds from the first, second, … failure to the next attempt. After the last one there are no more attempts.
 */
const RETRY_AFTER = [5_000, 30_000, 120_000, 600_000];

/** Milliseconds between the attempts to store the result of a mail, while the database cannot answer. */
const SETTLE_AFTER = [100, 1_000, 3_000];

const logger = getLogger(["todos", "mail"]);

/** Milliseconds to the next attempt after a refusal that is about the service and not about the mail. */
const RETRY_MENDED_AFTER = 60_000;

export type Claimed = Pick<
  typeof outbox.$inferSelect,
  "id" | "user_id" | "to" | "template" | "data" | "attempts" | "expires_at" | "request_id"
>;

export function createOutbox(services: {
  database: Database;
  clock: Clock;
  transport: Transport;
  meter?: Pick<Meter, "mail">;
}): Outbox {
  const { database: db, clock, transport, meter = silent } = services;

  async function claim(limit: number) {
    const now = clock();
    const due = db
      .select({ id: outbox.id })
      .from(outbox)
      .where(lte(outbox.next_attempt_at, toInstant(now)))
      .orderBy(asc(outbox.priority), asc(outbox.next_attempt_at))
      .limit(limit);
    const [mails, [next]] = await db.batch([
      db
        .update(outbox)
        .set({
          attempts: sql`${outbox.attempts} + 1`,
          next_attempt_at: toInstant(now + LEASE),
        })
        .where(inArray(outbox.id, due))
        .returning({
          id: outbox.id,
          user_id: outbox.user_id,
          to: outbox.to,
          template: outbox.template,
          data: outbox.data,
          attempts: outbox.attempts,
          expires_at: outbox.expires_at,
          request_id: outbox.request_id,
        }),
      // This includes claimed mails. So if another process has died, this one looks again when its claim ends.
      db.select({ at: min(outbox.next_attempt_at) }).from(outbox),
    ]);
    return { mails, nextAt: next?.at ? Date.parse(next.at) : null };
  }

  async function deliver(mail: Claimed): Promise<void> {
    // The mail has waited too long, because no service was running.
    if (isOver(mail, clock())) return giveUp(mail, "expired");
    try {
      await transport.send({ to: mail.to, ...render(mail.template, mail.data) });
    } catch (error) {
      const failure: SendError = error instanceof Error ? error : new Error(String(error));
      return failure.refusesService ? waitForMending(mail, failure) : retryOrGiveUp(mail, failure);
    }
    meter.mail("sent");
    logger.info("mail {outbox_id} sent", about(mail));
    await remove(mail);
  }

  /** The attempt does not count, because no other mail would have been accepted. Other due mails wait too. */
  async function waitForMending(mail: Claimed, failure: SendError): Promise<void> {
    const reason = reasonOf(failure);
    const now = clock();
    const next = now + RETRY_MENDED_AFTER;
    const line = { ...about(mail), reason, seconds: RETRY_MENDED_AFTER / 1000 };
    if (isOver(mail, next)) {
      meter.mail("given_up");
      logger.error(
        "mail {outbox_id} given up, because it expires before it can be sent: {reason}",
        line,
      );
      return remove(mail);
    }
    meter.mail("failed");
    logger.error("no mail can be sent, next attempt in {seconds} s: {reason}", line);
    await settle(mail, () =>
      db.batch([
        db
          .update(outbox)
          .set({ attempts: mail.attempts - 1, next_attempt_at: toInstant(next) })
          .where(isStillClaimed(mail)),
        db
          .update(outbox)
          .set({ next_attempt_at: toInstant(next) })
          .where(lte(outbox.next_attempt_at, toInstant(now))),
      ]),
    );
  }

  async function retryOrGiveUp(mail: Claimed, failure: SendError): Promise<void> {
    const reason = reasonOf(failure);
    const delay = RETRY_AFTER[mail.attempts - 1];
    const next = clock() + (delay ?? 0);
    if (failure.permanent || delay === undefined || isOver(mail, next)) {
      return giveUp(mail, reason);
    }
    meter.mail("failed");
    logger.info("mail {outbox_id} not sent, next attempt in {seconds} s: {reason}", {
      ...about(mail),
      seconds: delay / 1000,
      reason,
    });
    await settle(mail, () =>
      db
        .update(outbox)
        .set({ next_attempt_at: toInstant(next) })
        .where(isStillClaimed(mail)),
    );
  }

  async function giveUp(mail: Claimed, reason: string): Promise<void> {
    meter.mail("given_up");
    logger.warn("mail {outbox_id} given up: {reason}", { ...about(mail), reason });
    await remove(mail);
  }

  function remove(mail: Claimed): Promise<void> {
    return settle(mail, () => db.delete(outbox).where(eq(outbox.id, mail.id)));
  }

  /** Never rejects. In the worst case the claim ends, and the mail is sent twice. */
  async function settle(mail: Claimed, write: () => PromiseLike<unknown>): Promise<void> {
    for (const delay of [...SETTLE_AFTER, undefined]) {
      try {
        await write();
        return;
      } catch (error) {
        if (delay === undefined) {
          logger.error("mail {outbox_id} may be sent again: {error}", {
            ...about(mail),
            error,
          });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  return { claim, deliver };
}

/** The properties of each log line about a mail. They never include the address or a code. */
const about = ({ id, template, request_id, user_id }: Claimed) => ({
  outbox_id: id,
  template,
  request_id,
  user_id,
});

/** If the claim has ended meanwhile, another process has the mail now. */
const isStillClaimed = (mail: Claimed) =>
  and(eq(outbox.id, mail.id), eq(outbox.attempts, mail.attempts));

const isOver = (mail: Claimed, now: number) => Date.parse(mail.expires_at) <= now;
