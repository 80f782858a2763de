/** Regular work that no request asks for. One timer runs all of it. */
import { getLogger } from "@logtape/logtape";

/** A job to do in each round. It does little when there is nothing to do, and it may be stopped at any point. */
export type Job = () => Promise<void>;

export interface Upkeep {
  /** Runs each job once. Never rejects. A runtime without timers calls it from its own scheduler. */
  run(): Promise<void>;
  /** Runs each job at once, and then once a minute. */
  start(): void;
  /** Resolves when no job is running any more. No further job starts. */
  stop(): Promise<void>;
}

/** Milliseconds between the end of a round and the next round. */
const EVERY = 60_000;

const logger = getLogger(["todos", "upkeep"]);

/** @param jobs by their names in the log */
export function createUpkeep(jobs: Record<string, Job>): Upkeep {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = Promise.resolve();
  let isStopped = false;

  async function run(): Promise<void> {
    for (const [name, job] of Object.entries(jobs)) {
      if (isStopped) return;
      try {
        await job();
      } catch (error) {
        // The next round tries again.
        logger.warn("cannot {job}: {error}", { job: name, error });
      }
    }
  }

  async function turn(): Promise<void> {
    await run();
    if (isStopped) return;
    timer = setTimeout(start, EVERY);
    // The timer does not keep the process alive.
    timer.unref?.();
  }

  function start(): void {
    running = turn();
  }

  return {
    run,
    start,
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
