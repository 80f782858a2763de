/** What the app is given: everything that touches the clock, the processor or the outside. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHasher, type Hasher } from "./auth/passwords.ts";
import { createSeal, type Seal } from "./auth/seal.ts";
import { keptSecret } from "./auth/secret.ts";
import { createTokens, type Tokens } from "./auth/tokens.ts";
import { type Config, faultOf } from "./config.ts";
import { type Database, openDatabase } from "./database/open.ts";
import { createDrain, type Drain } from "./http/drain.ts";

/** Milliseconds since the epoch. */
export type Clock = () => number;

/** The client's address as the socket has it; null where the runtime does not tell. */
export type ClientAddress = (request: Request) => string | null;

export interface Services {
  config: Config;
  database: Database;
  hasher: Hasher;
  tokens: Tokens;
  seal: Seal;
  clock: Clock;
  drain: Drain;
  clientAddress: ClientAddress;
}

/** Passwords that may wait to be hashed, a core: about a second's work. */
const HASH_QUEUE = 50;

/**
 * Opens the database, and makes its folder and the development secret when they are missing.
 * @throws ConfigError
 */
export function createServices(
  config: Config,
  clientAddress: ClientAddress,
  clock: Clock = Date.now,
): Services {
  const database = openInFolder(config.databaseUrl);
  const secret = config.jwtSecret ?? keptSecret(join(folderOf(config.databaseUrl), "jwt-secret"));
  const cores = navigator.hardwareConcurrency;
  return {
    config,
    database,
    hasher: createHasher({ concurrency: cores, queue: HASH_QUEUE * cores }),
    tokens: createTokens({ secret, issuer: config.jwtIssuer, audience: config.jwtAudience }, clock),
    seal: createSeal(secret),
    clock,
    drain: createDrain(),
    clientAddress,
  };
}

function openInFolder(url: string): Database {
  try {
    mkdirSync(folderOf(url), { recursive: true });
    return openDatabase(url);
  } catch (error) {
    throw faultOf("Cannot open the database (DATABASE_URL)", error);
  }
}

const folderOf = (url: string) => dirname(url.slice("file:".length));
