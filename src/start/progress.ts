/** Shows how far long work is: a line that is redrawn on a terminal, a line each ten seconds anywhere else. */
import type { Runtime } from "./run.ts";

export interface Progress {
  /**
   * Tells what is being done, and how far it is. May be called as often as one likes, and is shown until the next call.
   * @param done of `total`, in any unit. Without the two, how long it takes is shown
   */
  tell(what: string, done?: number, total?: number): void;
  /** The work is done: takes its line off the terminal, for what is printed next. */
  clear(): void;
  /** Clears, and ends the watch: nothing is shown any more. */
  end(): void;
}

/** Milliseconds between two lines in a log. */
const LOG_INTERVAL = 10_000;
/** Milliseconds between two drawings on a terminal. */
const TERMINAL_INTERVAL = 100;

/** What is being done, and since when on the clock of `performance.now()`. */
interface Work {
  what: string;
  /** From 0 to 1; undefined when nobody knows. */
  share: number | undefined;
  startedAt: number;
}

/** @param interval milliseconds between two lines. The first comes after one, so that quick work shows none */
export function startProgress(
  { isTerminal, writeError }: Pick<Runtime, "isTerminal" | "writeError">,
  interval = isTerminal ? TERMINAL_INTERVAL : LOG_INTERVAL,
): Progress {
  let work: Work | undefined;
  let isDrawn = false;
  const timer = setInterval(() => {
    if (!work) return;
    const text = lineOf(work, performance.now());
    // Back to the line's start, and clear what was drawn before (ECMA-48 EL).
    writeError(isTerminal ? `\r\x1b[K${text}` : `${text}\n`);
    isDrawn = isTerminal;
  }, interval);
  function clear() {
    work = undefined;
    if (isDrawn) writeError("\r\x1b[K");
    isDrawn = false;
  }
  return {
    clear,
    tell(what, done, total) {
      const startedAt = work?.what === what ? work.startedAt : performance.now();
      work = { what, startedAt, share: shareOf(done, total) };
    },
    end() {
      clearInterval(timer);
      clear();
    },
  };
}

function shareOf(done?: number, total?: number): number | undefined {
  if (done === undefined || total === undefined) return undefined;
  return total === 0 ? 1 : Math.min(1, done / total);
}

function lineOf({ what, share, startedAt }: Work, now: number): string {
  const elapsed = now - startedAt;
  if (share === undefined) return `${what}: ${duration(elapsed)}`;
  const left = share === 0 ? "" : `, ${duration((elapsed * (1 - share)) / share)} left`;
  return `${what}: ${Math.floor(100 * share)} %${left}`;
}

function duration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
