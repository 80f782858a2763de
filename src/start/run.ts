/** Runs the service, the same on each runtime: configuration, services, migrations, listen, and on a signal drain. */
import { getLogger } from "@logtape/logtape";
import packageJson from "../../package.json" with { type: "json" };
import { createApp } from "../app.ts";
import { type Config, ConfigError, faultOf, isEmbedded, readConfig } from "../config.ts";
import type { Database } from "../database/drizzle.ts";
import { missingMigrations } from "../database/schema-version.ts";
import type { Write } from "../log/buffer.ts";
import { configureLog, type Log } from "../log/configure.ts";
import { checkTransport } from "../mail/failure.ts";
import { nearMisses, warnOf } from "../near-misses.ts";
import { createServices, type Platform, type Services } from "../services.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { createTraces } from "../telemetry/traces.ts";
import { banner } from "./banner.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

/** What the service needs from its runtime. */
export interface Runtime {
  environment: Record<string, string | undefined>;
  /** Reads the configuration, where that is stricter than `readConfig`. */
  readConfig?: typeof readConfig;
  /** Whether a person reads stdout. */
  isTerminal: boolean;
  /** Whether colors are unwanted (https://no-color.org). */
  noColor: boolean;
  /** Writes to stdout. It must never block, even when nobody reads stdout. */
  write: Write;
  /** Throws the runtime's error when the address cannot be used. */
  listen(hostname: string, port: number, fetch: Fetch): Server;
  platform: Platform;
  /** Loads the metrics, when METRICS_PORT is set. Missing on runtimes that have only one port. */
  loadMetrics?(): Promise<{ createMetrics(): Metrics }>;
  /** Loads the traces, when OTEL_EXPORTER_OTLP_ENDPOINT is set. Missing on runtimes where they do not run. */
  loadTraces?(): Promise<{ createTraces: typeof createTraces }>;
  /** Calls `stop` at each SIGTERM and SIGINT. */
  onSignal(stop: (signal: string) => void): void;
  /** Calls `tell` with each error that nothing caught. The process goes on until `tell` ends it. */
  onUncaught(tell: (error: unknown) => void): void;
  /** Writes to stdout at once. For text that is not part of the log. */
  print(text: string): void;
  /** Reads stdin to its end. */
  readInput(): Promise<string>;
  writeError(text: string): void;
  exit(code: number): void;
}

export interface Server {
  /** Where it listens. */
  url: string;
  /** Accepts no more connections. Resolves when the last answer was sent. */
  stop(): Promise<void>;
  /** Closes the remaining connections. */
  abort(): Promise<void>;
}

/** Milliseconds to write the last lines of the log. Without this limit, an unread pipe would keep the process alive. */
const LAST_LINES = 1000;

/** Milliseconds until the work begins that no request asks for. If it began at once, it would delay the first requests. */
const AFTER_START = 200;

/** Resolves when it listens. Faults that the operator can fix go to stderr, one per line. */
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
    runtime.onUncaught((error) => {
      getLogger("todos").fatal("uncaught error", { error });
      void exit(1);
    });
    const url = await start(runtime, config, log, exit).catch((error) => {
      // A misspelt setting may be the reason.
      warnOf(nearMisses(config));
      throw error;
    });
    // Through the log, so that it comes after the earlier lines.
    if (format === "pretty" && runtime.isTerminal) log.add(banner(url, config), true);
  } catch (error) {
    // Any other error is a bug, and its stack is needed.
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
    // A second signal changes nothing: requests in flight still have their time.
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
  // This line comes after `onSignal`, so that a signal right after it is handled.
  logger.info(`listening on ${server.url}`, { version: packageJson.version });
  if (metricsServer) logger.info(`metrics on ${metricsServer.url}metrics`);
  // Sends mails that a former process stored and could not send.
  outbox.wake(AFTER_START);
  void sleep(AFTER_START).then(() => {
    warnOf(nearMisses(config));
    // Deletes rows of users who were deleted while a former process ran.
    removal.wake();
    upkeep.start();
    // Not awaited, so that a mail server that is down delays nothing.
    if (config.production) void checkTransport(services.transport);
    // If Argon2 cannot be loaded, the process ends now. Otherwise the log-ins would fail, and nothing else.
    return runtime.platform.loadArgon2?.();
  });
  return server.url;
}

async function serve(runtime: Runtime, config: Config, services: Services): Promise<Server> {
  // Other services may use a database on a server. There the operator decides when to migrate.
  if (isEmbedded(config) || config.migrateOnStart) {
    await bringUpToDate(services.database).catch((error) => {
      throw faultOf("Cannot bring the database up to date (DATABASE_URL)", error);
    });
  }
  // The service also starts when a server cannot be reached now.
  await services.schema.look().catch(() => {});
  const app = createApp(services);
  return listen(runtime, config.host, config.port, "PORT", (request) => app.fetch(request));
}

/** Most starts find nothing to migrate, and do not load the migrations. */
async function bringUpToDate(database: Database): Promise<void> {
  if ((await missingMigrations(database)) === 0) return;
  const { migrate } = await import("../database/migrate.ts");
  await migrate(database);
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
    // A platform may set it for its own traces, so this is not an error.
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
    // For other errors the runtimes' messages are misleading: they speak of files when a name cannot be resolved.
    const cause = inUse ? "the port is in use" : "not an address of this machine, or not allowed";
    throw faultOf(`Cannot listen on ${host}:${port} (HOST, ${setting})`, cause);
  }
}
