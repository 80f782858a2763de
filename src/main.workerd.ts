/** Runs the service on workerd, as on Cloudflare Workers. Its settings are the Worker's variables and secrets. */

import { env } from "cloudflare:workers";
import argon2 from "@phi-ag/argon2/argon2.wasm";
import { CloudflareAdapter } from "elysia/adapter/cloudflare-worker";
import { createApp } from "./app.ts";
import { configureConsoleLog } from "./log/configure.ts";
import { nearMisses, warnOf } from "./near-misses.ts";
import { createServices } from "./services.ts";
import { withResolvedUrl } from "./start/request-url.ts";
import { asItIs, completeAnyway, readWorkerConfig, workerdPlatform } from "./start/workerd.ts";

// An error here ends the start: Cloudflare then refuses the deployment and shows the error.
const config = readWorkerConfig(env);
const format = config.logFormat === "pretty" ? "pretty" : "json";
configureConsoleLog({ format, colors: false, level: config.logLevel });
warnOf(nearMisses(config));
const services = await createServices(config, workerdPlatform(argon2));
const app = createApp(services);
// workerd allows code from text only at the start. By default, Elysia compiles a route at its first request.
CloudflareAdapter.beforeCompile?.(app);
app.compile();

/**
 * On other runtimes the schema is checked before the service listens. Here nothing may be sent at the start. So the
 * first requests check it, and while the schema is behind, one request per second does.
 */
async function answer(request: Request): Promise<Response> {
  const isDue = services.schema.isDue() && !request.url.endsWith("/health/alive");
  // If the database cannot answer, the request itself will find out.
  if (isDue) await services.schema.look().catch(() => {});
  return asItIs(await app.fetch(withResolvedUrl(request)));
}

export default {
  fetch: (request: Request): Promise<Response> => completeAnyway(answer(request)),

  /** Run by cron: the work that no request does, and the work that was left when a request ended. */
  async scheduled(): Promise<void> {
    services.outbox.wake();
    services.removal.wake();
    await services.upkeep.run();
  },
};
