/** Shared by the platforms at the edge: no files, no native libraries, and the data on a libSQL server. */
import { AsyncLocalStorage } from "node:async_hooks";
import { createHmac } from "node:crypto";
import type { Argon2 } from "../auth/passwords.ts";
import { type Config, ConfigError, readConfig } from "../config.ts";
import { type Database, withSchema } from "../database/drizzle.ts";
import { openRemote, type RemoteOptions } from "../database/remote.ts";
import { createRemoval } from "../database/removal.ts";
import type { RequestScope, RequestView } from "../database/request-view.ts";
import type { SocketIp } from "../http/client-ip.ts";
import { startClockwork } from "../mail/clockwork.ts";
import { openTransport } from "../mail/open.ts";
import type { Platform } from "../services.ts";

/** Replaces a URL that is already refused, so that the other settings are checked as for a server. */
const SOME_SERVER = "https://localhost";

/**
 * Reads the configuration of a service that has no files.
 * @throws ConfigError that names every fault
 */
export function readEdgeConfig(environment: Record<string, string | undefined>): Config {
  const faults: string[] = [];
  const { DATABASE_URL: url = "", DATABASE_SYNC_URL } = environment;
  const isFile = url === "" || url.startsWith("file:");
  if (isFile) faults.push("DATABASE_URL must be the URL of a libSQL server: there are no files");
  if (DATABASE_SYNC_URL) faults.push("DATABASE_SYNC_URL must not be set: there are no files");
  const replaced: typeof environment = {
    DATABASE_URL: isFile ? SOME_SERVER : url,
    DATABASE_SYNC_URL: undefined,
  };
  // Not a copy: on Deno, an environment cannot be listed, but only asked for names. Where it can be listed, it still can.
  const settings = new Proxy(environment, {
    get: (target, name) => (name in replaced ? replaced : target)[String(name)],
  });
  try {
    const config = readConfig(settings);
    if (faults.length === 0) return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    faults.push(...error.faults);
  }
  throw new ConfigError(faults);
}

/** The platform of a runtime with processes, such as Deno. */
export function edgePlatform(argon2: Argon2, socketIp: SocketIp): Platform {
  return {
    argon2,
    hmac,
    openDatabase: async (config, options) => openServer(config, options),
    createRequestScope,
    openTransport: ({ mailUrl, mailFrom }) => openTransport(mailUrl, mailFrom),
    startClockwork,
    startRemoval: createRemoval,
    socketIp,
  };
}

export const hmac: Platform["hmac"] = (key, message) =>
  createHmac("sha256", key).update(message).digest("base64url");

export const createRequestScope = (): RequestScope => new AsyncLocalStorage<RequestView>();

/**
 * Opens the libSQL server that the configuration names.
 * @param options see RemoteOptions
 */
export function openServer(
  config: Config,
  options: Pick<RemoteOptions, "scope" | "meter" | "takeTurn" | "background">,
): Database {
  const { databaseUrl, databaseAuthToken: authToken, databasePrimaryUrl: primaryUrl } = config;
  const staleReads = config.databaseStaleReads * 1000;
  return withSchema(openRemote(databaseUrl, { authToken, primaryUrl, staleReads, ...options }));
}
