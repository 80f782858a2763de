/** Shows the progress of long work: on a terminal, one line that is redrawn; elsewhere, a line every ten seconds. */
import type { Runtime } from "./run.ts";

export interface Progress {
  /**
   * Reports the current work and its progress. May be called often; shown until the next call.
   * @param done of `total`, in any unit. Without both, the elapsed time is shown
   */
  tell(what: string, done?: number, total?: number): void;
  /** The work is done: clears its line on the terminal before further output. */
  clear(): void;
  /** Clears, and stops: nothing is shown any more. */
  end(): void;
}

/** Milliseconds between two lines in a log. */
const LOG_INTERVAL = 10_000;
/** Milliseconds between two drawings on a terminal. */
const TERMINAL_INTERVAL = 100;

/** The current work, and when it began, on the clock of `performance.now()`. */
interface Work {
  what: string;
  /** From 0 to 1; undefined when it is not known. */
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
