/** Starts the service in this process, with its own database file and port. The tests call it over HTTP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../src/app.ts";
import { readConfig } from "../src/config.ts";
import { migrate } from "../src/database/migrate.ts";
import { createServices, type Services } from "../src/services.ts";
import { nativePlatform } from "../src/start/platform.ts";
import { withResolvedUrl } from "../src/start/request-url.ts";
import { type Received, startSmtp } from "./mail/smtp.ts";

export const PASSWORD = "correct horse battery";
export const SECRET = "a secret of this test run alone, long enough";

/** Argon2 parameters that cost almost nothing. These tests are not about the protection of hashes. */
const CHEAP = { memoryCost: 64, timeCost: 1, parallelism: 1 };

/** All tests come from one network, which would soon reach its limits and use up its places in the queue for hashes. */
const UNLIMITED = {
  FAILED_LOG_INS_PER_HOUR: "0",
  SIGN_UPS_PER_HOUR: "0",
  MAILS_PER_HOUR: "0",
  HASH_CONCURRENCY: "128",
};

export interface CallOptions {
  /** Sent as the bearer token. */
  token?: string;
  /** Sent as JSON. */
  json?: unknown;
  headers?: Record<string, string>;
  body?: BodyInit;
}

export type Service = Awaited<ReturnType<typeof startService>>;

/** Where the service runs, if it does not run in this process; see `elsewhere.ts`. */
const TARGET = process.env.TODOS_TARGET;
/** How often a request is sent again to a service elsewhere, as long as the answer is 503. */
const ATTEMPTS = 3;
/** Whether the data of a service in this process is on a libSQL server; see `slow/on-server.slow.ts`. */
const ON_SERVER = process.env.TODOS_ON_SERVER;

/**
 * Its mails go to a real SMTP server, unless `MAIL_URL` names another place.
 * @param environment settings that add to the tests' own settings or replace them
 * @param mailDelay milliseconds until a mail is due; with a clock that stands still, there must be no delay
 */
