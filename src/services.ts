/** Makes what the app needs from a Config and a Platform. It loads nothing native, so it runs on every runtime. */
import { createPseudonym, type Pseudonym } from "./auth/accounts.ts";
import { type Budgets, createBudgets } from "./auth/budgets.ts";
import { type Confirmation, createConfirmation } from "./auth/confirmation.ts";
import { createIssue, type Issue } from "./auth/issue.ts";
import { createKnownNetworks, type KnownNetworks } from "./auth/known-networks.ts";
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
import { type Config, ConfigError } from "./config.ts";
import { type Database, withSchema } from "./database/drizzle.ts";
import { observed } from "./database/observed.ts";
import type { DatabaseOptions } from "./database/open.ts";
import type { Removal } from "./database/removal.ts";
import type { RequestScope } from "./database/request-view.ts";
import { type SchemaWatch, watchSchema } from "./database/schema-watch.ts";
import { type Ttl, ttlTable } from "./database/ttl.ts";
import { type Bookmarks, createBookmarks } from "./http/bookmarks.ts";
import type { SocketIp } from "./http/client-ip.ts";
import { createDrain, type Drain } from "./http/drain.ts";
import { type Meter, silent, type Tracer } from "./instruments.ts";
import { type CurrentFirst, deriveKeys, deriveSigningKeys, type Use } from "./keys.ts";
import { type LogRequest, requestByLogTape } from "./log/requests.ts";
import type { Clockwork } from "./mail/clockwork.ts";
import { createEnqueue, type Enqueue, randomDelay } from "./mail/enqueue.ts";
import { createOutbox, type Outbox } from "./mail/outbox.ts";
import type { Transport } from "./mail/transport.ts";
import { createReset, type Reset } from "./otp/reset.ts";
import { createVerification, type Verification } from "./otp/verification.ts";
import { createMac, createSeal, type Hmac, type Seal } from "./seal.ts";
import { createSweep, type Sweep } from "./sync/sweep.ts";
import { createWatch, type Watch } from "./sync/watch.ts";
import { foldTexts } from "./todos/folding.ts";
import { createUpkeep, type Upkeep } from "./upkeep.ts";

/** What the service needs from its runtime and its machine. */
export interface Platform {
  argon2: Argon2;
  /** Loads Argon2 where it was not loaded at the start. Rejects when that fails. */
  loadArgon2?(): Promise<unknown>;
  hmac: Hmac;
  /**
   * @param options `scope` is given when replicas are to answer the reads of requests
   * @throws ConfigError when it cannot be opened
   */
  openDatabase(config: Config, options: DatabaseOptions): Promise<Database>;
  /** Called only when replicas answer the reads of requests. */
  createRequestScope(): RequestScope;
  /**
   * The development secret, made at the first start and kept. Only where there are files.
   * @throws ConfigError when it cannot be made, kept or read
   */
  keptSecret?(config: Config): string;
  openTransport(config: Config): Transport;
  /** Decides when the outbox is looked at. */
  startClockwork(outbox: Outbox, clock: Clock): Clockwork;
  /** Decides when the rows of deleted users are removed. */
  startRemoval(database: Database): Removal;
  socketIp: SocketIp;
  /** Keeps a request's connection open while nothing is sent. Only on runtimes that would close it. */
  holdOpen?: ((request: Request) => void) | undefined;
  /** Whether a request may only use what it has opened itself, as on workerd. */
  isolatesRequests?: boolean;
}

export interface Services {
  config: Config;
  database: Database;
  ttl: Ttl;
  removal: Removal;
  hasher: Hasher;
  pseudonym: Pseudonym;
  budgets: Budgets;
  knownNetworks: KnownNetworks;
  throttle: Throttle;
  confirmation: Confirmation;
  tokens: TokenSigner;
  issue: Issue;
  seal: Seal;
  enqueue: Enqueue;
  transport: Transport;
  outbox: Clockwork;
  verification: Verification;
  reset: Reset;
  sweep: Sweep;
  watch: Watch;
  upkeep: Upkeep;
  clock: Clock;
  drain: Drain;
  logRequest: LogRequest;
  meter: Meter;
  tracer: Tracer | undefined;
  schema: SchemaWatch;
  socketIp: SocketIp;
  holdOpen: Platform["holdOpen"];
  /** Only where replicas answer the reads of requests. */
  bookmarks: Bookmarks | undefined;
}

