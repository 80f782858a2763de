/** A libSQL server as a replica: it answers by itself whatever only reads. */
import { type Age, sinceNow } from "./heard.ts";
import { openHrana, succeeded } from "./hrana.ts";
import { COUNT, countOf } from "./position.ts";
import { type Replica, replicaBehind } from "./remote.reads.ts";

/** Milliseconds that a server has to load a database. */
const LOADING = 30_000;

/**
 * The replica that the server at `url` is. A primary counts as a replica that is never behind.
 * @param background sees work through that no request waits for
 */
export function openServerReplica(
  url: string,
  authToken: string | undefined,
  background: (work: Promise<void>) => void,
): Replica {
  const run = openHrana(url, authToken);
  let lastLoading: Age = () => Number.POSITIVE_INFINITY;

  /**
   * A server loads a database at the first request for it, and stops loading when that request is given up. Far from
   * its primary that takes longer than a read waits, so one request has to wait for it.
   */
  async function load(): Promise<void> {
    if (lastLoading() < LOADING) return;
    lastLoading = sinceNow();
    await run({ steps: [COUNT], timeout: LOADING }).catch(() => undefined);
    lastLoading = () => Number.POSITIVE_INFINITY;
  }

  return {
    async read(step, { count, index }, patience) {
      const deadline = performance.now() + patience;
      // One snapshot for the read and the count.
      const steps = [{ sql: "BEGIN" }, step, COUNT, { sql: "COMMIT" }];
      for (let pause = 4; ; pause *= 2) {
        const timeout = Math.max(Math.ceil(deadline - performance.now()), 1);
        const outcome = await run({ steps, timeout, from: index }).catch((error) => {
          background(load());
          throw error;
        });
        const result = succeeded(outcome.steps[1]);
        const position = { count: countOf(outcome.steps[2]), index: outcome.index };
        if (position.count >= count) return { result, position };
        // Without an index, or with one from before the primary crashed, the server has not waited.
        if (performance.now() + pause >= deadline) throw replicaBehind();
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },
    close() {},
  };
}
