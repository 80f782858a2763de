/** Sends the mails that wait in the table `outbox`: each at least once, as long as it is of any use. */
import { getLogger } from "@logtape/logtape";
import { and, asc, eq, inArray, lte, min, sql } from "drizzle-orm";
import type { Clock } from "../clock.ts";
import type { Database } from "../database/drizzle.ts";
import { outbox } from "../database/schema.ts";
import { render } from "./templates.ts";
import { CONCURRENCY, SEND_TIMEOUT, type SendError, type Transport } from "./transport.ts";

export interface Outbox {
  /** To be called at start, and after each answer to a request that put a mail into the table. Returns at once. */
  wake(): void;
  /** Takes up no more mails, and resolves when those in hand are sent or have failed. The rest stays in the table. */
  stop(): Promise<void>;
}

/**
 * How long a claim holds, in milliseconds: longer than sending, and writing down what came of it, can take.
 * When it lapses, the process that made it is gone, and the mail is due again.
 */
export const LEASE = 2 * SEND_TIMEOUT;

/** Milliseconds from the first, second, … failure to the next attempt. After the last there is none. */
const RETRY_AFTER = [5_000, 30_000, 120_000, 600_000];

/** Milliseconds between the attempts to write down what came of a mail, while the database can't. */
const SETTLE_AFTER = [100, 1_000, 3_000];

/** Milliseconds until the table is looked at again when the database could not answer. */
const LOOK_AFTER = 5_000;

/** Milliseconds. A timer takes no more than 2^31 - 1; one that fires early does no harm. */
const LONGEST_SLEEP = 600_000;

const logger = getLogger(["todos", "mail"]);

type Claimed = Pick<
  typeof outbox.$inferSelect,
  "id" | "to" | "template" | "data" | "attempts" | "expires_at"
>;

export function createOutbox(services: {
  database: Database;
  clock: Clock;
  transport: Transport;
}): Outbox {
  const { database: db, clock, transport } = services;
  const inHand = new Set<Promise<void>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking = Promise.resolve();
  let isLooking = false;
  let isWoken = false;
  let isStopped = false;

  function wake(): void {
    isWoken = true;
    if (!isLooking) looking = look();
  }

  /** Claims what is due and there are hands for, again and again while it is woken. Never rejects. */
  async function look(): Promise<void> {
    isLooking = true;
    // With all hands full there is nothing to do: each wakes when it is done.
    while (isWoken && !isStopped && inHand.size < CONCURRENCY) {
      isWoken = false;
      const hands = CONCURRENCY - inHand.size;
      try {
        const { mails, nextAt } = await claim(hands);
        for (const mail of mails) takeInHand(mail);
        // If there is more that is due, the first free hand will look for it.
        if (mails.length < hands && nextAt !== null) wakeIn(Date.parse(nextAt) - clock());
      } catch (error) {
        logger.warn("can't look for mails to send: {error}", { error });
        wakeIn(LOOK_AFTER);
      }
    }
    isLooking = false;
  }

  function wakeIn(milliseconds: number): void {
    clearTimeout(timer);
    if (isStopped) return;
    timer = setTimeout(wake, Math.min(milliseconds, LONGEST_SLEEP));
    // A process that has nothing else to do may end: the mails stay in the table.
    timer.unref?.();
  }

  function takeInHand(mail: Claimed): void {
    const work = deliver(mail).finally(() => {
      inHand.delete(work);
      wake();
    });
    inHand.add(work);
  }

  /** Takes up to `limit` mails that are due, in one statement, so that no other process gets the same ones. */
  async function claim(limit: number): Promise<{ mails: Claimed[]; nextAt: string | null }> {
    const now = clock();
    const due = db
      .select({ id: outbox.id })
      .from(outbox)
      .where(lte(outbox.next_attempt_at, toInstant(now)))
      .orderBy(asc(outbox.next_attempt_at))
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
          to: outbox.to,
          template: outbox.template,
          data: outbox.data,
          attempts: outbox.attempts,
          expires_at: outbox.expires_at,
        }),
      // Claims are among them, so one that another process made and can't keep will be seen to lapse.
      db.select({ at: min(outbox.next_attempt_at) }).from(outbox),
    ]);
    return { mails, nextAt: next?.at ?? null };
  }

  /** Never rejects. */
  async function deliver(mail: Claimed): Promise<void> {
    // It waited while no service ran.
    if (isOver(mail, clock())) return giveUp(mail, "expired");
    try {
      await transport.send({ to: mail.to, ...render(mail.template, mail.data) });
    } catch (error) {
      return retryOrGiveUp(mail, error);
    }
    await remove(mail);
  }

  async function retryOrGiveUp(mail: Claimed, error: unknown): Promise<void> {
    const failure: SendError = error instanceof Error ? error : new Error(String(error));
    const reason = reasonOf(failure);
    const delay = RETRY_AFTER[mail.attempts - 1];
    const next = clock() + (delay ?? 0);
    if (failure.permanent || delay === undefined || isOver(mail, next)) {
      return giveUp(mail, reason);
    }
    logger.info("mail {outbox_id} not sent, next attempt in {seconds} s: {reason}", {
      outbox_id: mail.id,
      seconds: delay / 1000,
      reason,
    });
    await settle(mail, () =>
      db
        .update(outbox)
        .set({ next_attempt_at: toInstant(next) })
        // If the claim lapsed after all, what comes next is up to whoever has it now.
        .where(and(eq(outbox.id, mail.id), eq(outbox.attempts, mail.attempts))),
    );
  }

  async function giveUp(mail: Claimed, reason: string): Promise<void> {
    logger.warn("mail {outbox_id} given up: {reason}", { outbox_id: mail.id, reason });
    await remove(mail);
  }

  function remove(mail: Claimed): Promise<void> {
    return settle(mail, () => db.delete(outbox).where(eq(outbox.id, mail.id)));
  }

  /** Never rejects: at worst the claim lapses, and the mail comes twice. */
  async function settle(mail: Claimed, write: () => PromiseLike<unknown>): Promise<void> {
    for (const delay of [...SETTLE_AFTER, undefined]) {
      try {
        await write();
        return;
      } catch (error) {
        if (delay === undefined) {
          logger.error("mail {outbox_id} may be sent again: {error}", {
            outbox_id: mail.id,
            error,
          });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  return {
    wake,
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await looking;
      await Promise.all(inHand);
    },
  };
}

const toInstant = (milliseconds: number) => new Date(milliseconds).toISOString();

const isOver = (mail: Claimed, now: number) => Date.parse(mail.expires_at) <= now;

/** Without the message: a server's answer repeats the address. */
const reasonOf = ({ name, code, originalCode, responseCode }: SendError) =>
  [code ?? name, originalCode, responseCode, EXPLANATIONS.get(code ?? "")]
    .filter((part) => part !== undefined)
    .join(" ");

/** What whoever runs the service should know of a code. */
const EXPLANATIONS = new Map([
  ["ETLS", "(the mail server gives no TLS, without which nothing is sent: see MAIL_URL)"],
]);
