/** An embedded replica: a file that follows a libSQL server, to read from while that server is out of reach. */
import { getLogger } from "@logtape/logtape";
import { connect } from "./local.connection.ts";
import { statementOf } from "./local.statement.ts";
import type { Copy } from "./remote.ts";
import type { Following, Synced } from "./replica.worker.ts";

const logger = getLogger(["todos", "database"]);

/**
 * Starts following at once, and goes on trying as long as it can't. Nothing is ever written through the replica, and
 * nothing read from it but when asked: see `openRemote`.
 * @param staleReads milliseconds since its last sync for which it is still good
 */
export function openReplica(following: Following, staleReads: number): Copy {
  const worker = new Worker(new URL("./replica.worker.ts", import.meta.url), { type: "module" });
  let syncedAt = Number.NEGATIVE_INFINITY;
  let reason: string | undefined;
  worker.addEventListener("message", ({ data }: MessageEvent<Synced>) => {
    if ("reason" in data) {
      // Once, and not at every interval.
      if (reason !== data.reason) logger.warn("the replica can't sync: {reason}", data);
      reason = data.reason;
      return;
    }
    if (syncedAt === Number.NEGATIVE_INFINITY || reason) logger.info("the replica is in sync");
    reason = undefined;
    // What was written while it went on may be missing.
    syncedAt = performance.now() - data.took;
  });
  worker.addEventListener("error", (event) => {
    // On Deno it would end the process.
    event.preventDefault();
    logger.error("the replica's thread has ended: {reason}", { reason: event.message });
  });
  worker.postMessage(following);
  return {
    async read(statement) {
      const { sql, args } = statementOf(statement);
      // A connection of its own each time, since a sync may put another file in the place of this one.
      const connection = connect(following.path, "PRAGMA query_only=ON");
      try {
        return connection.run(sql, args);
      } finally {
        connection.close();
      }
    },
    isGood: () => performance.now() - syncedAt < staleReads,
    close: () => worker.postMessage("stop"),
  };
}
