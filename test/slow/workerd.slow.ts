/**
 * Only for workerd: mail from within requests, hashing that blocks, clients that disconnect, and the client's address.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { outbox } from "../../src/database/schema.ts";
import { buildWorkerd, workerdCommand } from "../elsewhere.ts";
import { openLine } from "../line.ts";
import { type Behaviour, startSmtp } from "../mail/smtp.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { PASSWORD, SECRET } from "../service.ts";
import { type LibsqlServer, serverToken, startPrimary, until } from "../sqld.ts";

const ROOT = join(import.meta.dir, "../..");
const folder = temporaryFolder();
let primary: LibsqlServer;
let environment: Record<string, string>;

beforeAll(async () => {
  buildWorkerd();
  primary = await startPrimary(folder.path);
  const database = await openDatabase(primary.url, { databaseAuthToken: serverToken() });
  await migrate(database);
  database.$client.close();
});
beforeEach(() => {
  environment = {
    DATABASE_URL: primary.url,
    DATABASE_AUTH_TOKEN: serverToken(),
    JWT_SECRET: SECRET,
    SIGN_UPS_PER_HOUR: "0",
    FAILED_LOG_INS_PER_HOUR: "0",
  };
});
afterAll(async () => {
  await primary.kill();
  folder[Symbol.dispose]();
});

let names = 0;
const newName = () => `w-${++names}`;

/** A front that behaves like Cloudflare's, and a network that trusts the tests' mail server. */
function behindFront(): string[] {
  const pem = readFileSync(join(ROOT, "test/mail/localhost.pem"), "utf8");
  writeFileSync(join(folder.path, "ca.pem"), pem.slice(pem.indexOf("-----BEGIN CERTIFICATE")));
  writeFileSync(
    join(folder.path, "front.js"),
    `export default {
      async fetch(request, { todos }) {
        if (new URL(request.url).pathname !== "/cron") {
          return todos.fetch(request, { cf: { colo: "ICN" } });
        }
        const { outcome } = await todos.scheduled({ cron: "* * * * *" });
        return new Response(outcome);
      },
    };`,
  );
  const config = join(folder.path, "front.capnp");
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
    using Service = import "${relative(folder.path, join(ROOT, "build/workerd/config.capnp"))}";
    const config :Workerd.Config = (
      services = [
        (name = "front", worker = .front),
        (name = "todos", worker = Service.todos),
        (name = "internet", network = (
          allow = ["public", "private", "local"],
          tlsOptions = (trustedCertificates = [embed "ca.pem"]),
        )),
      ],
      sockets = [(name = "http", http = (), service = "front")],
    );
    const front :Workerd.Worker = (
      modules = [(name = "front.js", esModule = embed "front.js")],
      compatibilityDate = "2026-11-01",
      compatibilityFlags = ["service_binding_extra_handlers"],
      bindings = [(name = "todos", service = "todos")],
    );`,
  );
  return [...workerdCommand(config), "--experimental"];
}

describe("a mail", () => {
  const withLogIn: Behaviour = {
    authOptional: false,
    onAuth: ({ username, password }, _session, callback) =>
      password === "pass" ? callback(null, { user: username }) : callback(new Error("Wrong")),
  };
  const ways: [string, Behaviour, (url: string) => string, boolean][] = [
    ["plain SMTP", {}, (url) => url, false],
    [
      "STARTTLS",
      { ...withLogIn, disabledCommands: [] },
      (url) => `${url.replace("://", "://ann:pass@")}?requireTLS=true`,
      true,
    ],
    [
      "TLS from the start",
      { ...withLogIn, secure: true },
      (url) => url.replace("://", "://ann:pass@"),
      true,
    ],
  ];
  test.each(ways)("goes out by %s, one after the other", async (_, behaviour, urlOf, secure) => {
    await using smtp = await startSmtp(behaviour);
    environment.MAIL_URL = urlOf(smtp.url);
    await using service = await startProcess(folder.path, environment, behindFront());
    for (let sent = 1; sent <= 3; sent++) {
      const username = newName();
      const json = { username, password: PASSWORD, email: `${username}@example.org` };
      expect((await service.call("POST", "/users/sign-up", { json })).status).toBe(201);
      await until(async () => smtp.received.length === sent);
      expect(smtp.received.at(-1)).toMatchObject({ recipients: [json.email], secure });
    }
  });

  test("does not go to a server whose certificate nobody has signed", async () => {
    await using smtp = await startSmtp({ secure: true });
    environment.MAIL_URL = smtp.url;
    // Without the network of the front, which trusts it.
    await using service = await startProcess(folder.path, environment, workerdCommand());
    const username = newName();
    const json = { username, password: PASSWORD, email: `${username}@example.org` };
    expect((await service.call("POST", "/users/sign-up", { json })).status).toBe(201);
    await service.line(/mail \d+ not sent/);
    expect(smtp.asked).toEqual([]);
    // It also must not stay for the next tests.
    await forgetMails();
  });

  test("goes out by HTTP", async () => {
    const received: unknown[] = [];
    const api = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        received.push(await request.json());
        return Response.json({ id: "1" });
      },
    });
    environment.MAIL_URL = `resend://key?endpoint=${api.url.href}`;
    await using service = await startProcess(folder.path, environment, workerdCommand());
    const username = newName();
    const json = { username, password: PASSWORD, email: `${username}@example.org` };
    expect((await service.call("POST", "/users/sign-up", { json })).status).toBe(201);
    await until(async () => received.length > 0);
    expect(received).toMatchObject([{ to: [json.email] }]);
    await api.stop(true);
  });

  test("that could not be sent at first is sent by cron", async () => {
    await using smtp = await startSmtp();
    environment.MAIL_URL = smtp.url;
    await using service = await startProcess(folder.path, environment, behindFront());
    const { id } = await service.user(newName());
    const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const database = await openDatabase(primary.url, { databaseAuthToken: serverToken() });
    await database.insert(outbox).values({
      user_id: id,
      to: "late@example.org",
      template: "verify_email",
      data: { otp: "123456", language: "en", expires_in: 180 },
      attempts: 1,
      next_attempt_at: at(0),
      expires_at: at(180),
      created_at: at(0),
    });
    database.$client.close();
    expect(smtp.received).toEqual([]);
    expect(await (await fetch(`${service.url}/cron`)).text()).toBe("ok");
    await until(async () => smtp.received.length === 1);
  });
});

