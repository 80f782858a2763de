/** Runs the service, the same on each runtime: configuration, services, migrations, listen, and on a signal drain. */
import { getLogger } from "@logtape/logtape";
import packageJson from "../../package.json" with { type: "json" };
import { createApp } from "../app.ts";
import { type Config, ConfigError, faultOf, isEmbedded, readConfig } from "../config.ts";
import { migrate } from "../database/migrate.ts";
import type { Write } from "../log/buffer.ts";
import { configureLog, type Log } from "../log/configure.ts";
import { checkTransport } from "../mail/failure.ts";
import { warnOf } from "../near-misses.ts";
import { createServices, type Platform, type Services } from "../services.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { createTraces } from "../telemetry/traces.ts";
import { banner } from "./banner.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

/** What the service needs of the runtime that it is on. */
export interface Runtime {
  environment: Record<string, string | undefined>;
  /** Reads the configuration, where that is stricter than `readConfig`. */
  readConfig?: typeof readConfig;
  /** Whether a person reads stdout. */
  isTerminal: boolean;
  /** Whether colors are unwanted (https://no-color.org). */
  noColor: boolean;
  /** Writes to stdout. It must not block, however long nobody reads. */
  write: Write;
  /** Throws what the runtime has for an address that can't be listened on. */
  listen(hostname: string, port: number, fetch: Fetch): Server;
  platform: Platform;
  /** Loads what METRICS_PORT asks for. Missing where no second port can be had. */
  loadMetrics?(): Promise<{ createMetrics(): Metrics }>;
  /** Loads what OTEL_EXPORTER_OTLP_ENDPOINT asks for. Missing where it does not run. */
  loadTraces?(): Promise<{ createTraces: typeof createTraces }>;
  /** Calls `stop` at each SIGTERM and SIGINT. */
  onSignal(stop: (signal: string) => void): void;
  /** Calls `tell` with each error that nothing caught. The process goes on until `tell` ends it. */
  onUncaught(tell: (error: unknown) => void): void;
  /** Writes to stdout at once, for what is no line of the log. */
  print(text: string): void;
  /** What stdin holds, once it has ended. */
  readInput(): Promise<string>;
  writeError(text: string): void;
  exit(code: number): void;
}

export interface Server {
  /** Where it listens. */
  url: string;
  /** Takes no more connections, and resolves when the last answer has left. */
  stop(): Promise<void>;
  /** Cuts what is left. */
  abort(): Promise<void>;
}

/** Milliseconds that the last lines of the log have to be written. Without a bound, an unread pipe would keep it alive. */
const LAST_LINES = 1000;

/** Milliseconds after the start until what no request waits for begins. Until then, it would hold up the first ones. */
const AFTER_START = 200;

/** Resolves once it listens; what whoever started it can mend goes to stderr, a line for each fault. */
export async function run(runtime: Runtime): Promise<void> {
  let log: Log | undefined;
  const exit = async (code: number) => {
    await Promise.race([log?.flush(), sleep(LAST_LINES)]);
    runtime.exit(code);
  };
  try {
    const config = (runtime.readConfig ?? readConfig)(runtime.environment);
    const format = logFormat(config, runtime);
    log = configureLog({
      format,
      colors: runtime.isTerminal && !runtime.noColor,
      level: config.logLevel,
      write: runtime.write,
    });
    warnOf(config.nearMisses);
    runtime.onUncaught((error) => {
      getLogger("todos").fatal("uncaught error", { error });
      void exit(1);
    });
    const url = await start(runtime, config, log, exit);
    // By way of the log, so that it follows the lines before it.
    if (format === "pretty" && runtime.isTerminal) log.add(banner(url, config), true);
  } catch (error) {
    // Anything else is a bug, and wants its stack.
    if (!(error instanceof ConfigError)) throw error;
    runtime.writeError(`${error.faults.join("\n")}\n`);
    await exit(1);
  }
}

function logFormat({ logFormat: format }: Config, { isTerminal }: Runtime) {
  if (format !== "auto") return format;
  return isTerminal ? "pretty" : "json";
}