export async function startService(
  environment: Record<string, string> = {},
  argon2Parameters = CHEAP,
  mailDelay = () => 0,
) {
  const folder = mkdtempSync(join(tmpdir(), "todos-"));
  const mailbox = await startSmtp();
  const primary = ON_SERVER ? await (await import("./sqld.ts")).startPrimary(folder) : undefined;
  const settings = {
    JWT_SECRET: SECRET,
    MAIL_URL: mailbox.url,
    ...UNLIMITED,
    ...(primary && { DATABASE_URL: primary.url, DATABASE_AUTH_TOKEN: primary.token }),
    ...environment,
  };
  const elsewhere = TARGET
    ? await (await import("./elsewhere.ts")).startElsewhere(TARGET, settings)
    : undefined;
  const config = readConfig({
    DATABASE_URL: `file:${join(folder, "todos.db")}`,
    ...settings,
    ...elsewhere?.inspect,
  });
  let ahead = 0;
  let stoppedAt: number | undefined;
  let perReading = 0;
  const clock = () => {
    ahead += perReading;
    return (stoppedAt ?? Date.now()) + ahead;
  };
  const metrics =
    config.metricsPort === undefined
      ? undefined
      : (await import("../src/telemetry/metrics.ts")).createMetrics();
  const traces =
    config.otlpEndpoint === undefined
      ? undefined
      : (await import("../src/telemetry/traces.ts")).createTraces(config.otlpEndpoint, config);
  const services: Services = await createServices(
    config,
    nativePlatform(
      (request) => server.requestIP(request)?.address ?? null,
      (request) => server.timeout(request, 0),
    ),
    {
      clock,
      argon2Parameters,
      mailDelay,
      meter: metrics?.meter,
      tracer: traces?.tracer,
    },
  );
  metrics?.watch(services);
  await migrate(services.database);
  // Otherwise the first request would look, which would be one round trip more.
  await services.schema.look();
  const trips = countTrips(services);
  const app = createApp(services);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => app.fetch(withResolvedUrl(request)),
  });
  const url = elsewhere?.url ?? server.url.href.replace(/\/$/, "");
  const here = <T>(value: T): T => {
    if (elsewhere) throw new Error("Only for a service in this process");
    return value;
  };

  return {
    url,
    config,
    services,
    app,
    folder,
    ...callsTo(url),
    /** The port for metrics answers here, if METRICS_PORT is set. */
    metrics,
    /**
     * Statements and batches that were sent to the database so far. They are counted at its client or, for a service
     * elsewhere, on the network.
     */
    trips: () => elsewhere?.trips?.() ?? here(trips.count),
    /** Moves the service's clock forward. */
    passSeconds(seconds: number) {
      ahead += Math.round(here(seconds * 1000));
    },
    /** From now on the service's clock only moves when a test moves it, so a test can rely on exact seconds. */
    stopClock() {
      stoppedAt ??= here(Date.now());
    },
    /** From now on the service's clock also moves by so many milliseconds each time when the service reads it. */
    moveClockAtEachReading(milliseconds: number) {
      perReading = here(milliseconds);
    },

    ...mailsIn(mailbox.received, services),

    async stop() {
      await server.stop(true);
      metrics?.stop();
      await traces?.stop();
      await elsewhere?.stop();
      await services.outbox.stop();
      await services.removal.stop();
      await mailbox[Symbol.asyncDispose]();
      services.database.$client.close();
      await primary?.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The mails that the service has sent. Each can be taken once. */
function mailsIn(received: Received[], { database }: Services) {
  const mailbox = {
    /** Every mail that was not taken yet, when none is waiting to be sent. */
    async mails(): Promise<Received[]> {
      // So no mail is sent again when the clock moves beyond the end of its claim.
      while ((await database.$client.execute("SELECT 1 FROM outbox")).rows.length > 0) {
        await Bun.sleep(2);
      }
      return received;
    },

    /** The next mail to `address`, now or later. */
    async nextMail(address: string) {
      for (;;) {
        const mails = await mailbox.mails();
        const index = mails.findIndex(({ recipients }) => recipients.includes(address));
        const [mail] = index === -1 ? [] : mails.splice(index, 1);
        if (mail) return mail.email;
        await Bun.sleep(2);
      }
    },

    /** The six digits, or the reset code, in the next mail to `address`. */
    async nextOtp(address: string): Promise<string> {
      const { text } = await mailbox.nextMail(address);
      const [, otp] = /^ +(\d{6}|\w{5}-\w{5}-\w{3})$/m.exec(text ?? "") ?? [];
      if (otp === undefined) throw new Error(`No code in: ${text}`);
      return otp;
    },
  };
  return mailbox;
}

/** Requests to the service at `url`. The URL has no slash at the end. */
export function callsTo(url: string) {
  let names = 0;

  const send = (method: string, path: string, options: CallOptions): Promise<Response> => {
    const { token, json, headers, body } = options;
    return fetch(`${url}${path}`, {
      method,
      redirect: "manual",
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(json !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body }),
    });
  };

  async function call(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    let answer = await send(method, path, options);
    // The machine also runs other tests. When a server does not answer the service in time, the service says 503.
    for (let left = TARGET ? ATTEMPTS : 0; left > 0 && answer.status === 503; left--) {
      await Bun.sleep(Number(answer.headers.get("retry-after")) * 1000);
      answer = await send(method, path, options);
    }
    return answer;
  }

  return {
    call,

    /** A new user, who is logged in. */
    async user(username = `user-${++names}`) {
      const json = { username, password: PASSWORD };
      const signedUp = await call("POST", "/users/sign-up", { json });
      if (signedUp.status !== 201) throw new Error(`sign-up: ${signedUp.status}`);
      const { id } = await signedUp.json();
      return { id, username, ...(await this.logIn(username)) };
    },

    async logIn(username: string, password = PASSWORD) {
      const loggedIn = await call("POST", "/users/log-in", { json: { username, password } });
      if (loggedIn.status !== 200) throw new Error(`log-in: ${loggedIn.status}`);
      const { access_token, refresh_token } = await loggedIn.json();
      return { token: access_token as string, refresh_token: refresh_token as string };
    },
  };
}

/**
 * Counts the calls of libSQL's own interface. The work of the outbox is not counted, because it does not belong to the
 * answers.
 */
function countTrips({ database: { $client: client } }: Services) {
  const trips = { count: 0 };
  for (const method of ["execute", "batch", "transaction", "executeMultiple"] as const) {
    // The overloads of `execute` and `batch` lead to one call with the same arguments.
    const original = client[method].bind(client) as (...args: unknown[]) => Promise<never>;
    client[method] = (...args: unknown[]) => {
      if (!/"sql":"(update|delete from) \\"outbox\\"/.test(JSON.stringify(args))) trips.count++;
      return original(...args);
    };
  }
  return trips;
}
