/** The header `Retry-After` (RFC 9110 §10.2.3), for failures that end at a known time. */
import type { Particulars } from "./problem.ts";

/**
 * The particulars of a failure that ends at `until`: the time from `now`, in whole seconds, at least one.
 * @param until like `now`, in milliseconds since the epoch
 */
export const retryAfter = (until: number, now: number): Particulars => ({
  headers: { "retry-after": String(Math.max(1, Math.ceil((until - now) / 1000))) },
});
