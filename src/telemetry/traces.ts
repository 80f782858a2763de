/** The traces of this process. Loaded only when OTEL_EXPORTER_OTLP_ENDPOINT is set. */
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import packageJson from "../../package.json" with { type: "json" };
import type { Config } from "../config.ts";
import type { Tracer } from "../instruments.ts";
import { createExporter } from "./exporter.ts";
import { createTracer } from "./tracer.ts";

export interface Traces {
  /** The services get this tracer. */
  tracer: Tracer;
  /** Sends the remaining spans, with a time limit. Never rejects. */
  stop(): Promise<void>;
}

/**
 * Maximum number of spans that wait to be sent. Further spans are dropped, so a collector that is down cannot fill the
 * memory.
 */
const WAITING = 2048;
/** Spans in one request to the collector. */
const BATCH = 512;
/** Milliseconds that a collector may take for a batch. */
const TIMEOUT = 10_000;
/** Milliseconds for sending the last spans when the process stops. */
const LAST_SPANS = 2000;

type TraceSettings = Pick<
  Config,
  | "otlpHeaders"
  | "otelServiceName"
  | "otelResourceAttributes"
  | "tracesSampler"
  | "tracesSamplerArg"
>;

/** @param endpoint the collector's URL. The path for traces is added to it */
export function createTraces(endpoint: string, config: TraceSettings): Traces {
  const exporter = createExporter({
    url: `${endpoint.replace(/\/$/, "")}/v1/traces`,
    headers: config.otlpHeaders,
    timeout: TIMEOUT,
  });
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: WAITING,
    maxExportBatchSize: BATCH,
    exportTimeoutMillis: TIMEOUT,
  });
  const { tracer, provider } = createTracer(samplerOf(config), {
    resource: defaultResource().merge(
      resourceFromAttributes({
        "service.version": packageJson.version,
        ...config.otelResourceAttributes,
        "service.name": config.otelServiceName,
      }),
    ),
    spanProcessors: [processor],
  });
  return {
    tracer,
    async stop() {
      const bound = new Promise<void>((resolve) => setTimeout(resolve, LAST_SPANS));
      await Promise.race([provider.shutdown().catch(() => {}), bound]);
    },
  };
}

/** The samplers that OTEL_TRACES_SAMPLER may name. */
function samplerOf({ tracesSampler, tracesSamplerArg }: TraceSettings): Sampler {
  const [, isParentBased, name] = /^(parentbased_)?(.+)$/.exec(tracesSampler) ?? [];
  const root = rootSampler(name, tracesSamplerArg);
  return isParentBased ? new ParentBasedSampler({ root }) : root;
}

function rootSampler(name: string | undefined, ratio: number): Sampler {
  if (name === "traceidratio") return new TraceIdRatioBasedSampler(ratio);
  return name === "always_off" ? new AlwaysOffSampler() : new AlwaysOnSampler();
}
