/**
 * What a client can accept and what it prefers (RFC 9110 §12.5), and `Vary`, which tells caches that this was
 * considered.
 */

/** A response's headers, as Elysia's `set` has them. */
export type ResponseHeaders = Record<string, string | number | undefined>;

/** Whether the client prefers HTML to JSON. */
export function prefersHtml(request: Request, headers: ResponseHeaders): boolean {
  vary(headers, "Accept");
  const accepted = request.headers.get("accept");
  const html = qualityOf(accepted, ["text/html", "text/*", "*/*"]);
  return html > qualityOf(accepted, ["application/json", "application/*", "*/*"]);
}

/** Whether the client accepts an answer that is compressed with gzip. */
export function acceptsGzip(request: Request, headers: ResponseHeaders): boolean {
  vary(headers, "Accept-Encoding");
  return qualityOf(request.headers.get("accept-encoding"), ["gzip", "*"]) > 0;
}

/**
 * Whether the client prefers OpenMetrics to Prometheus's text format.
 * @param accepted its `Accept` header
 */
export function prefersOpenMetrics(accepted: string | null): boolean {
  const open = qualityOf(accepted, ["application/openmetrics-text"]);
  return open > 0 && open >= qualityOf(accepted, ["text/plain", "text/*", "*/*"]);
}

export function vary(headers: ResponseHeaders, name: string): void {
  headers.vary = headers.vary === undefined ? name : `${headers.vary}, ${name}`;
}

/**
 * The quality value, 0 to 1, that a header gives to the first of `ranges` that it contains; 0 when it contains none.
 * @param ranges the most specific one first
 */
function qualityOf(header: string | null, ranges: string[]): number {
  // Most clients of an API send no such header.
  if (header === null) return 0;
  const qualities = new Map<string, number>();
  for (const element of header.toLowerCase().split(",")) {
    const [range = "", ...parameters] = element.split(";").map((part) => part.trim());
    const [, quality = "1"] = /^q=([01](?:\.\d{0,3})?)$/.exec(parameters.at(-1) ?? "") ?? [];
    qualities.set(range, Number(quality));
  }
  const known = ranges.find((range) => qualities.has(range));
  return known === undefined ? 0 : (qualities.get(known) ?? 0);
}
