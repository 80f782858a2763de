/** Starts the service on Deno: on a database file, on a replica in a file, or on a server, with native libraries. */
import { runCommand } from "./start/command-line.ts";
import { denoRuntime } from "./start/deno.ts";
import { nativePlatform } from "./start/platform.ts";

await runCommand(Deno.args, {
  ...denoRuntime(nativePlatform),
  loadMetrics: () => import("./telemetry/metrics.ts"),
  loadTraces: () => import("./telemetry/traces.ts"),
});
