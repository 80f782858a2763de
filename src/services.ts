/** What the app is given: everything that touches the clock, the processor or the outside. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createOtp, type Otp } from "./auth/otp.ts";
import { createHasher, type Hasher } from "./auth/passwords.ts";
import { createSeal, type Seal } from "./auth/seal.ts";
import { keptSecret } from "./auth/secret.ts";
import { createTokens, type Tokens } from "./auth/tokens.ts";
import type { Clock } from "./clock.ts";
import { type Config, faultOf } from "./config.ts";
import { type Database, openDatabase } from "./database/open.ts";
import type { SocketAddress } from "./http/address.ts";
import { createDrain, type Drain } from "./http/drain.ts";
import { openTransport } from "./mail/open.ts";
import { createOutbox, type Outbox } from "./mail/outbox.ts";

export interface Services {
  config: Config;
  database: Database;
  hasher: Hasher;
  tokens: Tokens;
  seal: Seal;
  otp: Otp;
  outbox: Outbox;
  clock: Clock;
  drain: Drain;
  socketAddress: SocketAddress;
}

/** Passwords that may wait to be hashed, a core: about a second's work. */
const HASH_QUEUE = 50;

/**
 * Opens the database, and makes its folder and the development secret when they are missing.
 * @throws ConfigError
 */
export async function createServices(
  config: Config,
  socketAddress: SocketAddress,
  clock: Clock = Date.now,
): Promise<Services> {
  const database = await openConfigured(config);
  const secret = config.jwtSecret ?? keptSecret(join(folderOf(config.databaseUrl), "jwt-secret"));
  const cores = navigator.hardwareConcurrency;
  const seal = createSeal(secret);
  return {
    config,
    database,
    hasher: createHasher({ concurrency: cores, queue: HASH_QUEUE * cores }),
    tokens: createTokens({ secret, issuer: config.jwtIssuer, audience: config.jwtAudience }, clock),
    seal,
    otp: createOtp(database, seal, config),
    outbox: createOutbox({
      database,
      clock,
      transport: openTransport(config.mailUrl, config.mailFrom),
    }),
    clock,
    drain: createDrain(),
    socketAddress,
  };
}

/**
 * Opens the database that is configured, and makes the folder that its file is to be in.
 * @throws ConfigError
 */
export async function openConfigured(config: Config): Promise<Database> {
  const { databaseUrl } = config;
  try {
    if (databaseUrl.startsWith("file:")) mkdirSync(folderOf(databaseUrl), { recursive: true });
    return await openDatabase(databaseUrl, config);
  } catch (error) {
    throw faultOf("Cannot open the database (DATABASE_URL)", error);
  }
}

const folderOf = (url: string) => dirname(url.slice("file:".length));
