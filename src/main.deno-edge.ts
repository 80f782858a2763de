/**
 * Starts the service on Deno 2.9 or later without files and native libraries: with a libSQL server and Deno's Argon2.
 */
import { webCryptoArgon2 } from "./auth/argon2-webcrypto.ts";
import { denoRuntime } from "./start/deno.ts";
import { edgePlatform, readEdgeConfig } from "./start/edge.ts";
import { run } from "./start/run.ts";

const runtime = denoRuntime((socketIp) => edgePlatform(webCryptoArgon2, socketIp));
await run({
  ...runtime,
  readConfig: readEdgeConfig,
  loadMetrics: () => import("./telemetry/metrics.ts"),
  loadTraces: () => import("./telemetry/traces.ts"),
});
