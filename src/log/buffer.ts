/** Gathers lines for stdout: many lines in one write, and a limit on those in memory. */

/** Writes at least one of the bytes, and returns how many were written. */
export type Write = (bytes: Uint8Array) => Promise<number>;

export interface LineBuffer {
  /**
   * Adds a line, which ends in `\n`. An urgent line is written at once, with all lines that wait before it.
   * @param line the line, or a function that makes it. The function is called once, later: making many lines in a row
   *   takes half the time
   */
  add(line: string | (() => string), urgent: boolean): void;
  /** Resolves when every line so far is written or lost. */
  flush(): Promise<void>;
  /** The number of lines since the start that could not be written. */
  lost(): number;
}

/** Maximum milliseconds that a line waits for other lines. */
const DELAY = 100;
/** Characters after which a write begins at once. Each write wakes a thread, which costs as much as hundreds of lines. */
const CHUNK = 128 * 1024;
/** Maximum number of lines that wait to be made. */
const UNMADE = 256;
/** Maximum number of waiting characters, without those that are being written. Further lines are lost. */
const LIMIT = 1024 * 1024;

/**
 * @param write writes to stdout. It may take any time, for example when nobody reads the pipe
 * @param lostLine the line that says how many lines were lost. It is written as soon as lines can be written again
 */
export function createLineBuffer(write: Write, lostLine: (lost: number) => string): LineBuffer {
  const encoder = new TextEncoder();
  let unmade: (string | (() => string))[] = [];
  let waiting = "";
  let waitingLines = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> | undefined;
  let lost = 0;
  let told = 0;

  function makeLines(): void {
    const added = unmade;
    unmade = [];
    for (const each of added) {
      const line = typeof each === "string" ? each : each();
      if (waiting.length + line.length > LIMIT) {
        lost++;
        continue;
      }
      waiting += line;
      waitingLines++;
    }
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    makeLines();
    if (waiting !== "") writing ??= writeWaiting();
    await writing;
  }

  async function writeWaiting(): Promise<void> {
    // After each write, the lines that were added meanwhile are made.
    for (; waiting !== ""; makeLines()) {
      const text = waiting;
      const lines = waitingLines;
      waiting = "";
      waitingLines = 0;
      try {
        await writeAll(write, encoder.encode(text));
      } catch {
        // Nobody will read stdout any more. The service continues without its log.
        lost += lines;
        continue;
      }
      if (lost === told) continue;
      waiting = lostLine(lost - told) + waiting;
      told = lost;
    }
    writing = undefined;
  }

  return {
    add(line, urgent) {
      unmade.push(line);
      if (unmade.length >= UNMADE) makeLines();
      if (urgent || waiting.length >= CHUNK) void flush();
      else timer ??= setTimeout(flush, DELAY);
    },
    flush,
    lost: () => lost,
  };
}

async function writeAll(write: Write, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length; ) {
    try {
      start += await write(bytes.subarray(start));
    } catch (error) {
      // A non-blocking pipe is full.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      await new Promise((resolve) => setTimeout(resolve, DELAY));
    }
  }
}
