/** The metrics of this process, for Prometheus. Loaded only when METRICS_PORT is set. */
import { Registry } from "prom-client";
import type { Meter } from "../instruments.ts";
import { watchEventLoop } from "./event-loop.ts";
import { exposition } from "./exposition.ts";
import { type Watched, watchProcess, watchService } from "./gauges.ts";
import { createMeter } from "./meter.ts";

export interface Metrics {
  /** The services get this meter. */
  meter: Meter;
  /** From now on, the state of the services is part of the answer. */
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
