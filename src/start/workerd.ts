/**
 * The platform on workerd: an isolate of one thread, in which a request may use only what it has opened itself (its
 * sockets, its timers), and in which all that is left of a request ends with it, unless `waitUntil` holds it.
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

/** @param argon2 the WebAssembly module, which workerd lets nobody compile once it runs */
export function workerdPlatform(argon2: WebAssembly.Module): Platform {
  return {
    hmac,
    openDatabase: async (config, { scope }) =>
      openServer(config, { scope, shareTrips: false, background: waitUntil }),
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
 * Hashing blocks the isolate. Before each hash, whatever else has come in has its turn, and so the passwords that have
 * come are counted before the next one is hashed.
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
 * The same response, which workerd leaves as it is: by itself it compresses whatever says that it is compressed
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
 * Sees a request through to its answer and its log line, also when the client has gone away: otherwise it would end at
 * any `await`, perhaps between its write and its log line.
 */
export function seeThrough(answer: Promise<Response>): Promise<Response> {
  // A request that waits for others alone, as in the queue for hashes, would be taken for one that hangs, and ended.
  const heartbeat = setInterval(() => {}, HEARTBEAT);
  const seen = answer.finally(() => clearInterval(heartbeat));
  waitUntil(seen);
  return seen;
}

/**
 * Milliseconds that a run goes on at most. After 30 seconds Cloudflare would end it. The cron trigger begins another.
 */
const LONGEST_RUN = 15_000;

/** Each time it is woken, a run of its own: runs share nothing but the table, where each mail is claimed by one of them. */
function startClockwork({ claim, deliver }: Outbox, clock: Clock): Clockwork {
  async function run(after: number): Promise<void> {
    const end = clock() + LONGEST_RUN;
    await scheduler.wait(after);
    while (clock() < end) {
      const { mails, nextAt } = await claim(CONCURRENCY);
      await Promise.all(mails.map(deliver));
      // There may be more that is due.
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

/** Each time it is woken, a run of its own. */
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
 * Connects to a mail server by its name. By itself, nodemailer would ask DNS over the network for the address and connect
 * to that, and then workerd would look for the address in the server's certificate.
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

/** What workerd and Cloudflare say of a request's origin. */
type Origin = { clientIp?: string; colo?: string };

/**
 * The address at the other end of the connection. On Cloudflare that is Cloudflare's own, which puts the client's into a
 * header that no client can set; by itself, workerd passes on whatever a client has put there.
 */
function socketIp(request: Request): string | null {
  const { clientIp, colo }: Origin = ("cf" in request && request.cf) || {};
  if (colo !== undefined) return request.headers.get("cf-connecting-ip");
  return clientIp?.replace(/:\d+$/, "").replace(/^\[(.+)\]$/, "$1") ?? null;
}
