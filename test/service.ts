/** Starts the service in this process, on a database file and a port of its own, for tests to call over HTTP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../src/app.ts";
import { readConfig } from "../src/config.ts";
import { migrate } from "../src/database/migrate.ts";
import { createServices, type Services } from "../src/services.ts";

export const PASSWORD = "correct horse battery";
export const SECRET = "a secret of this test run alone, long enough";

export interface CallOptions {
  /** Sent as the bearer token. */
  token?: string;
  /** Sent as JSON. */
  json?: unknown;
  headers?: Record<string, string>;
  body?: BodyInit;
}

export type Service = Awaited<ReturnType<typeof startService>>;

/** @param environment settings beside or in place of the tests' own */
export async function startService(environment: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "todos-"));
  const config = readConfig({
    DATABASE_URL: `file:${join(folder, "todos.db")}`,
    JWT_SECRET: SECRET,
    ...environment,
  });
  let ahead = 0;
  const services: Services = createServices(
    config,
    (request) => server.requestIP(request)?.address ?? null,
    () => Date.now() + ahead,
  );
  await migrate(services.database);
  const trips = countTrips(services);
  const app = createApp(services);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => app.fetch(request),
  });
  const url = server.url.href.replace(/\/$/, "");

  return {
    url,
    config,
    services,
    app,
    folder,
    ...callsTo(url),
    /** Statements and batches sent to the database so far. */
    trips: () => trips.count,
    /** Moves the service's clock on. */
    passSeconds(seconds: number) {
      ahead += seconds * 1000;
    },

    async stop() {
      await server.stop(true);
      services.database.$client.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Requests to the service at `url`, which ends without a slash. */
export function callsTo(url: string) {
  let names = 0;

  const call = (method: string, path: string, options: CallOptions = {}): Promise<Response> => {
    const { token, json, headers, body } = options;
    return fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(json !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body }),
    });
  };

  return {
    call,

    /** A new user, logged in. */
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

/** Counts what goes to the database, at libSQL's own interface. */
function countTrips({ database: { $client: client } }: Services) {
  const trips = { count: 0 };
  for (const method of ["execute", "batch", "transaction", "executeMultiple"] as const) {
    // The overloads of `execute` and `batch` come down to one call with the same arguments.
    const original = client[method].bind(client) as (...args: unknown[]) => Promise<never>;
    client[method] = (...args: unknown[]) => {
      trips.count++;
      return original(...args);
    };
  }
  return trips;
}
