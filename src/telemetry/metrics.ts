/** The metrics of this process, for a Prometheus to ask for. Loaded only when METRICS_PORT is set. */
import { Registry } from "prom-client";
import type { Meter } from "../instruments.ts";
import { watchEventLoop } from "./event-loop.ts";
import { exposition } from "./exposition.ts";
import { type Watched, watchProcess, watchService } from "./gauges.ts";
import { createMeter } from "./meter.ts";

export interface Metrics {
  /** To be given to the services. */
  meter: Meter;
  /** From now on, what the services show of themselves is part of the answer. */
  watch(services: Watched): void;
  /** Answers `/metrics`. */
  fetch(request: Request): Promise<Response>;
  stop(): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const meter = createMeter(registry);
  watchProcess(registry);
  const stop = watchEventLoop(registry);
  return {
    meter,
    watch: (services) => watchService(registry, services),
    fetch: exposition(registry),
    stop,
  };
}
