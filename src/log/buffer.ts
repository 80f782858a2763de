/** Lines on their way to stdout: many in one write, and never more of them in memory than fit. */

/** Writes some of the bytes, at least one: how many. */
export type Write = (bytes: Uint8Array) => Promise<number>;

export interface LineBuffer {
  /**
   * Takes a line, which ends in `\n`. An urgent one is written at once, with all that wait before it.
   * @param line a function makes it, later but once: to make many in a row takes half of the time
   */
  add(line: string | (() => string), urgent: boolean): void;
  /** Resolves when every line so far is written or lost. */
  flush(): Promise<void>;
  /** Lines that could not be written, since the start. */
  lost(): number;
}

/** Milliseconds that a line waits for others at most. */
const DELAY = 100;
/** Characters that make a write worth its while: each wakes a thread, which takes as long as hundreds of lines. */
const CHUNK = 128 * 1024;
/** Lines that wait to be made at most. */
const UNMADE = 256;
/** Characters that wait at most, beside those that are being written. Further lines are lost. */
const LIMIT = 1024 * 1024;

/**
 * @param write what stands behind stdout; it may take any time, as with a pipe that nobody reads
 * @param lostLine the line that tells how many were lost, written as soon as lines can be written again
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
    makeLines();
    if (waiting !== "") writing ??= writeWaiting();
    await writing;
  }

  async function writeWaiting(): Promise<void> {
    while (waiting !== "") {
      clearTimeout(timer);
      timer = undefined;
      const text = waiting;
      const lines = waitingLines;
      waiting = "";
      waitingLines = 0;
      try {
        await writeAll(write, encoder.encode(text));
      } catch {
        // Nobody will read it any more. The service goes on without its log.
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
      // A pipe that was made not to block is full.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      await new Promise((resolve) => setTimeout(resolve, DELAY));
    }
  }
}
