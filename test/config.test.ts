/**
 * The settings: `.env.example` describes each one and has its default, and an invalid value is refused with the
 * setting's name.
 */
import { describe, expect, test } from "bun:test";
import { ConfigError, readConfig } from "../src/config.ts";

/** No value in this file contains this by chance, and no error message may contain it. */
const CANARY = "Zq7canary";

type Environment = Record<string, string | undefined>;

const PRODUCTION = {
  NODE_ENV: "production",
  JWT_SECRET: "s".repeat(32),
  MAIL_URL: "smtps://todos:secret@mail.example",
  MAIL_FROM: "todos@example.com",
};

/** `.env.example` as Bun itself reads it. */
function readExample(): Record<string, string> {
  const path = new URL("../.env.example", import.meta.url).pathname;
  const print = "process.stdout.write(JSON.stringify(process.env))";
  const run = Bun.spawnSync([process.execPath, `--env-file=${path}`, "-e", print], {
    env: {},
    // In a folder without a `.env` file.
    cwd: import.meta.dir,
  });
  return JSON.parse(run.stdout.toString());
}
const example = readExample();

/** The names that `readConfig` reads. */
function namesRead(): string[] {
  const names = new Set<string>();
  const recording = new Proxy<Environment>(
    {},
    {
      get(_target, name) {
        names.add(String(name));
        return undefined;
      },
    },
  );
  readConfig(recording);
  return [...names];
}

function faultsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe(".env.example", () => {
  test("has every setting, and no other", () => {
    const names = namesRead();
    expect(names).toContainValues(["PORT", "OTP_TTL"]);
    expect(Object.keys(example).toSorted()).toEqual(names.toSorted());
  });

  test("has the defaults", () => {
    expect(readConfig(example)).toEqual(readConfig({}));
  });

  test("says in a line above each group or setting what it is", async () => {
    const text = await Bun.file(new URL("../.env.example", import.meta.url)).text();
    for (const line of text.split("\n")) expect(line).toMatch(/^$|^# .|^[A-Z_]+=/);
  });
});

test("deno.json lets the service read every setting", async () => {
  const { permissions } = await Bun.file(new URL("../deno.json", import.meta.url)).json();
  expect(namesRead().filter((name) => !permissions.service.env.includes(name))).toEqual([]);
});

describe("defaults", () => {
  test("are those of the contract", () => {
    expect(readConfig({})).toMatchObject({
      accessTokenTtl: 1800,
      refreshTokenTtl: 30 * 24 * 3600,
      refreshLeeway: 10,
      passwordMinLength: 8,
      hashConcurrency: undefined,
      failedLogInsPerHour: 300,
      signUpsPerHour: 30,
      mailsPerHour: 60,
      otpTtl: 180,
      resetTtl: 600,
      otpResendAfter: 60,
      otpDailyLimit: 10,
      corsOrigins: [],
      trustProxy: 0,
      mailUrl: "log:",
    });
  });

  test("stand in for what is empty", () => {
    const empty = Object.fromEntries(namesRead().map((name) => [name, ""]));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  test("in production are none for the secret and for mails, which must be set", () => {
    expect(faultsOf(PRODUCTION)).toEqual([]);
    expect(readConfig(PRODUCTION)).toMatchObject({ production: true, host: "0.0.0.0" });
    expect(faultsOf({ NODE_ENV: "production" })).toEqual([
      "JWT_SECRET must be set when NODE_ENV is production",
      "MAIL_URL must be set when NODE_ENV is production",
      "MAIL_FROM must be set when NODE_ENV is production",
    ]);
  });
});

describe("faults", () => {
  /** Invalid for every setting, except for those that accept any text. */
  const allWrong = Object.fromEntries(
    namesRead()
      .filter((name) => !["HOST", "JWT_ISSUER", "JWT_AUDIENCE", "OTEL_SERVICE_NAME"].includes(name))
      .map((name) => [name, `\t${CANARY}`]),
  );

  test("are all named at once, by the setting and never by the value", () => {
    const faults = faultsOf(allWrong);
    const named = faults.map((fault) => fault.split(" ")[0] ?? "");
    expect(named.toSorted()).toEqual(Object.keys(allWrong).toSorted());
    expect(faults.join("\n")).not.toContain(CANARY);
    expect(() => readConfig(allWrong)).toThrow(/^Configuration: NODE_ENV must be one of/);
  });

  const integers = faultsOf(allWrong).flatMap((fault) => {
    const [, name = "", min, max] =
      /^(\w+) must be an integer from (\d+) to (\d+)$/.exec(fault) ?? [];
    return name === "" ? [] : [[name, Number(min), Number(max)] as const];
  });

  test("in previous secrets tell of one that is named twice", () => {
    const [one, other] = ["p".repeat(32), "q".repeat(32)];
    const rule = "JWT_PREVIOUS_SECRETS must not name a secret twice, nor the one in JWT_SECRET";
    expect(faultsOf({ JWT_SECRET: one, JWT_PREVIOUS_SECRETS: other })).toEqual([]);
    expect(faultsOf({ JWT_SECRET: one, JWT_PREVIOUS_SECRETS: `${other},${one}` })).toEqual([rule]);
    expect(faultsOf({ JWT_PREVIOUS_SECRETS: `${one},${other},${one}` })).toEqual([rule]);
  });

  test("in integers are told with their bounds", () => {
    expect(integers).toContainValues([
      ["PORT", 0, 65_535],
      ["ACCESS_TOKEN_TTL", 1, 86_400],
      ["REFRESH_TOKEN_TTL", 1, 31_622_400],
      ["REFRESH_LEEWAY", 0, 60],
      ["PASSWORD_MIN_LENGTH", 8, 64],
      ["TRUST_PROXY", 0, 10],
      ["HASH_CONCURRENCY", 1, 256],
      ["FAILED_LOG_INS_PER_HOUR", 0, 1_000_000],
      ["SIGN_UPS_PER_HOUR", 0, 1_000_000],
      ["MAILS_PER_HOUR", 0, 1_000_000],
      ["OTP_TTL", 1, 600],
      ["RESET_TTL", 1, 600],
      ["OTP_RESEND_AFTER", 0, 3600],
      ["OTP_DAILY_LIMIT", 1, 1000],
      ["TODOS_PER_USER", 1, 1_000_000],
      ["TEXT_PER_USER", 1, 1_000_000],
      ["LISTS_PER_USER", 1, 1000],
      ["TRASH_TTL", 1, 366 * 24 * 3600],
      ["CHANGES_TTL", 1, 3660 * 24 * 3600],
      ["SHUTDOWN_TIMEOUT", 1, 300],
    ]);
  });

  test.each(integers)("%s is an integer from %i to %i, in decimal", (name, min, max) => {
    for (const good of [min, max]) expect(faultsOf({ [name]: String(good) })).toEqual([]);
    for (const bad of [min - 1, max + 1, "x", "1.5", "1e1", "+9", "0x9", " 9", "9 ", "9s", "٩"]) {
      const rule = `${name} must be an integer from ${min} to ${max}`;
      expect([bad, faultsOf({ [name]: String(bad) })]).toEqual([bad, [rule]]);
    }
  });

  test.each<[name: string, good: string[], bad: string[]]>([
    [
      "JWT_SECRET",
      ["s".repeat(32), "s".repeat(1000), "ß".repeat(16)],
      ["s".repeat(31), "ß".repeat(15)],
    ],
    [
      "JWT_PREVIOUS_SECRETS",
      ["p".repeat(32), `${"p".repeat(32)},${"q".repeat(40)}`],
      [
        "p".repeat(31),
        `${"p".repeat(32)},`,
        `,${"p".repeat(32)}`,
        `${"p".repeat(32)},${"q".repeat(31)}`,
        `${"p".repeat(32)}, ${"q".repeat(32)}`,
      ],
    ],
    [
      "CORS_ORIGINS",
      [
        "https://app.example",
        "https://app.example,http://localhost:5173",
        "https://a.b , https://c.d",
      ],
      [
        "*",
        "null",
        "app.example",
        "https://app.example/",
        "https://app.example,",
        "https://APP.example",
        "https://app.example:443",
        "https://*.example",
      ],
    ],
    [
      "MAIL_URL",
      ["log:", "smtp://mail.example", "smtps://todos:secret@mail.example:465?requireTLS=true"],
      ["log", "log:x", "mail.example", "smtp:", "smtp://", "https://mail.example", "file:mail"],
    ],
    [
      "MAIL_FROM",
      ["todos@example.com", "Todos <todos@example.com>", '"Todos, Inc." <todos@example.com>'],
      [
        "todos",
        "Todos todos@example.com",
        "<todos@example.com",
        "a@example.com, b@example.com",
        "Todos <a@example.com> <b@example.com>",
        "Todos\r\nBcc: b@example.com <a@example.com>",
        "a@example.com\n",
      ],
    ],
    [
      "NODE_ENV",
      ["development", "test"],
      ["prod", "Production", "production ", "staging", "production,test"],
    ],
    [
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      ["http://localhost:4318", "https://otlp.example/base/"],
      ["localhost:4318", "grpc://localhost:4317", "http://a:b@c.example", "https://otlp.example?x"],
    ],
    ...["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"].map(
      (name): [string, string[], string[]] => [
        name,
        ["a=b", "a=b,c.d=e%20f", " a = b , c=d", "a=", "authorization=Bearer%20abc=="],
        ["a", "=b", "a=b,c", "a=b c", "a=%zz", "a:b"],
      ],
    ),
    [
      "OTEL_TRACES_SAMPLER",
      ["always_on", "always_off", "traceidratio", "parentbased_traceidratio"],
      ["on", "parentbased", "jaeger_remote", "ALWAYS_ON"],
    ],
    ["OTEL_TRACES_SAMPLER_ARG", ["0", "1", "0.01", ".5", "1.0"], ["-1", "1.1", "2", "1e-2", "x"]],
    ["LOG_FORMAT", ["json", "pretty", "auto"], ["JSON", "text", "json,pretty"]],
    ["LOG_LEVEL", ["debug", "info", "warning", "error"], ["warn", "INFO", "0"]],
  ])("%s takes some and refuses others", (name, good, bad) => {
    for (const value of good) expect([value, faultsOf({ [name]: value })]).toEqual([value, []]);
    for (const value of bad) {
      const faults = faultsOf({ [name]: value });
      expect([value, faults]).toEqual([
        value,
        [expect.stringMatching(new RegExp(`^${name} must be `))],
      ]);
    }
  });

  test("in production mails to the log are one: one-time passwords must not be kept there", () => {
    expect(faultsOf({ ...PRODUCTION, MAIL_URL: "log:" })).toEqual([
      "MAIL_URL must be an smtp://, smtps://, resend:// or postmark:// URL",
    ]);
  });
});

describe("the database", () => {
  const JWT_SECRET = "s".repeat(32);
  const SERVERS = ["libsql://todos.example", "https://todos.example/db", "http://127.0.0.1:8080"];
  const NONE = [
    "postgres://todos.example",
    "ws://todos.example",
    "http://",
    "todos.db",
    "file:",
    "https://todos:secret@todos.example",
    "libsql://todos.example?authToken=secret",
    "https://todos.example#x",
  ];

  test.each(["file:todos.db", "file:/var/lib/todos.db", ...SERVERS])("may be %s", (url) => {
    expect(readConfig({ JWT_SECRET, DATABASE_URL: url }).databaseUrl).toBe(url);
  });

  test.each(NONE)("may not be %s", (url) => {
    const faults = faultsOf({ JWT_SECRET, DATABASE_URL: url });
    expect(faults).toEqual([expect.stringMatching(/^DATABASE_URL must be file: and a path, or /)]);
  });

  test.each(SERVERS)("may be a replica of %s", (url) => {
    expect(readConfig({ JWT_SECRET, DATABASE_SYNC_URL: url }).databaseSyncUrl).toBe(url);
  });

  test.each([...NONE, "file:todos.db"])("may not be a replica of %s", (url) => {
    const faults = faultsOf({ JWT_SECRET, DATABASE_SYNC_URL: url });
    expect(faults).toEqual([expect.stringMatching(/^DATABASE_SYNC_URL must be /)]);
  });

  test("is a file when it is to be a replica", () => {
    const [DATABASE_SYNC_URL, DATABASE_URL] = SERVERS;
    expect(faultsOf({ JWT_SECRET, DATABASE_URL, DATABASE_SYNC_URL })).toEqual([
      "DATABASE_URL must be file: and a path when DATABASE_SYNC_URL is set",
    ]);
  });

  test.each(SERVERS)("may be a replica whose primary is %s", (url) => {
    const DATABASE_URL = "http://127.0.0.1:8080";
    const environment = { JWT_SECRET, DATABASE_URL, DATABASE_PRIMARY_URL: url };
    expect(readConfig(environment).databasePrimaryUrl).toBe(url);
  });

  test("has no primary when it is a file, and the primary is a server", () => {
    const [url] = SERVERS;
    for (const environment of [
      { DATABASE_PRIMARY_URL: url },
      { DATABASE_PRIMARY_URL: url, DATABASE_SYNC_URL: url },
      { DATABASE_PRIMARY_URL: "file:todos.db", DATABASE_URL: url },
    ]) {
      const [fault, ...others] = faultsOf({ JWT_SECRET, ...environment });
      expect(fault).toMatch(/^DATABASE_PRIMARY_URL must be /);
      expect(others).toEqual([]);
    }
  });

  test("is read from where it is near only if it has a replica, whose age has a bound", () => {
    const [url] = SERVERS;
    const near = { JWT_SECRET, READS: "local", DATABASE_STALE_READS: "10" };
    for (const server of [{ DATABASE_URL: url }, { DATABASE_SYNC_URL: url }]) {
      expect(readConfig({ ...near, ...server }).reads).toBe("local");
      expect(faultsOf({ ...near, ...server, DATABASE_STALE_READS: "0" })).toHaveLength(1);
    }
    expect(faultsOf(near)).toEqual([expect.stringMatching(/^READS=local requires /)]);
  });

  test("asks for a secret when other services may share it", () => {
    const fault = "JWT_SECRET must be set when the database is on a server";
    for (const url of SERVERS) {
      expect(faultsOf({ DATABASE_URL: url })).toEqual([fault]);
      expect(faultsOf({ DATABASE_SYNC_URL: url })).toEqual([fault]);
    }
  });
});
