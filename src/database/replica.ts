/** An embedded replica: a file that follows a libSQL server and answers reads. Nothing is ever written through it. */
import { getLogger } from "@logtape/logtape";
import { type Age, type Heard, sinceNow } from "./heard.ts";
import type { Step } from "./hrana.ts";
import { type Connection, connect } from "./local.connection.ts";
import { COUNT, countOf } from "./position.ts";
import { type Replica, type ReplicaAnswer, replicaBehind } from "./remote.reads.ts";
import type { Following, Order, Synced } from "./replica.worker.ts";

const logger = getLogger(["todos", "database"]);

/**
 * Starts following at once, and goes on trying as long as it fails.
 * @param interval milliseconds from one sync to the next, unless a read wants one sooner
 * @param heard is told how far the primary was at each sync
 */
export function openReplica(following: Following, interval: number, heard: Heard): Replica {
  const worker = new Worker(new URL("./replica.worker.ts", import.meta.url), { type: "module" });
  const tell = (order: Order) => worker.postMessage(order);
  let hasSynced = false;
  let reader: Connection | undefined;
  let syncing: (PromiseWithResolvers<boolean> & { age: Age }) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reason: string | undefined;

  /** Whether the sync that is under way has succeeded. Without one, a new one begins. */
  function sync(): Promise<boolean> {
    if (!syncing) {
      clearTimeout(timer);
      syncing = { ...Promise.withResolvers<boolean>(), age: sinceNow() };
      tell("sync");
    }
    return syncing.promise;
  }

  worker.addEventListener("message", ({ data }: MessageEvent<Synced>) => {
    timer = setTimeout(sync, interval);
    const isGood = data.reason === undefined;
    // Once, and not at every interval.
    if (!isGood && reason !== data.reason) {
      logger.warn("the replica can't sync: {reason}", { ...data });
    }
    if (isGood && (!hasSynced || reason)) logger.info("the replica is in sync");
    hasSynced ||= isGood;
    reason = data.reason;
    // The sync may have put another file in the place of the one that is open.
    closeReader();
    const synced = syncing;
    syncing = undefined;
    if (isGood && synced) noteSync(synced.age);
    synced?.resolve(isGood);
  });
  worker.addEventListener("error", (event) => {
    // On Deno it would end the process.
    event.preventDefault();
    logger.error("the replica's thread has ended: {reason}", { reason: event.message });
  });

  function noteSync(age: Age): void {
    try {
      heard.note(readNow(COUNT).position, age);
    } catch {
      // The file cannot be read now, or has no table to count in: then it will not answer either.
    }
  }

  function closeReader(): void {
    reader?.close();
    reader = undefined;
  }

  function readNow({ sql, args }: Step): ReplicaAnswer {
    try {
      reader ??= connect(following.path, "PRAGMA query_only=ON");
      // One snapshot for the read and the count, because a sync may be under way.
      reader.exec("BEGIN");
      const result = reader.run(sql, args);
      const count = countOf(reader.run(COUNT.sql));
      reader.exec("COMMIT");
      return { result, position: { count } };
    } catch (error) {
      closeReader();
      throw error;
    }
  }

  tell(following);
  void sync();
  return {
    async read(step, { count }, patience) {
      const deadline = performance.now() + patience;
      for (;;) {
        const answer = hasSynced ? readNow(step) : undefined;
        if (answer && answer.position.count >= count) return answer;
        if (!(await within(deadline - performance.now(), sync()))) throw replicaBehind();
      }
    },
    close() {
      clearTimeout(timer);
      closeReader();
      tell("stop");
    },
  };
}

/** What `promise` gives, or false when it takes longer. */
async function within(milliseconds: number, promise: Promise<boolean>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), Math.max(milliseconds, 0));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
