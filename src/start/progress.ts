/** Shows how far long work is: a line that is redrawn on a terminal, a line each ten seconds anywhere else. */
import type { Runtime } from "./run.ts";

export interface Progress {
  /**
   * Tells how far it is. May be called as often as one likes.
   * @param done of `total`, in any unit
   */
  tell(what: string, done: number, total: number): void;
  /** Leaves the terminal's line as it should be. */
  end(): void;
}

/** Milliseconds between two lines in a log. */
const LOG_INTERVAL = 10_000;
/** Milliseconds between two drawings on a terminal. */
const TERMINAL_INTERVAL = 100;

export function startProgress({
  isTerminal,
  writeError,
}: Pick<Runtime, "isTerminal" | "writeError">): Progress {
  const interval = isTerminal ? TERMINAL_INTERVAL : LOG_INTERVAL;
  const startedAt = performance.now();
  // The first line comes after one interval, so that quick work shows none.
  let toldAt = startedAt;
  let isDrawn = false;
  return {
    tell(what, done, total) {
      const now = performance.now();
      if (now - toldAt < interval) return;
      toldAt = now;
      const share = total === 0 ? 1 : Math.min(1, done / total);
      const left = share === 0 ? undefined : ((now - startedAt) * (1 - share)) / share;
      const text = `${what}: ${Math.floor(100 * share)} %${left === undefined ? "" : `, ${duration(left)} left`}`;
      // Back to the line's start, and clear what was drawn before (ECMA-48 EL).
      writeError(isTerminal ? `\r\x1b[K${text}` : `${text}\n`);
      isDrawn = isTerminal;
    },
    end() {
      if (isDrawn) writeError("\r\x1b[K");
      isDrawn = false;
    },
  };
}

function duration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
