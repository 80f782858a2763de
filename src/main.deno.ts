/** Starts the service on Deno with native libraries: with a database file, a replica in a file, or a server. */
import { runCommand } from "./start/command-line.ts";
import { denoRuntime } from "./start/deno.ts";
import { nativePlatform } from "./start/platform.ts";

await runCommand(Deno.args, {
  ...denoRuntime(nativePlatform),
  loadMetrics: () => import("./telemetry/metrics.ts"),
  loadTraces: () => import("./telemetry/traces.ts"),
});
