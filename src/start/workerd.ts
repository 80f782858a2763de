/**
 * The platform on workerd: an isolate with one thread. A request may only use sockets and timers that it has opened
 * itself. All its work ends with it, unless `waitUntil` holds it.
 */
import { waitUntil } from "cloudflare:workers";
import net from "node:net";
import tls from "node:tls";
import { getLogger } from "@logtape/logtape";
import type { SMTPTransportGetSocket } from "nodemailer/lib/smtp-transport";
import { wasmArgon2 } from "../auth/argon2-wasm.ts";
import type { Argon2 } from "../auth/passwords.ts";
import type { Clock } from "../clock.ts";
import { type Config, ConfigError } from "../config.ts";
import type { Database } from "../database/drizzle.ts";
import { type Removal, removeSlice } from "../database/removal.ts";
import { fairQueue } from "../fair-queue.ts";
import type { Clockwork } from "../mail/clockwork.ts";
import { openTransport } from "../mail/open.ts";
import type { Outbox } from "../mail/outbox.ts";
import { CONCURRENCY } from "../mail/transport.ts";
import type { Platform } from "../services.ts";
import { createRequestScope, hmac, openServer, readEdgeConfig } from "./edge.ts";

const logger = getLogger("todos");

/**
 * Reads the configuration from a Worker's bindings. A variable may be a text, a number or a boolean; any other binding
 * is no setting.
 * @throws ConfigError that names every fault
 */
export function readWorkerConfig(bindings: Record<string, unknown>): Config {
  const settings: Record<string, string> = { HASH_CONCURRENCY: "1" };
  for (const [name, value] of Object.entries(bindings)) {
    if (["string", "number", "boolean"].includes(typeof value)) settings[name] = String(value);
  }
  const config = readEdgeConfig(settings);
  const faults: string[] = [];
  if (config.migrateOnStart) {
    const rule = "must be false: nothing may be sent at the start here (bun run migrate does it)";
    faults.push(`MIGRATE_ON_START ${rule}`);
  }
  if (config.metricsPort !== undefined) {
    faults.push("METRICS_PORT must not be set: there are no ports here");
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** @param argon2 the WebAssembly module, because workerd cannot compile it at run time */
export function workerdPlatform(argon2: WebAssembly.Module): Platform {
  return {
    hmac,
    openDatabase: async (config, { scope }) =>
      openServer(config, { scope, takeTurn: takeTurn(), background: completeAnyway }),
    createRequestScope,
    argon2: betweenEvents(wasmArgon2(argon2)),
    openTransport: ({ mailUrl, mailFrom }) =>
      openTransport(mailUrl, mailFrom, { pooled: false, getSocket }),
    startClockwork,
    startRemoval,
    socketIp,
    isolatesRequests: true,
  };
}

/**
 * Writes that run at the same time. If all did, they could make the libSQL server hang: see `TRIPS`. They are more than
 * there, because none of them shares its trip.
 */
const WRITES = 4;
/** Maximum number of writes that wait for their turn. Further ones are refused. */
const WRITES_WAITING = 500;

function takeTurn() {
  const queue = fairQueue({
    concurrency: WRITES,
    waiting: WRITES_WAITING,
    waitingPerClient: WRITES_WAITING,
  });
  return <Result>(trip: () => Promise<Result>) => queue({ network: "" }, trip);
}

/**
 * Hashing blocks the isolate. So other work runs before each hash, and all passwords that have arrived are counted before
 * the next one is hashed.
 */
function betweenEvents({ hash, verify }: Argon2): Argon2 {
  return {
    async hash(password, parameters) {
      await scheduler.wait(0);
      return hash(password, parameters);
    },
    async verify(passwordHash, password) {
      await scheduler.wait(0);
      return verify(passwordHash, password);
    },
  };
}

/**
 * The same response, which workerd sends unchanged. By default, workerd compresses a response that says it is compressed
 * (https://developers.cloudflare.com/workers/runtime-apis/response/#parameters).
 */
export function asItIs(response: Response): Response {
  if (!response.headers.has("content-encoding")) return response;
  const { status, headers, body } = response;
  const init = { status, headers, encodeBody: "manual" };
  return new Response(body, init);
}

/** Milliseconds. */
const HEARTBEAT = 1000;

/**
 * Completes a request's work, even if it has been answered, or its client has disconnected. Otherwise the work would end
 * at any `await`, perhaps between a write and its log line.
 */
export function completeAnyway<Result>(work: Promise<Result>): Promise<Result> {
  // Work that only waits for other requests, as in the queue for hashes, would look as if it hangs. workerd would end it.
  const heartbeat = setInterval(() => {}, HEARTBEAT);
  const seen = work.finally(() => clearInterval(heartbeat));
  waitUntil(seen);
  return seen;
}

/**
 * Maximum milliseconds of a run. After 30 seconds, Cloudflare would end it. The cron trigger begins another run.
 */
const LONGEST_RUN = 15_000;

/** Each call of `wake` begins a new run. Runs share only the table, where exactly one run claims each mail. */
function startClockwork({ claim, deliver }: Outbox, clock: Clock): Clockwork {
  async function run(after: number): Promise<void> {
    const end = clock() + LONGEST_RUN;
    await scheduler.wait(after);
    while (clock() < end) {
      const { mails, nextAt } = await claim(CONCURRENCY);
      await Promise.all(mails.map(deliver));
      // More mails may be due.
      if (mails.length === CONCURRENCY) continue;
      if (nextAt === null || nextAt > end) return;
      await scheduler.wait(Math.max(nextAt - clock(), 0));
    }
  }
  return {
    wake: (after = 0) => waitUntil(run(after).catch(tellFailure)),
    async stop() {},
  };
}

/** Milliseconds between two slices. */
const PAUSE = 50;

/** Each call of `wake` begins a new run. */
function startRemoval(database: Database): Removal {
  async function run(): Promise<void> {
    const end = Date.now() + LONGEST_RUN;
    while ((await removeSlice(database)) && Date.now() < end) await scheduler.wait(PAUSE);
  }
  return {
    wake: () => waitUntil(run().catch(tellFailure)),
    async stop() {},
  };
}

function tellFailure(error: unknown): void {
  logger.warn("work in the background is put off: {error}", { error });
}

/**
 * Connects to a mail server by its name. By default, nodemailer asks DNS for the address and connects to the address.
 * Then workerd would look for the address in the server's certificate.
 */
const getSocket: SMTPTransportGetSocket = ({ host = "localhost", port, secure }, callback) => {
  const address = { host, port: Number(port ?? (secure ? 465 : 587)) };
  const connection = secure ? tls.connect(address) : net.connect(address);
  connection.once("error", callback);
  connection.once(secure ? "secureConnect" : "connect", () => {
    connection.off("error", callback);
    callback(null, { connection, secured: secure });
  });
};

/** What workerd and Cloudflare say about a request's origin. */
type Origin = { clientIp?: string; colo?: string };

/**
 * The client's address. On Cloudflare, the other end of the connection is Cloudflare itself. It puts the client's address
 * into a header that no client can set. Without Cloudflare, workerd forwards whatever a client has put there.
 */
function socketIp(request: Request): string | null {
  const { clientIp, colo }: Origin = ("cf" in request && request.cf) || {};
  if (colo !== undefined) return request.headers.get("cf-connecting-ip");
  return clientIp?.replace(/:\d+$/, "").replace(/^\[(.+)\]$/, "$1") ?? null;
}
