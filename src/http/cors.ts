/** Cross-origin requests (Fetch standard, CORS protocol). Only the configured origins are allowed. */

/** Seconds for which a browser may remember a preflight. */
const MAX_AGE = "600";

/**
 * The headers that allow the page of a configured origin to read the answer. For other origins only `Vary`.
 * The API uses no cookies, so credentials are never allowed.
 */
export function corsHeaders(request: Request, origins: string[]): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null || !origins.includes(origin)) return { vary: "Origin" };
  return {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-expose-headers":
      "Allow, Bookmark, ETag, Idempotency-Replayed, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id",
  };
}

/**
 * The further headers of the answer to a preflight from a configured origin.
 * @param methods the path's `Allow`
 */
export const preflightHeaders = (methods: string): Record<string, string> => ({
  "access-control-allow-methods": methods,
  "access-control-allow-headers":
    "Authorization, Bookmark, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id",
  "access-control-max-age": MAX_AGE,
});

/**
 * Whether a web page of another origin, which is not in CORS_ORIGINS, has made a browser send the request. A browser
 * sends a form without a preflight. It sets the header itself, and no page can change it (Fetch Metadata §2).
 */
export function isFromForeignPage({ headers }: Request, origins: readonly string[]): boolean {
  const site = headers.get("sec-fetch-site");
  return (
    (site === "cross-site" || site === "same-site") &&
    !origins.includes(headers.get("origin") ?? "")
  );
}
