/** How long to wait before a request is sent again that has failed for now. */

const FIRST = 1_000;
const LONGEST = 60_000;

/** The error to throw for an answer that means: not now. */
export const failureOf = ({ status, headers }: Response) =>
  new Error(`HTTP ${status}`, { cause: headers.get("retry-after") });

/** Seconds for which an answer asks to wait (Retry-After), or 0. @param error from `failureOf` or `fetch` */
export const retryAfter = (error: unknown): number => Number(Object(error).cause) || 0;

/**
 * Milliseconds to wait: the answer's Retry-After, and at least about 1, 2, 4 … 60 seconds.
 * @param error from `failureOf` or `fetch`
 * @param failures the number of failures in a row, including this one
 */
export function delayAfter(error: unknown, failures: number): number {
  const backoff = Math.min(LONGEST, FIRST * 2 ** (failures - 1));
  // A random part, so that clients which were disconnected together do not come back together.
  return Math.max(retryAfter(error) * 1000, backoff * (0.5 + Math.random() / 2));
}