test("a flood of log-ins is refused in part, and leaves room for other requests", async () => {
  environment.TRUST_PROXY = "1";
  await using service = await startProcess(folder.path, environment, workerdCommand());
  const { username } = await service.user(newName());
  const start = performance.now();
  const flood = Promise.all(
    Array.from({ length: 150 }, async (_, i) => {
      // Each one from a different network, so that the whole queue is full, and not the part of one network.
      const headers = { "x-forwarded-for": `198.51.${i}.7` };
      const json = { username: `nobody-${i}`, password: PASSWORD };
      const { status } = await service.call("POST", "/users/log-in", { json, headers });
      return status;
    }),
  );
  let isOver = false;
  const ended = flood.then((statuses) => {
    isOver = true;
    return { statuses, ms: performance.now() - start };
  });
  const waits: number[] = [];
  while (!isOver) {
    const asked = performance.now();
    expect((await service.call("GET", "/")).status).toBe(200);
    waits.push(performance.now() - asked);
    await Bun.sleep(5);
  }
  const { statuses, ms } = await ended;
  expect(new Set(statuses)).toEqual(new Set([401, 503]));
  // Otherwise one of them would wait for almost all hashes.
  expect(Math.max(...waits)).toBeLessThan(ms / 4);
  // No place stays taken.
  expect(await service.logIn(username)).toHaveProperty("token");
});

test("until the schema is current, requests are answered 503 from the first one on", async () => {
  await using empty = await startPrimary(folder.path, "empty");
  environment.DATABASE_URL = empty.url;
  await using service = await startProcess(folder.path, environment, workerdCommand());
  const signUp = async () => {
    const json = { username: newName(), password: PASSWORD };
    return (await service.call("POST", "/users/sign-up", { json })).status;
  };
  expect(await Promise.all([signUp(), signUp(), signUp()])).toEqual([503, 503, 503]);
  expect((await service.call("GET", "/health/alive")).status).toBe(200);
  await service.line(/the schema is behind/);

  const database = await openDatabase(empty.url, { databaseAuthToken: serverToken() });
  await migrate(database);
  database.$client.close();
  await until(async () => (await signUp()) === 201);
  await service.line(/the schema is up to date/);
});