const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Resolves to where it listens. */
async function start(
  runtime: Runtime,
  config: Config,
  log: Log,
  exit: (code: number) => Promise<void>,
): Promise<string> {
  const logger = getLogger("todos");
  const metrics = await openMetrics(runtime, config);
  const traces = await openTraces(runtime, config);
  const services = await createServices(config, runtime.platform, {
    logRequest: log.request,
    meter: metrics?.meter,
    tracer: traces?.tracer,
  });
  const { database, drain, outbox, removal, upkeep } = services;
  const server = await serve(runtime, config, services).catch((error) => {
    database.$client.close();
    throw error;
  });
  const metricsServer = metrics && serveMetrics(runtime, config, services, metrics);
  let isStopping = false;
  runtime.onSignal(async (signal) => {
    // A second signal changes nothing: what is in flight still has its time.
    if (isStopping) return;
    isStopping = true;
    logger.info(`${signal}: draining`);
    drain.announce();
    // A balancer that asks each second has noticed by then. A person who presses Ctrl+C does not want to wait.
    if (!runtime.isTerminal) await sleep(config.drainDelay * 1000);
    const finished = drain
      .begin()
      .then(() => server.stop())
      .then(() => Promise.all([outbox.stop(), removal.stop(), upkeep.stop(), traces?.stop()]));
    await Promise.race([finished, sleep(config.shutdownTimeout * 1000)]);
    await Promise.all([server.abort(), metricsServer?.abort()]);
    database.$client.close();
    logger.info("stopped");
    await exit(0);
  });
  // Only now: a signal that comes right after this line finds who minds it.
  logger.info(`listening on ${server.url}`, { version: packageJson.version });
  if (metricsServer) logger.info(`metrics on ${metricsServer.url}metrics`);
  // Mails that a former process put down and could not send.
  outbox.wake(AFTER_START);
  void sleep(AFTER_START).then(() => {
    if (isStopping) return;
    // Rows of users who were deleted while a former process ran.
    removal.wake();
    upkeep.start();
    // Not awaited: a mail server that is down holds up nobody.
    if (config.production) void checkTransport(services.transport);
  });
  return server.url;
}

async function serve(runtime: Runtime, config: Config, services: Services): Promise<Server> {
  // Others may be using a database on a server: there, it is for whoever deploys to say when.
  if (isEmbedded(config) || config.migrateOnStart) {
    await migrate(services.database).catch((error) => {
      throw faultOf("Cannot bring the database up to date (DATABASE_URL)", error);
    });
  } else {
    // A server that is out of reach now is no reason not to start.
    await services.schema.look().catch(() => {});
  }
  const app = createApp(services);
  return listen(runtime, config.host, config.port, "PORT", (request) => app.fetch(request));
}

/** Undefined unless METRICS_PORT is set. */
async function openMetrics({ loadMetrics }: Runtime, { metricsPort }: Config) {
  if (metricsPort === undefined) return undefined;
  if (!loadMetrics) throw new ConfigError(["METRICS_PORT must not be set: there is one port here"]);
  const { createMetrics } = await loadMetrics();
  return createMetrics();
}

/** Undefined unless OTEL_EXPORTER_OTLP_ENDPOINT is set, and where traces do not run. */
async function openTraces({ loadTraces }: Runtime, config: Config) {
  const { otlpEndpoint } = config;
  if (otlpEndpoint === undefined) return undefined;
  if (!loadTraces) {
    // A platform may set it for traces of its own, so this is no fault.
    getLogger("todos").warn("OTEL_EXPORTER_OTLP_ENDPOINT has no effect on this runtime");
    return undefined;
  }
  return (await loadTraces()).createTraces(otlpEndpoint, config);
}

function serveMetrics(runtime: Runtime, config: Config, services: Services, metrics: Metrics) {
  metrics.watch(services);
  const { host, metricsPort = 0 } = config;
  return listen(runtime, host, metricsPort, "METRICS_PORT", metrics.fetch);
}

/** @param setting the name of the port's setting, for the error */
function listen(runtime: Runtime, host: string, port: number, setting: string, fetch: Fetch) {
  try {
    return runtime.listen(host, port, fetch);
  } catch (error) {
    const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    // The runtimes' own messages for the rest are misleading: of files, for a name that can't be resolved.
    const cause = inUse ? "the port is in use" : "not an address of this machine, or not allowed";
    throw faultOf(`Cannot listen on ${host}:${port} (HOST, ${setting})`, cause);
  }
}
