/** Decides when to look into the outbox, on runtimes where a process lives between requests. */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { Claimed, Outbox } from "./outbox.ts";
import { CONCURRENCY } from "./transport.ts";

export interface Clockwork {
  /**
   * Looks for mails that are due. To be called at the start, and by each request that may have added a mail. Returns at
   * once.
   * @param after milliseconds to wait before (0)
   */
  wake(after?: number): void;
  /**
   * Sends no further mails, and resolves when those under way were sent or have failed. The others stay in the table.
   */
  stop(): Promise<void>;
}

/** Milliseconds until the next look when the database could not answer. */
const LOOK_AFTER = 5_000;

/** Milliseconds. A timer accepts at most 2^31 - 1. A timer that fires early does no harm. */
const LONGEST_SLEEP = 600_000;

const logger = getLogger(["todos", "mail"]);

/**
 * Looks whenever it is woken, and by a timer when the next mail is due. At most CONCURRENCY mails are sent at the same
 * time.
 */
export function startClockwork({ claim, deliver }: Outbox, clock: Clock): Clockwork {
  const inHand = new Set<Promise<void>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires, on the clock of performance.now(). */
  let ringsAt = Number.POSITIVE_INFINITY;
  let looking = Promise.resolve();
  let isLooking = false;
  let isWoken = false;
  let isStopped = false;

  function wakeNow(): void {
    clearTimeout(timer);
    ringsAt = Number.POSITIVE_INFINITY;
    isWoken = true;
    if (!isLooking) looking = look();
  }

  /** Claims as many due mails as may be sent at the same time, and repeats this while it is woken. Never rejects. */
  async function look(): Promise<void> {
    isLooking = true;
    // While CONCURRENCY mails are under way there is nothing to do: each of them wakes this function when it is done.
    while (isWoken && !isStopped && inHand.size < CONCURRENCY) {
      isWoken = false;
      const hands = CONCURRENCY - inHand.size;
      try {
        const { mails, nextAt } = await claim(hands);
        for (const mail of mails) takeInHand(mail);
        // If more mails are due, the first mail that is done will look for them.
        if (mails.length < hands && nextAt !== null) wakeIn(nextAt - clock());
      } catch (error) {
        logger.warn("cannot look for mails to send: {error}", { error });
        wakeIn(LOOK_AFTER);
      }
    }
    isLooking = false;
  }

  function wakeIn(milliseconds: number): void {
    const sleep = Math.max(0, Math.min(milliseconds, LONGEST_SLEEP));
    const at = performance.now() + sleep;
    // If the timer fires earlier, it will then find what else to wait for.
    if (isStopped || ringsAt <= at) return;
    clearTimeout(timer);
    ringsAt = at;
    timer = setTimeout(wakeNow, sleep);
    // The timer does not keep the process alive: the mails stay in the table.
    timer.unref?.();
  }

  function takeInHand(mail: Claimed): void {
    const work = deliver(mail).finally(() => {
      inHand.delete(work);
      wakeNow();
    });
    inHand.add(work);
  }

  return {
    wake: (after = 0) => (after > 0 ? wakeIn(after) : wakeNow()),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await looking;
      await Promise.all(inHand);
    },
  };
}
