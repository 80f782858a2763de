/** Runs the service on workerd, as on Cloudflare Workers. Its settings are the Worker's variables and secrets. */

import { env } from "cloudflare:workers";
import argon2 from "@phi-ag/argon2/argon2.wasm";
import { CloudflareAdapter } from "elysia/adapter/cloudflare-worker";
import { createApp } from "./app.ts";
import { configureConsoleLog } from "./log/configure.ts";
import { warnOf } from "./near-misses.ts";
import { createServices } from "./services.ts";
import { withResolvedUrl } from "./start/request-url.ts";
import { asItIs, readWorkerConfig, seeThrough, workerdPlatform } from "./start/workerd.ts";

// What this throws ends the start: Cloudflare then refuses the deployment and says why.
const config = readWorkerConfig(env);
const format = config.logFormat === "pretty" ? "pretty" : "json";
configureConsoleLog({ format, colors: false, level: config.logLevel });
warnOf(config.nearMisses);
const services = await createServices(config, workerdPlatform(argon2));
const app = createApp(services);
// Code may be made of text at start alone, and by itself Elysia makes a route's at its first request.
CloudflareAdapter.beforeCompile?.(app);
app.compile();

/**
 * Elsewhere the schema is looked at before the service listens. Here nothing may be sent at the start, so the first
 * requests look, and while the schema is behind, one request a second.
 */
async function answer(request: Request): Promise<Response> {
  const isDue = services.schema.isDue() && !request.url.endsWith("/health/alive");
  // When the database cannot say, the request itself tells that it is out of reach.
  if (isDue) await services.schema.look().catch(() => {});
  return asItIs(await app.fetch(withResolvedUrl(request)));
}

export default {
  fetch: (request: Request): Promise<Response> => seeThrough(answer(request)),

  /** By cron: what no request is there for, and what the end of one has left behind. */
  async scheduled(): Promise<void> {
    services.outbox.wake();
    services.removal.wake();
    await services.upkeep.run();
  },
};
