/** What a client can take and would rather have (RFC 9110 §12.5), and `Vary`, which tells caches that it was looked at. */

/** A response's headers, as Elysia's `set` has them. */
export type ResponseHeaders = Record<string, string | number | undefined>;

/** Whether the client would rather have HTML than JSON. */
export function prefersHtml(request: Request, headers: ResponseHeaders): boolean {
  vary(headers, "Accept");
  const accepted = request.headers.get("accept");
  const html = qualityOf(accepted, ["text/html", "text/*", "*/*"]);
  return html > qualityOf(accepted, ["application/json", "application/*", "*/*"]);
}

/** Whether the client can take an answer that is compressed by gzip. */
export function acceptsGzip(request: Request, headers: ResponseHeaders): boolean {
  vary(headers, "Accept-Encoding");
  return qualityOf(request.headers.get("accept-encoding"), ["gzip", "*"]) > 0;
}

/**
 * Whether the client would rather have OpenMetrics than Prometheus's text format.
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
 * The quality value, 0 to 1, that a header gives to the first of `ranges` that it has; 0 when it has none of them.
 * @param ranges the most specific first
 */
function qualityOf(header: string | null, ranges: string[]): number {
  // Most clients of an API do not say.
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