export interface ServiceOptions {
  /** Uses LogTape by default. */
  logRequest?: LogRequest;
  /** Counts what the service does. By default, nothing is counted. */
  meter?: Meter | undefined;
  /** Traces requests. By default, none are traced. */
  tracer?: Tracer | undefined;
  clock?: Clock;
  /** Cheaper parameters make tests quick. */
  argon2Parameters?: Argon2Parameters;
  /** Milliseconds until a mail is due. With zero, tests can stop the clock. */
  mailDelay?: () => number;
}

/** How many passwords may wait for each one that is being hashed. This is about one second of work. */
const HASHES_WAITING = 50;
/** How many of them may belong to one client. */
const HASHES_WAITING_PER_CLIENT = 8;

/**
 * Opens the database and puts the services together.
 * @throws ConfigError
 */
export async function createServices(
  config: Config,
  platform: Platform,
  options: ServiceOptions = {},
): Promise<Services> {
  const { clock = Date.now, argon2Parameters = ARGON2_PARAMETERS } = options;
  const { mailDelay = randomDelay, logRequest = requestByLogTape } = options;
  const { meter = silent, tracer } = options;
  const scope = config.reads === "local" ? platform.createRequestScope() : undefined;
  const opened = await platform.openDatabase(config, { meter: options.meter, scope });
  const database = observe(opened, options);
  const { hmac } = platform;
  const secret = config.jwtSecret ?? platform.keptSecret?.(config);
  if (secret === undefined) throw new ConfigError(["JWT_SECRET must be set"]);
  const transport = platform.openTransport(config);
  const secrets: CurrentFirst<string> = [secret, ...config.jwtPreviousSecrets];
  const macFor = async (use: Use) => createMac(hmac, await deriveKeys(secrets, use));

  const watch = createWatch({ database, clock }, !platform.isolatesRequests);
  const drain = createDrain();
  // Open streams would delay the drain.
  drain.onBegin(watch.endAll);
  const sweep = createSweep({ database, clock, watch }, config);
  const concurrency = config.hashConcurrency ?? navigator.hardwareConcurrency;
  const hasher = createHasher({
    argon2: platform.argon2,
    parameters: argon2Parameters,
    queue: {
      concurrency,
      waiting: HASHES_WAITING * concurrency,
      waitingPerClient: HASHES_WAITING_PER_CLIENT,
      onWaiting: meter.hashesWaiting,
      onRefused: meter.hashRefused,
    },
  });

  const { jwtIssuer: issuer, jwtAudience: audience } = config;
  const keys = await deriveSigningKeys(secrets);
  const tokens = createTokenSigner({ keys, issuer, audience }, clock);

  const ttl = ttlTable(database);
  const pseudonym = createPseudonym(await macFor("throttling"), ttl);
  const knownNetworks = createKnownNetworks(ttl);
  const budgets = createBudgets(
    { database, ttl, clock, meter },
    {
      failed_log_ins: config.failedLogInsPerHour,
      sign_ups: config.signUpsPerHour,
      mails: config.mailsPerHour,
    },
  );
  const throttle = createThrottle({ database, ttl, budgets, knownNetworks, meter });
  const confirmation = createConfirmation({ database, ttl, hasher, clock, meter });
  const enqueue = createEnqueue(database, mailDelay);
  const otpMac = await macFor("one-time passwords");
  const ground = { database, ttl, clock, budgets, pseudonym, otpMac, enqueue };

  return {
    config,
    database,
    ttl,
    removal: platform.startRemoval(database),
    hasher,
    pseudonym,
    budgets,
    knownNetworks,
    throttle,
    confirmation,
    tokens,
    issue: createIssue({ config, clock, tokens }),
    seal: createSeal(await macFor("cursors")),
    enqueue,
    transport,
    outbox: platform.startClockwork(createOutbox({ database, clock, transport, meter }), clock),
    verification: createVerification({ ...ground, confirmation }, config),
    reset: createReset({ ...ground, knownNetworks, throttle, meter }, config),
    sweep,
    watch,
    upkeep: createUpkeep({
      "delete expired rows": sweep.all,
      "fold texts": () => foldTexts(database),
    }),
    clock,
    drain,
    logRequest,
    meter,
    tracer,
    schema: watchSchema(database),
    socketIp: platform.socketIp,
    holdOpen: platform.holdOpen,
    bookmarks: scope && createBookmarks(scope, createSeal(await macFor("bookmarks"))),
  };
}

function observe(database: Database, { meter, tracer }: ServiceOptions): Database {
  // Without listeners, database calls are not wrapped.
  if (!meter && !tracer) return database;
  return withSchema(observed(database.$client, { meter, tracer }));
}
