/** An embedded replica: a file that follows a libSQL server and answers reads. The service never writes to it. */
import { getLogger } from "@logtape/logtape";
import { type Age, type Heard, sinceNow } from "./heard.ts";
import type { Step } from "./hrana.ts";
import { type Connection, connect } from "./local.connection.ts";
import { COUNT, countOf } from "./position.ts";
import { type Replica, type ReplicaAnswer, replicaBehind } from "./remote.reads.ts";
import type { Following, Order, Synced } from "./replica.worker.ts";

const logger = getLogger(["todos", "database"]);

/**
 * Starts to follow at once, and keeps trying while it fails.
 * @param interval milliseconds from one sync to the next, unless a read needs one earlier
 * @param heard is told the position of the primary at each sync
 */
export function openReplica(following: Following, interval: number, heard: Heard): Replica {
  const worker = new Worker(new URL("./replica.worker.ts", import.meta.url), { type: "module" });
  const tell = (order: Order) => worker.postMessage(order);
  let hasSynced = false;
  let reader: Connection | undefined;
  let syncing: (PromiseWithResolvers<boolean> & { age: Age }) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reason: string | undefined;

  /** The sync that is under way: whether it has succeeded. If there is none, a new one begins. */
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
    // Logged once, not at every interval.
    if (!isGood && reason !== data.reason) {
      logger.warn("the replica cannot sync: {reason}", { ...data });
    }
    if (isGood && (!hasSynced || reason)) logger.info("the replica is in sync");
    hasSynced ||= isGood;
    reason = data.reason;
    // The sync may have replaced the file that is open.
    closeReader();
    const synced = syncing;
    syncing = undefined;
    if (isGood && synced) noteSync(synced.age);
    synced?.resolve(isGood);
  });
  worker.addEventListener("error", (event) => {
    // On Deno an unhandled error here would end the process.
    event.preventDefault();
    logger.error("the replica's thread has ended: {reason}", { reason: event.message });
  });

  function noteSync(age: Age): void {
    try {
      heard.note(readNow(COUNT).position, age);
    } catch {
      // The file cannot be read now, or it has no table for the count. In both cases it cannot answer.
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

/** The result of `promise`, or false when it takes longer. */
async function within(milliseconds: number, promise: Promise<boolean>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), Math.max(milliseconds, 0));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
