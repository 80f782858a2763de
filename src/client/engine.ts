/**
 * Synchronizes a copy with the service: sends the queue, fetches changes, and listens for more. Of all tabs that share
 * the copy, one visible tab does this.
 */
import type { ClientSession } from "./authenticated-fetch.ts";
import { delayAfter, failureOf, retryAfter } from "./backoff.ts";
import { catchUp } from "./changes.ts";
import type { Copy } from "./copy.ts";
import { queueOf } from "./entries.ts";
import { listen } from "./events.ts";
import { inTime } from "./limit.ts";
import { type SenderOptions, sendQueue } from "./sender.ts";

export interface EngineOptions extends SenderOptions {
  /** Milliseconds between two requests for changes while there is no stream of events. 15,000 by default. */
  pollEvery?: number;
  /**
   * Milliseconds without any data after which a stream of events is given up. 60,000 by default. It must be more than
   * the service's HEARTBEAT.
   */
  silence?: number;
}

/** Milliseconds for a request and its answer. */
const LIMIT = 30_000;

export type Engine = ReturnType<typeof startEngine>;

export function startEngine(copy: Copy, session: ClientSession, options: EngineOptions) {
  const { pollEvery = 15_000, silence = 60_000 } = options;
  const { entries } = copy;
  const closing = new AbortController();
  /** Abort it to end the wait. */
  let waiting = new AbortController();
  /** Whether the service may have changes that the copy does not have. */
  let isStale = true;
  let isLive = false;
  /** The tag of the last answer. At first one that no answer has. */
  let etag = '""';
  let failures = 0;
  let lastError: unknown;

  /** Each failure gives the next attempt more time, because the network may be slow. */
  const send = (path: string, init: RequestInit = {}) =>
    inTime(LIMIT * Math.min(failures + 1, 4), closing.signal, (signal) =>
      session.fetch(copy.user, path, { ...init, signal }),
    );
  const hasWork = () => queueOf(entries).length > 0;
  /** A hidden page still sends its queue, and tries that only once. */
  const isWanted = () => !closing.signal.aborted && (isVisible() || (hasWork() && failures === 0));

  const fetchChanges = () => catchUp(entries, send, copy.write);

  async function run() {
    while (!closing.signal.aborted) {
      if (isWanted()) await copy.inTurn(closing.signal, work);
      else await rest(pollEvery);
    }
  }

  async function work() {
    const leaving = new AbortController();
    let following: Promise<void> | undefined;
    let isSilent = false;
    // Anything may have happened while it was the turn of another tab.
    isStale = true;
    while (isWanted()) {
      if (isVisible()) following ??= follow(leaving.signal);
      let delay = pollEvery;
      try {
        isStale ||= isSilent && !isLive && (await hasNews());
        await step();
        failures = 0;
        lastError = undefined;
      } catch (error) {
        if (closing.signal.aborted) break;
        isStale = true;
        failures++;
        lastError = error;
        delay = delayAfter(error, failures);
      }
      tellStatus();
      if (failures === 0 && (isStale || hasWork())) continue;
      isSilent = await rest(delay);
    }
    leaving.abort();
    await following;
  }

  /** @returns whether no new work has appeared meanwhile */
  async function rest(delay: number) {
    waiting = new AbortController();
    await pause(delay, waiting.signal);
    // The store may take now what it has refused before.
    copy.save({});
    return !waiting.signal.aborted;
  }

  async function step() {
    // A request whose answer was lost comes first. Otherwise its new row would be shown twice: as the service's row and
    // as a change in the queue. If the request fails again, the changes of others are fetched anyway.
    if (isStale && (!entries.sending || failures > 1)) {
      isStale = false;
      await fetchChanges();
    }
    await sendQueue(copy, send, fetchChanges, options);
  }

  /** Asks whether anything has changed. This costs the service almost nothing when nothing has changed. */
  async function hasNews(): Promise<boolean> {
    const answer = await send("/todos?limit=1", { headers: { "if-none-match": etag } });
    if (answer.status === 304) return false;
    if (!answer.ok) throw failureOf(answer);
    await answer.body?.cancel();
    etag = answer.headers.get("etag") ?? etag;
    return true;
  }

  /** Listens for changes, again and again. */
  async function follow(signal: AbortSignal) {
    let ends = 0;
    while (!signal.aborted) {
      let reason: unknown;
      try {
        // The stream reports at once whether anything has changed since then.
        const since = entries.next ? `?since=${encodeURIComponent(entries.next)}` : "";
        const answer = await session.fetch(copy.user, `/todos/events${since}`, { signal });
        if (!answer.ok) throw failureOf(answer);
        if (!since) hearOfChange();
        await listen(answer, silence, (isChange) => {
          ends = 0;
          isLive = true;
          tellStatus();
          if (isChange) hearOfChange();
        });
      } catch (error) {
        reason = error;
      }
      isLive = false;
      if (signal.aborted) return;
      tellStatus();
      await pause(delayAfter(reason, ++ends), signal);
    }
  }

  function hearOfChange() {
    isStale = true;
    waiting.abort();
  }

  function tellStatus() {
    copy.setStatus(failures > 0 ? "offline" : isLive ? "live" : "polling");
  }

  /** Called when there is something to send. It has to wait too when the service has asked for that. */
  function wake() {
    if (retryAfter(lastError) === 0) tryAgain();
  }

  /** Called when another attempt makes sense: the network is back, or the user is. */
  function tryAgain() {
    failures = 0;
    waiting.abort();
  }
  // Both events reach the window of a browser. Other runtimes do not send them, and Node has no such listeners.
  for (const type of ["visibilitychange", "online"]) {
    globalThis.addEventListener?.(type, tryAgain, { signal: closing.signal });
  }
  const running = run();

  return {
    wake,
    retry: tryAgain,
    /**
     * Why the service could not be reached, or why the store has failed, while the status is offline. Only the tab that does
     * the work knows this.
     */
    lastError: () => lastError,
    /** Stops the engine. A request that is under way may or may not arrive. */
    async close() {
      closing.abort();
      waiting.abort();
      await running;
    },
  };
}

/** Outside of browsers, the user always counts as present. */
const isVisible = () =>
  (globalThis as Partial<typeof globalThis>).document?.visibilityState !== "hidden";

/** Resolves after `delay` milliseconds, or as soon as `signal` aborts. */
function pause(delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, delay);
    signal.addEventListener("abort", end);
    function end() {
      clearTimeout(timer);
      // The signal may live much longer than this pause.
      signal.removeEventListener("abort", end);
      resolve();
    }
  });
}
