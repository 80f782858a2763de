/** The header `Retry-After` (RFC 9110 §10.2.3), for failures that end at a known moment. */
import type { Particulars } from "./problem.ts";

/**
 * The particulars of a failure that ends at `until`: its whole seconds from `now`, at least one.
 * @param until with `now`, in milliseconds since the epoch
 */
export const retryAfter = (until: number, now: number): Particulars => ({
  headers: { "retry-after": String(Math.max(1, Math.ceil((until - now) / 1000))) },
});
