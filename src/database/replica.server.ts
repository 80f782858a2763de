/** A replica on a libSQL server: the server answers plain reads by itself. */
import { type Age, sinceNow } from "./heard.ts";
import { openHrana, succeeded } from "./hrana.ts";
import { COUNT, countOf } from "./position.ts";
import { type Replica, replicaBehind } from "./remote.reads.ts";

/** Milliseconds that a server may take to load a database. */
const LOADING = 30_000;

/**
 * The replica at `url`. A primary counts as a replica that is never behind.
 * @param background completes work that no request waits for
 */
export function openServerReplica(
  url: string,
  authToken: string | undefined,
  background: (work: Promise<void>) => void,
): Replica {
  const run = openHrana(url, authToken);
  let lastLoading: Age = () => Number.POSITIVE_INFINITY;

  /**
   * A server loads a database at the first request for it. It stops loading when this request is cancelled. Far from
   * its primary, loading takes longer than a read may wait. So one request in the background waits for it.
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
        // Without an index, or with an index from before a crash of the primary, the server has not waited.
        if (performance.now() + pause >= deadline) throw replicaBehind();
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },
    close() {},
  };
}