test("while the libSQL server stalls, writes are refused in time, and afterwards they happen again", async () => {
  const line = await openLine(primary.port);
  environment.DATABASE_URL = line.url;
  await using service = await startProcess(folder.path, environment, workerdCommand());
  const { token } = await service.user(newName());
  const add = async (contents: string) =>
    (await service.call("POST", "/todos", { token, json: { contents } })).status;
  line.hold();
  const startedAt = performance.now();
  const statuses = await Promise.all(Array.from({ length: 40 }, (_, n) => add(`held ${n}`)));
  expect(statuses).toEqual(Array(40).fill(503));
  // A write waits for 2 s in all. The rest is for a slow machine.
  expect(performance.now() - startedAt).toBeLessThan(6000);
  line.release();
  await until(async () => (await add("after")) === 201);
  const answer = await service.call("GET", "/todos?limit=100", { token });
  const contents = (await answer.json()).todos.map((todo: { contents: string }) => todo.contents);
  expect(contents).toContain("after");
  // Only the four whose turn came were sent. They have happened since.
  expect(contents.length).toBeLessThanOrEqual(1 + 4);
  line.close();
});

describe("a client that goes away", () => {
  test("has its write carried out, and logged", async () => {
    const line = await openLine(primary.port);
    environment.DATABASE_URL = `http://127.0.0.1:${line.port}`;
    await using service = await startProcess(folder.path, environment, workerdCommand());
    const { token } = await service.user(newName());
    line.hold();
    const gone = service.url;
    const aborting = new AbortController();
    const posting = fetch(`${gone}/todos`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ contents: "Written all the same" }),
      signal: aborting.signal,
    });
    await Bun.sleep(300);
    aborting.abort();
    await expect(posting).rejects.toThrow();
    await Bun.sleep(300);
    line.release();
    await service.line(/POST \/todos 201/);
    const { todos } = await (await service.call("GET", "/todos", { token })).json();
    expect(todos).toMatchObject([{ contents: "Written all the same" }]);
    line.close();
  });

  test("while it waits to be hashed, leaves its place to the next", async () => {
    await using service = await startProcess(folder.path, environment, workerdCommand());
    const { username } = await service.user(newName());
    const aborting = new AbortController();
    const leaving = Array.from({ length: 9 }, () =>
      fetch(`${service.url}/users/log-in`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username, password: PASSWORD }),
        signal: aborting.signal,
      }).catch(() => undefined),
    );
    await Bun.sleep(60);
    aborting.abort();
    await Promise.all(leaving);
    const ended = () => service.stdout.filter((each) => /POST \/users\/log-in/.test(each)).length;
    // One of them was the user's own.
    await until(async () => ended() === 1 + leaving.length);
    expect(await service.logIn(username)).toHaveProperty("token");
  });
});

describe("a client's address", () => {
  async function addressOf(service: Awaited<ReturnType<typeof startProcess>>, named: string) {
    const headers = { "cf-connecting-ip": named, "x-forwarded-for": "203.0.113.9" };
    const username = newName();
    const json = { username, password: PASSWORD };
    await service.call("POST", "/users/sign-up", { json });
    const { access_token: token } = await (
      await service.call("POST", "/users/log-in", { json, headers })
    ).json();
    const { sessions } = await (await service.call("GET", "/users/me/sessions", { token })).json();
    return sessions[0].ip;
  }

  test("is the connection's, whatever a client says of itself", async () => {
    await using service = await startProcess(folder.path, environment, workerdCommand());
    expect(await addressOf(service, "198.51.100.7")).toBe("127.0.0.1");
  });

  test("is what the proxy says that is trusted", async () => {
    environment.TRUST_PROXY = "1";
    await using service = await startProcess(folder.path, environment, workerdCommand());
    expect(await addressOf(service, "198.51.100.7")).toBe("203.0.113.9");
  });

  test("is what Cloudflare says, behind Cloudflare", async () => {
    await using service = await startProcess(folder.path, environment, behindFront());
    expect(await addressOf(service, "198.51.100.7")).toBe("198.51.100.7");
    expect(await addressOf(service, "2001:db8::7")).toBe("2001:db8::7");
  });
});

/** Empties the outbox. */
async function forgetMails(): Promise<void> {
  const database = await openDatabase(primary.url, { databaseAuthToken: serverToken() });
  await database.delete(outbox);
  database.$client.close();
}
