/**
 * Reads the configuration from the environment. It reports all faults together, with the names of the variables and
 * never with their values.
 */

export interface Config {
  production: boolean;
  /**
   * The names of the environment's other variables. Some may be misspelt settings. Empty where an environment cannot be
   * listed, as on Deno.
   */
  others: string[];
  /** The names of all settings. */
  settings: string[];
  host: string;
  port: number;
  /** The port of `/metrics`, which has no other route. Undefined for no metrics. */
  metricsPort: number | undefined;
  /** `file:` and a path, or the `libsql://`, `https://` or `http://` URL of a libSQL server. */
  databaseUrl: string;
  databaseAuthToken: string | undefined;
  /** The URL of the primary, when the libSQL server is a replica. Requests for the primary then go there directly. */
  databasePrimaryUrl: string | undefined;
  /** The URL of the libSQL server that the file is a replica of. */
  databaseSyncUrl: string | undefined;
  /** Seconds between two syncs. */
  databaseSyncInterval: number;
  /** Seconds for which a replica may answer reads after it last heard from its primary. */
  databaseStaleReads: number;
  /**
   * Who answers the reads of requests: the primary (while it is unreachable, a replica), or the replica near the
   * service.
   */
  reads: "primary" | "local";
  migrateOnStart: boolean;
  /** Undefined only in development. Then a secret is made and kept beside the database. */
  jwtSecret: string | undefined;
  /** Secrets that sign nothing new. What they have signed is still valid. */
  jwtPreviousSecrets: string[];
  jwtIssuer: string;
  jwtAudience: string;
  /** Seconds. */
  accessTokenTtl: number;
  /** Seconds. */
  refreshTokenTtl: number;
  /** Seconds. */
  refreshLeeway: number;
  /** Code points. */
  passwordMinLength: number;
  /** Passwords that are hashed at the same time; undefined for the number of cores. */
  hashConcurrency: number | undefined;
  /** Failed log-ins per hour from one network. 0 for no limit, also for the two settings below. */
  failedLogInsPerHour: number;
  /** Sign-ups per hour from one network. */
  signUpsPerHour: number;
  /** Mails per hour that one network may ask for. */
  mailsPerHour: number;
  corsOrigins: string[];
  /** The number of proxies in front of the service. Each adds an address to `X-Forwarded-For`. */
  trustProxy: number;
  /** Seconds. */
  otpTtl: number;
  /** Seconds. */
  resetTtl: number;
  /** Seconds between two sends. */
  otpResendAfter: number;
  /** Sends per day, to one address and for one user. */
  otpDailyLimit: number;
  /** Where mails go: `log:`, or an `smtp://`, `smtps://`, `resend://` or `postmark://` URL. */
  mailUrl: string;
  /** The sender of mails: an address, or a name and an address in angle brackets. */
  mailFrom: string;
  /** Todos that a user may have, including those in the trash. */
  todosPerUser: number;
  /** MiB of their texts, with the folded texts for the search. */
  textPerUser: number;
  listsPerUser: number;
  /** Seconds for which a deleted todo stays in the trash. */
  trashTtl: number;
  /** Seconds for which an `Idempotency-Key` is remembered. */
  idempotencyTtl: number;
  /** Seconds for which a deletion is reported to clients. */
  changesTtl: number;
  /** Seconds between two comments in a stream of events. */
  heartbeat: number;
  /** Streams of events that this process may have open. */
  streams: number;
  /** Seconds after a signal during which requests are still served, while `/health/ready` is 503. */
  drainDelay: number;
  /** Seconds after that which requests in flight have to finish. */
  shutdownTimeout: number;
  /** The URL of an OTLP collector, `http://` or `https://`. Undefined for no traces. */
  otlpEndpoint: string | undefined;
  /** Headers for the collector, for example to authenticate. */
  otlpHeaders: Record<string, string>;
  otelServiceName: string;
  /** Further attributes of the process in traces. */
  otelResourceAttributes: Record<string, string>;
  tracesSampler: TracesSampler;
  /** The part of all traces, 0 to 1, that `traceidratio` samples. */
  tracesSamplerArg: number;
  logFormat: "json" | "pretty" | "auto";
  logLevel: LogLevel;
}

