/** What the app is given, made of a Config and a Platform. It loads nothing native, so it runs on every runtime. */
import {
  ARGON2_PARAMETERS,
  type Argon2,
  type Argon2Parameters,
  createHasher,
  type Hasher,
} from "./auth/passwords.ts";
import { createThrottle, type Throttle } from "./auth/throttle.ts";
import { createTokenSigner, type TokenSigner } from "./auth/tokens.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Database } from "./database/drizzle.ts";
import type { SocketIp } from "./http/client-ip.ts";
import { createDrain, type Drain } from "./http/drain.ts";
import { deriveKey } from "./keys.ts";
import type { Clockwork } from "./mail/clockwork.ts";
import { createOutbox, type Outbox } from "./mail/outbox.ts";
import type { Transport } from "./mail/transport.ts";
import { createOneTimePasswords, type OneTimePasswords } from "./otp/one-time-passwords.ts";
import { createMac, createSeal, type Hmac, type Seal } from "./seal.ts";

/** What the service needs of the runtime and the machine that it is on. */
export interface Platform {
  argon2: Argon2;
  hmac: Hmac;
  /** @throws ConfigError when it cannot be opened */
  openDatabase(config: Config): Promise<Database>;
  /**
   * The development secret, made at the first start and kept.
   * @throws ConfigError when it cannot be made, kept or read
   */
  keptSecret(config: Config): string;
  openTransport(config: Config): Transport;
  /** Decides when the outbox is looked at. */
  startClockwork(outbox: Outbox, clock: Clock): Clockwork;
  socketIp: SocketIp;
}

export interface Services {
  config: Config;
  database: Database;
  hasher: Hasher;
  throttle: Throttle;
  tokens: TokenSigner;
  seal: Seal;
  otp: OneTimePasswords;
  outbox: Clockwork;
  clock: Clock;
  drain: Drain;
  socketIp: SocketIp;
}

export interface ServiceOptions {
  clock?: Clock;
  /** Cheaper ones make tests quick. */
  argon2Parameters?: Argon2Parameters;
}

/** Passwords that may wait to be hashed, for each that is hashed at the same time. It is about one second's work. */
const HASHES_WAITING = 50;
/** Of them, those that one client may have there. */
const HASHES_WAITING_PER_CLIENT = 8;

/**
 * Opens the database and puts the services together.
 * @throws ConfigError
 */
export async function createServices(
  config: Config,
  platform: Platform,
  { clock = Date.now, argon2Parameters = ARGON2_PARAMETERS }: ServiceOptions = {},
): Promise<Services> {
  const database = await platform.openDatabase(config);
  const { hmac } = platform;
  const secret = config.jwtSecret ?? platform.keptSecret(config);
  const transport = platform.openTransport(config);
  const concurrency = config.hashConcurrency ?? navigator.hardwareConcurrency;
  return {
    config,
    database,
    hasher: createHasher({
      argon2: platform.argon2,
      parameters: argon2Parameters,
      queue: {
        concurrency,
        waiting: HASHES_WAITING * concurrency,
        waitingPerClient: HASHES_WAITING_PER_CLIENT,
      },
    }),
    throttle: createThrottle(database),
    tokens: createTokenSigner(
      {
        key: await deriveKey(secret, "tokens"),
        issuer: config.jwtIssuer,
        audience: config.jwtAudience,
      },
      clock,
    ),
    seal: createSeal(createMac(hmac, await deriveKey(secret, "cursors"))),
    otp: createOneTimePasswords(
      database,
      createMac(hmac, await deriveKey(secret, "one-time passwords")),
      config,
    ),
    outbox: platform.startClockwork(createOutbox({ database, clock, transport }), clock),
    clock,
    drain: createDrain(),
    socketIp: platform.socketIp,
  };
}
