/** Answers `/metrics` in a format that the client accepts: Prometheus's text format or OpenMetrics. */
import type { Registry } from "prom-client";
import { prefersOpenMetrics } from "../http/negotiation.ts";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export function exposition(registry: Registry): (request: Request) => Promise<Response> {
  return async (request) => {
    const headers: Record<string, string> = { "cache-control": "no-store", vary: "Accept" };
    if (URL.parse(request.url)?.pathname !== "/metrics") {
      return new Response("Only /metrics is here.\n", { status: 404 });
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const text = await registry.metrics();
    const isOpen = prefersOpenMetrics(request.headers.get("accept"));
    headers["content-type"] = isOpen ? OPEN_METRICS : TEXT;
    return new Response(isOpen ? openMetrics(text) : text, { headers });
  };
}

/**
 * The same in OpenMetrics (https://prometheus.io/docs/specs/om/open_metrics_spec/). There a counter's name has no
 * `_total`, but the name of its sample has, and empty lines are not allowed. prom-client can do this too, but it
 * changes the names of its counters permanently: the next answer in the text format would have wrong names
 * (prometheus/client_js#829).
 */
function openMetrics(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "");
  const named = lines.map((line) => line.replace(/^(# (?:HELP|TYPE) \w+)_total /, "$1 "));
  return `${named.join("\n")}\n# EOF\n`;
}