/** Seconds. */
const DAY = 24 * 3600;

const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration */
const TRACES_SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type TracesSampler = (typeof TRACES_SAMPLERS)[number];

/** Maximum life of a one-time password in seconds (ASVS 5.0, 6.5.5: ten minutes). */
const MAX_OTP_TTL = 600;
const MAX_PER_HOUR = 1_000_000;

/** Faulty settings. Each has a line that says what it must be, or what went wrong with it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`Configuration: ${faults.join("; ")}`);
    this.faults = faults;
  }
}

/** Whether the database is only a file, and so belongs to this service alone. */
export const isEmbedded = ({ databaseUrl, databaseSyncUrl }: Config) =>
  databaseUrl.startsWith("file:") && databaseSyncUrl === undefined;

/** The fault of a setting that shows only when it is used. `what` says what failed and names the setting. */
export function faultOf(what: string, cause: unknown): ConfigError {
  return new ConfigError([`${what}: ${cause instanceof Error ? cause.message : cause}`]);
}

/**
 * @param environment an empty value counts as missing, as in `NAME= command`
 * @throws ConfigError
 */
export function readConfig(environment: Record<string, string | undefined>): Config {
  const faults: string[] = [];
  const names = new Set<string>();

  function setting<T>(
    name: string,
    fallback: T,
    parse: (text: string) => T | undefined,
    rule: string,
  ): T {
    names.add(name);
    const text = environment[name];
    if (!text) return fallback;
    const value = parse(text);
    if (value !== undefined) return value;
    faults.push(`${name} must be ${rule}`);
    return fallback;
  }
  function integer<T>(name: string, fallback: T, min: number, max: number): number | T {
    const parse = (text: string) => {
      const value = Number(text);
      return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined;
    };
    return setting<number | T>(name, fallback, parse, `an integer from ${min} to ${max}`);
  }
  function choice<const T extends string>(name: string, fallback: T, choices: readonly T[]): T {
    const parse = (text: string) => choices.find((each) => each === text);
    return setting(name, fallback, parse, `one of ${choices.join(", ")}`);
  }
  const text = (name: string, fallback: string) =>
    setting(name, fallback, (value) => value, "a text");
  const pairs = (name: string) => setting(name, {}, parsePairs, "name=value, separated by commas");

  // A misspelt "production" must not start with the rules of development.
  const mode = choice("NODE_ENV", "development", ["development", "test", "production"]);
  const production = mode === "production";
  for (const name of ["JWT_SECRET", "MAIL_URL", "MAIL_FROM"]) {
    if (production && !environment[name]) {
      faults.push(`${name} must be set when NODE_ENV is production`);
    }
  }
  const isShared = !!environment.DATABASE_SYNC_URL || SERVER.test(environment.DATABASE_URL ?? "");
  if (isShared && !production && !environment.JWT_SECRET) {
    // A secret that is made in development belongs to one service only.
    faults.push("JWT_SECRET must be set when the database is on a server");
  }

  const config: Config = {
    production,
    others: [],
    settings: [],
    host: text("HOST", production ? "0.0.0.0" : "127.0.0.1"),
    port: integer("PORT", 3000, 0, 65_535),
    metricsPort: integer("METRICS_PORT", undefined, 0, 65_535),
    databaseUrl: setting(
      "DATABASE_URL",
      "file:data/todos.db",
      (url) =>
        FILE.test(url) || (isServer(url) && !environment.DATABASE_SYNC_URL) ? url : undefined,
      `file: and a path${environment.DATABASE_SYNC_URL ? " when DATABASE_SYNC_URL is set" : SERVER_RULE}`,
    ),
    databaseAuthToken: setting<string | undefined>(
      "DATABASE_AUTH_TOKEN",
      undefined,
      (token) => (/^[\x21-\x7e]+$/.test(token) ? token : undefined),
      "a token without spaces",
    ),
    databasePrimaryUrl: setting<string | undefined>(
      "DATABASE_PRIMARY_URL",
      undefined,
      (url) => (isServer(url) && SERVER.test(environment.DATABASE_URL ?? "") ? url : undefined),
      "the URL of a libSQL server, and DATABASE_URL a replica of it",
    ),
    databaseSyncUrl: setting<string | undefined>(
      "DATABASE_SYNC_URL",
      undefined,
      (url) => (isServer(url) ? url : undefined),
      "a libsql://, https:// or http:// URL without user, query and fragment",
    ),
    databaseSyncInterval: integer("DATABASE_SYNC_INTERVAL", 10, 1, 3600),
    databaseStaleReads: integer("DATABASE_STALE_READS", 0, 0, 24 * 3600),
    reads: choice("READS", "primary", ["primary", "local"]),
    migrateOnStart: choice("MIGRATE_ON_START", "false", ["true", "false"]) === "true",
    jwtSecret: setting<string | undefined>(
      "JWT_SECRET",
      undefined,
      (secret) => (isLongEnough(secret) ? secret : undefined),
      "at least 32 bytes long",
    ),
    jwtPreviousSecrets: setting(
      "JWT_PREVIOUS_SECRETS",
      [],
      parseSecrets,
      "secrets of at least 32 bytes each, separated by commas without spaces",
    ),
    jwtIssuer: text("JWT_ISSUER", "todos"),
    jwtAudience: text("JWT_AUDIENCE", "todos"),
    accessTokenTtl: integer("ACCESS_TOKEN_TTL", 30 * 60, 1, 24 * 3600),
    refreshTokenTtl: integer("REFRESH_TOKEN_TTL", 30 * 24 * 3600, 1, 366 * 24 * 3600),
    refreshLeeway: integer("REFRESH_LEEWAY", 10, 0, 60),
    passwordMinLength: integer("PASSWORD_MIN_LENGTH", 8, 8, 64),
    hashConcurrency: integer("HASH_CONCURRENCY", undefined, 1, 256),
    failedLogInsPerHour: integer("FAILED_LOG_INS_PER_HOUR", 300, 0, MAX_PER_HOUR),
    signUpsPerHour: integer("SIGN_UPS_PER_HOUR", 30, 0, MAX_PER_HOUR),
    mailsPerHour: integer("MAILS_PER_HOUR", 60, 0, MAX_PER_HOUR),
    corsOrigins: setting("CORS_ORIGINS", [], parseOrigins, "origins separated by commas"),
    trustProxy: integer("TRUST_PROXY", 0, 0, 10),
    otpTtl: integer("OTP_TTL", 180, 1, MAX_OTP_TTL),
    resetTtl: integer("RESET_TTL", 600, 1, MAX_OTP_TTL),
    otpResendAfter: integer("OTP_RESEND_AFTER", 60, 0, 3600),
    otpDailyLimit: integer("OTP_DAILY_LIMIT", 10, 1, 1000),
    mailUrl: setting(
      "MAIL_URL",
      "log:",
      // One-time passwords must not end up in a log that is kept.
      (url) => (isMailUrl(url) || (url === "log:" && !production) ? url : undefined),
      `an smtp://, smtps://, resend:// or postmark:// URL${production ? "" : ", or log:"}`,
    ),
    mailFrom: setting(
      "MAIL_FROM",
      "Todos <todos@localhost>",
      (from) => (SENDER.test(from) ? from : undefined),
      "an address, or a name and an address in angle brackets",
    ),
    todosPerUser: integer("TODOS_PER_USER", 10_000, 1, 1_000_000),
    textPerUser: integer("TEXT_PER_USER", 64, 1, 1_000_000),
    listsPerUser: integer("LISTS_PER_USER", 200, 1, 1000),
    trashTtl: integer("TRASH_TTL", 30 * DAY, 1, 366 * DAY),
    idempotencyTtl: integer("IDEMPOTENCY_TTL", DAY, 1, 30 * DAY),
    changesTtl: integer("CHANGES_TTL", 90 * DAY, 1, 3660 * DAY),
    heartbeat: integer("HEARTBEAT", 25, 1, 300),
    streams: integer("STREAMS", 1000, 0, 100_000),
    drainDelay: integer("DRAIN_DELAY", production ? 5 : 0, 0, 300),
    shutdownTimeout: integer("SHUTDOWN_TIMEOUT", 10, 1, 300),
    otlpEndpoint: setting<string | undefined>(
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      undefined,
      (url) => (/^https?:/i.test(url) && isServer(url) ? url : undefined),
      "an http:// or https:// URL without user, query and fragment",
    ),
    otlpHeaders: pairs("OTEL_EXPORTER_OTLP_HEADERS"),
    otelServiceName: text("OTEL_SERVICE_NAME", "todos"),
    otelResourceAttributes: pairs("OTEL_RESOURCE_ATTRIBUTES"),
    tracesSampler: choice("OTEL_TRACES_SAMPLER", "parentbased_always_on", TRACES_SAMPLERS),
    tracesSamplerArg: setting(
      "OTEL_TRACES_SAMPLER_ARG",
      1,
      (text) => (/^(0|1|[01]?\.\d+)$/.test(text) && Number(text) <= 1 ? Number(text) : undefined),
      "a number from 0 to 1",
    ),
    logFormat: choice("LOG_FORMAT", "auto", ["json", "pretty", "auto"]),
    logLevel: choice("LOG_LEVEL", "info", LOG_LEVELS),
  };
  config.settings = [...names];
  config.others = Object.keys(environment).filter((name) => !names.has(name));
  const secrets = [environment.JWT_SECRET, ...config.jwtPreviousSecrets];
  if (new Set(secrets).size < secrets.length) {
    faults.push("JWT_PREVIOUS_SECRETS must not name a secret twice, nor the one in JWT_SECRET");
  }
  if (config.reads === "local" && (isEmbedded(config) || config.databaseStaleReads === 0)) {
    faults.push(
      "READS=local requires a database on a server, and DATABASE_STALE_READS of at least 1",
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** RFC 7518 §3.2: as long as the hash at least. */
const isLongEnough = (secret: string) => new TextEncoder().encode(secret).length >= 32;

/** A space beside a comma would become a part of the secret, and then the secret would verify nothing. */
function parseSecrets(text: string): string[] | undefined {
  const secrets = text.split(",");
  const isSecret = (secret: string) => isLongEnough(secret) && secret === secret.trim();
  return secrets.every(isSecret) ? secrets : undefined;
}

/** Origins in the form that browsers send (RFC 6454 §6.2): no path, no trailing slash, and never `*`. */
function parseOrigins(text: string): string[] | undefined {
  const origins = text.split(",").map((origin) => origin.trim());
  const isOrigin = (origin: string) =>
    !origin.includes("*") && URL.canParse(origin) && new URL(origin).origin === origin;
  return origins.every(isOrigin) ? origins : undefined;
}

/** The format of OpenTelemetry's variables, from W3C Baggage (§3.3.1): special characters are percent-encoded. */
function parsePairs(text: string): Record<string, string> | undefined {
  const pairs: [name: string, value: string][] = [];
  for (const part of text.split(",").filter((each) => each.trim() !== "")) {
    const [, name, value] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*([\x21-\x7e]*)\s*$/.exec(part) ?? [];
    if (name === undefined || value === undefined) return undefined;
    try {
      pairs.push([name, decodeURIComponent(value)]);
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(pairs);
}

const FILE = /^file:[^?#]+$/;
const SERVER = /^(?:libsql|https?):/i;
const SERVER_RULE = ", or a libsql://, https:// or http:// URL without user, query and fragment";

function isServer(text: string): boolean {
  const url = URL.parse(text);
  // A token in the URL would end up in logs.
  return url !== null && SERVER.test(text) && url.host !== "" && !/[@?#]/.test(text);
}

function isMailUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^(smtps?|resend|postmark):$/.test(url.protocol) && url.hostname !== "";
}

const ADDRESS = String.raw`[^\s@<>",;:]+@[^\s@<>",;:]+`;
/** One mailbox (RFC 5322 §3.4) in its usual forms. A name with special characters must be in quotes. */
const SENDER = new RegExp(
  String.raw`^(?:${ADDRESS}|(?:[^@<>",;:()\\\p{Cc}]+|"[^"\\\p{Cc}]+") ?<${ADDRESS}>)$`,
  "u",
);
