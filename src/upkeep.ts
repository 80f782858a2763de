/** What has to be done now and then, whether or not anybody asks for anything: one timer for all of it. */
import { getLogger } from "@logtape/logtape";

/** Something to be done at each turn. It takes little when there is nothing to do, and may be ended at any point. */
export type Job = () => Promise<void>;

export interface Upkeep {
  /** Does each job once. Never rejects. A runtime without timers calls it from what it has instead. */
  run(): Promise<void>;
  /** Does so at once, and then once a minute. */
  start(): void;
  /** Resolves when no job runs any more, and none will. */
  stop(): Promise<void>;
}

/** Milliseconds between the end of a turn and the next. */
const EVERY = 60_000;

const logger = getLogger(["todos", "upkeep"]);

/** @param jobs by the name that the log has for them */
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
        // The next turn tries again.
        logger.warn("can't {job}: {error}", { job: name, error });
      }
    }
  }

  async function turn(): Promise<void> {
    await run();
    if (isStopped) return;
    timer = setTimeout(start, EVERY);
    // A process that has nothing else to do may end.
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
