/** Measures how late the event loop is. A timer that fires late shows how late all other work is. */
import type { Registry } from "prom-client";
import { histogram } from "./histogram.ts";

/** Milliseconds between two measurements. */
const EVERY = 100;
/** Seconds. */
const LAG_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** @returns a function that ends it */
export function watchEventLoop(registry: Registry): () => void {
  const lag = histogram(registry, {
    name: "todos_event_loop_lag_seconds",
    help: `How late a timer fired that was set to ${EVERY / 1000} s.`,
    buckets: LAG_SECONDS,
  })();
  let timer: ReturnType<typeof setTimeout> | undefined;
  function wait(): void {
    const dueAt = performance.now() + EVERY;
    timer = setTimeout(() => {
      lag.observe(Math.max(0, performance.now() - dueAt) / 1000);
      wait();
    }, EVERY);
    // The timer does not keep the process alive.
    timer.unref?.();
  }
  wait();
  return () => clearTimeout(timer);
}
