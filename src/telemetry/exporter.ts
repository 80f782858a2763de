/**
 * Sends spans to a collector: OTLP over HTTP, in JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
 * OpenTelemetry's own exporter reads a dozen environment variables, and Deno would need a permission for each. Without
 * that exporter, only one POST is needed.
 */
import { getLogger } from "@logtape/logtape";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";

export interface ExporterOptions {
  url: string;
  headers: Record<string, string>;
  /** Milliseconds that a collector may take to answer. */
  timeout: number;
}

const logger = getLogger(["todos", "traces"]);

export function createExporter({ url, headers, timeout }: ExporterOptions): SpanExporter {
  const underWay = new Set<Promise<void>>();
  /** Why no traces arrive. The log gets a line when this changes, and not for each batch. */
  let reason: string | undefined;

  function tell(failure: string | undefined): void {
    if (failure === reason) return;
    reason = failure;
    if (failure === undefined) logger.info("traces arrive at the collector again");
    else
      logger.warn("traces are lost, because the collector does not accept them: {reason}", {
        reason,
      });
  }

  async function send(spans: ReadableSpan[]): Promise<ExportResult> {
    const body = JsonTraceSerializer.serializeRequest(spans);
    if (body === undefined) return { code: ExportResultCode.FAILED };
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        // A copy, because by its type the original could be shared memory, which `fetch` does not accept.
        body: body.slice(),
        signal: AbortSignal.timeout(timeout),
        redirect: "error",
      });
      // The body is read to its end, because otherwise the connection could not be used again.
      await response.arrayBuffer();
      tell(response.ok ? undefined : `HTTP status ${response.status}`);
      return { code: response.ok ? ExportResultCode.SUCCESS : ExportResultCode.FAILED };
    } catch (error) {
      tell(error instanceof Error ? error.message : "it cannot be reached");
      return { code: ExportResultCode.FAILED };
    }
  }

  return {
    export(spans, done) {
      const sending = send(spans).then((result) => {
        underWay.delete(sending);
        done(result);
      });
      underWay.add(sending);
    },
    async shutdown() {
      await Promise.all(underWay);
    },
  };
}
