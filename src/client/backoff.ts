/** How long to wait after a request that may succeed later. */

const FIRST = 1_000;
const LONGEST = 60_000;

/** What to throw for an answer that says: not now. */
export const failureOf = ({ status, headers }: Response) =>
  new Error(`HTTP ${status}`, { cause: headers.get("retry-after") });

/**
 * Milliseconds: what the answer asks for by Retry-After, and at least about 1, 2, 4 … 60 seconds.
 * @param error of `failureOf`, or of `fetch`
 * @param failures in a row, the last one included
 */
export function delayAfter(error: unknown, failures: number): number {
  const seconds = Number(Object(error).cause) || 0;
  const backoff = Math.min(LONGEST, FIRST * 2 ** (failures - 1));
  // Clients that were cut off together do not come back together.
  return Math.max(seconds * 1000, backoff * (0.5 + Math.random() / 2));
}
