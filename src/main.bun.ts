/** Starts the service on Bun: configuration, services, listen, and on a signal drain. */
import { getLogger } from "@logtape/logtape";
import { createApp } from "./app.ts";
import { type Config, ConfigError, faultOf, readConfig } from "./config.ts";
import { migrate } from "./database/migrate.ts";
import { configureLog } from "./http/log.ts";
import { createServices, type Services } from "./services.ts";

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const { logFormat, logLevel } = config;
  const isTerminal = process.stdout.isTTY;
  configureLog(logFormat === "auto" ? (isTerminal ? "pretty" : "json") : logFormat, logLevel);
  const logger = getLogger("todos");

  const services = createServices(config, (request) => server.requestIP(request)?.address ?? null);
  const { database, drain } = services;
  const server = await serve(config, services).catch((error) => {
    database.$client.close();
    throw error;
  });
  logger.info(`listening on ${server.url.href}`);

  let isStopping = false;
  async function stop(signal: NodeJS.Signals): Promise<void> {
    // A second signal changes nothing: what is in flight still has its time.
    if (isStopping) return;
    isStopping = true;
    logger.info(`${signal}: draining`);
    // Bun's own stop() waits until the last answer has left, and for nobody's idle connection.
    const finished = drain.begin().then(() => server.stop());
    await Promise.race([finished, Bun.sleep(config.shutdownTimeout * 1000)]);
    await server.stop(true);
    database.$client.close();
    logger.info("stopped");
    process.exit(0);
  }
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

async function serve(config: Config, services: Services) {
  await migrate(services.database).catch((error) => {
    throw faultOf("Cannot bring the database up to date (DATABASE_URL)", error);
  });
  const app = createApp(services);
  const { host: hostname, port } = config;
  try {
    return Bun.serve({ hostname, port, fetch: (request) => app.fetch(request) });
  } catch (error) {
    const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    // Bun's own messages for the rest are misleading: of files, for a name that can't be resolved.
    const cause = inUse ? "the port is in use" : "not an address of this machine, or not allowed";
    throw faultOf(`Cannot listen on ${hostname}:${port} (HOST, PORT)`, cause);
  }
}

try {
  await start();
} catch (error) {
  // A line for each fault that whoever started it can mend. Anything else is a bug, and wants its stack.
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.faults.join("\n")}\n`);
  process.exit(1);
}
