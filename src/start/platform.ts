/** The platform that Bun and Deno share: files, native Argon2 and SMTP. */
import { AsyncLocalStorage } from "node:async_hooks";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Config, faultOf } from "../config.ts";
import type { Database } from "../database/drizzle.ts";
import { type DatabaseOptions, openDatabase } from "../database/open.ts";
import { createRemoval } from "../database/removal.ts";
import type { RequestView } from "../database/request-view.ts";
import type { SocketIp } from "../http/client-ip.ts";
import { startClockwork } from "../mail/clockwork.ts";
import { openTransport } from "../mail/open.ts";
import type { Platform } from "../services.ts";
import { keptSecret } from "./kept-secret.ts";

/** Loading it would add ten milliseconds to each start. */
const loadArgon2 = () => import("@node-rs/argon2");

export function nativePlatform(socketIp: SocketIp, holdOpen?: Platform["holdOpen"]): Platform {
  return {
    // Argon2id is the package's default variant.
    argon2: {
      hash: async (password, parameters) => (await loadArgon2()).hash(password, parameters),
      verify: async (passwordHash, password) => (await loadArgon2()).verify(passwordHash, password),
    },
    loadArgon2,
    // Not imported, for the same reason.
    hmac(key, message) {
      const { createHmac } = process.getBuiltinModule("node:crypto");
      return createHmac("sha256", key).update(message).digest("base64url");
    },
    openDatabase: openConfigured,
    createRequestScope: () => new AsyncLocalStorage<RequestView>(),
    keptSecret: ({ databaseUrl }) => keptSecret(join(folderOf(databaseUrl), "jwt-secret")),
    openTransport: ({ mailUrl, mailFrom }) => openTransport(mailUrl, mailFrom),
    startClockwork,
    startRemoval: createRemoval,
    socketIp,
    holdOpen,
  };
}

/**
 * Opens the configured database. Makes the folder of its file when it is missing.
 * @throws ConfigError
 */
export async function openConfigured(config: Config, options?: DatabaseOptions): Promise<Database> {
  const { databaseUrl } = config;
  try {
    if (databaseUrl.startsWith("file:")) {
      mkdirSync(folderOf(databaseUrl), { recursive: true, mode: 0o700 });
    }
    return await openDatabase(databaseUrl, config, options);
  } catch (error) {
    throw faultOf("Cannot open the database (DATABASE_URL)", error);
  }
}

const folderOf = (url: string) => dirname(url.slice("file:".length));
