/** The service as a process: how it starts, what it logs, and how it stops. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import Database from "libsql";
import { startSmtp } from "./mail/smtp.ts";
import { launch, type ServiceProcess, startProcess, temporaryFolder } from "./process.ts";
import { type CallOptions, PASSWORD, SECRET } from "./service.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const HOST = "127.0.0.1";
const DATABASE = "data/todos.db";
/** The settings that production requires, except for the secret. */
const PRODUCTION = {
  NODE_ENV: "production",
  MAIL_URL: "smtp://localhost",
  MAIL_FROM: "todos@example.com",
  DRAIN_DELAY: "0",
};

describe("start", () => {
  test("without any setting, makes a database and a secret that outlive the process", async () => {
    using folder = temporaryFolder();
    const first = await startProcess(folder.path);
    await using _ = first;
    expect(new URL(first.url).hostname).toBe("127.0.0.1");
    const { token } = await first.user();
    await first.call("POST", "/todos", { token, json: { contents: "Buy milk" } });
    expect(await first.stop()).toBe(0);

    const secretPath = join(folder.path, "data/jwt-secret");
    expect(statSync(secretPath).mode & 0o777).toBe(0o600);
    const secret = readFileSync(secretPath, "utf8");

    await using second = await startProcess(folder.path);
    const page = await second.call("GET", "/todos", { token });
    expect(page.status).toBe(200);
    expect((await page.json()).todos).toMatchObject([{ id: 1, contents: "Buy milk" }]);
    expect(readFileSync(secretPath, "utf8")).toBe(secret);
  });

  test("deletes expired rows, although nobody writes", async () => {
    using folder = temporaryFolder();
    await using first = await startProcess(folder.path);
    const { token } = await first.user();
    await first.call("POST", "/todos", { token, json: { contents: "Buy milk" } });
    expect((await first.call("DELETE", "/todos/1", { token })).status).toBe(204);
    expect(await first.stop()).toBe(0);

    const database = new Database(join(folder.path, DATABASE));
    database.exec("UPDATE trash SET deleted_at = 0");
    database.close();
    await using second = await startProcess(folder.path);
    const trash = async () => (await second.call("GET", "/trash", { token })).json();
    while ((await trash()).todos.length > 0) await Bun.sleep(20);
  });

  test("in production listens on every address, with the secret that it is given", async () => {
    using folder = temporaryFolder();
    const environment = { ...PRODUCTION, JWT_SECRET: SECRET };
    await using service = await startProcess(folder.path, environment);
    expect(new URL(service.url).hostname).toBe("0.0.0.0");
    expect(existsSync(join(folder.path, "data/jwt-secret"))).toBe(false);
  });

  test("in production warns when no mail can be sent, and serves meanwhile", async () => {
    // It accepts connections, and never sends anything.
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    // `as`: it listens on TCP, so its address is neither null nor a path.
    const { port } = silent.address() as AddressInfo;
    const urls = ["smtp://127.0.0.1:1", `smtp://127.0.0.1:${port}?greetingTimeout=1000`];
    await Promise.all(
      urls.map(async (url) => {
        using folder = temporaryFolder();
        const environment = { ...PRODUCTION, MAIL_URL: url, JWT_SECRET: SECRET };
        await using service = await startProcess(folder.path, environment);
        const isChecked = service.line(/no mail can be sent now/);
        expect((await service.call("GET", "/health/ready")).status).toBe(200);
        const { input } = await isChecked;
        expect(JSON.parse(input)).toMatchObject({
          level: "WARN",
          logger: "todos.mail",
          reason: expect.stringMatching(/^E\w+/),
        });
      }),
    );
    silent.close();
  });

  test("in production says nothing of a mail server that accepts the credentials", async () => {
    using folder = temporaryFolder();
    const hasLeft = Promise.withResolvers<void>();
    await using smtp = await startSmtp({ onClose: () => hasLeft.resolve() });
    const environment = { ...PRODUCTION, MAIL_URL: smtp.url, JWT_SECRET: SECRET };
    await using service = await startProcess(folder.path, environment);
    await hasLeft.promise;
    expect(await service.stop()).toBe(0);
    expect(service.stdout.filter((line) => line.includes("todos.mail"))).toEqual([]);
    expect(smtp.received).toEqual([]);
  });

  const badSettings: [string, Record<string, string>, string[]][] = [
    ["no secret in production", PRODUCTION, ["JWT_SECRET must be set when NODE_ENV is production"]],
    [
      "a short secret",
      { JWT_SECRET: "q".repeat(31) },
      ["JWT_SECRET must be at least 32 bytes long"],
    ],
    [
      "a short secret in production",
      { ...PRODUCTION, JWT_SECRET: "q".repeat(31) },
      ["JWT_SECRET must be at least 32 bytes long"],
    ],
    [
      "everything wrong",
      {
        PORT: "70000",
        DATABASE_URL: "postgres://qqqq",
        JWT_SECRET: "qqqq",
        ACCESS_TOKEN_TTL: "qqqq",
        REFRESH_TOKEN_TTL: "-7",
        REFRESH_LEEWAY: "1.5",
        PASSWORD_MIN_LENGTH: "7",
        CORS_ORIGINS: "*",
        SHUTDOWN_TIMEOUT: "0",
        LOG_FORMAT: "qqqq",
        LOG_LEVEL: "qqqq",
      },
      [
        "PORT must be an integer from 0 to 65535",
        expect.stringMatching(/^DATABASE_URL must be /),
        "JWT_SECRET must be at least 32 bytes long",
        "ACCESS_TOKEN_TTL must be an integer from 1 to 86400",
        "REFRESH_TOKEN_TTL must be an integer from 1 to 31622400",
        "REFRESH_LEEWAY must be an integer from 0 to 60",
        "PASSWORD_MIN_LENGTH must be an integer from 8 to 64",
        "CORS_ORIGINS must be origins separated by commas",
        "SHUTDOWN_TIMEOUT must be an integer from 1 to 300",
        "LOG_FORMAT must be one of json, pretty, auto",
        "LOG_LEVEL must be one of debug, info, warning, error",
      ],
    ],
  ];
  test.each(badSettings)(
    "with %s names every fault at once, and no value",
    async (_, settings, faults) => {
      using folder = temporaryFolder();
      const { stdout, stderr, exitCode } = await failedStart(folder.path, settings);
      expect(stderr).toEqual(faults);
      expect(stderr.join()).not.toMatch(/q{4}|70000|-7|1\.5|\*/);
      expect(stdout).toEqual([]);
      expect(exitCode).toBe(1);
      expect(existsSync(join(folder.path, "data"))).toBe(false);
    },
  );

  test("with its port in use says so, and leaves the database whole", async () => {
    using folder = temporaryFolder();
    await using other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const failed = await failedStart(folder.path, { PORT: String(other.port) });
    expect(failed).toEqual({
      stdout: [],
      stderr: [`Cannot listen on 127.0.0.1:${other.port} (HOST, PORT): the port is in use`],
      exitCode: 1,
    });
    expect(inCopy(folder.path, "SELECT * FROM todos")).toEqual([]);
  });

  test("with a host that is not its own says so", async () => {
    using folder = temporaryFolder();
    const { stdout, stderr, exitCode } = await failedStart(folder.path, { HOST: "999.1.1.1" });
    expect(stderr).toEqual([
      expect.stringMatching(/^Cannot listen on 999\.1\.1\.1:0 \(HOST, PORT\): not an address/),
    ]);
    expect(stdout).toEqual([]);
    expect(exitCode).toBe(1);
  });

  test("that cannot load Argon2 ends soon, and does not wait for the first password", async () => {
    using folder = temporaryFolder();
    const preload = join(folder.path, "preload.ts");
    const plugin = `{ name: "no Argon2", setup: (build) => build.module("@node-rs/argon2", () => { throw new Error("no binary"); }) }`;
    writeFileSync(preload, `Bun.plugin(${plugin});`);
    // On Bun, also when the other tests here run on Deno.
    const main = join(import.meta.dir, "../src/main.bun.ts");
    const command = [process.execPath, "--preload", preload, main];
    await using service = launch(folder.path, {}, command);
    expect(await service.ended).toBe(1);
    expect(JSON.parse(service.stdout.at(-1) ?? "")).toMatchObject({
      level: "FATAL",
      error: { message: "no binary" },
    });
  });

  const notDatabases: [string, (path: string) => void][] = [
    ["a folder", (path) => mkdirSync(path, { recursive: true })],
    ["no database", (path) => writeInFolder(path, "No database, but a text. ".repeat(100))],
    ["in a folder that is a file", (path) => writeFileSync(dirname(path), "")],
    ["of another program", (path) => runSql(path, "CREATE TABLE todos (id)")],
  ];
  test.each(notDatabases)("with a database that is %s names the setting", async (_, spoil) => {
    using folder = temporaryFolder();
    spoil(join(folder.path, DATABASE));
    const { stdout, stderr, exitCode } = await failedStart(folder.path);
    expect(stderr).toEqual([
      expect.stringMatching(/^Cannot .* the database.* \(DATABASE_URL\): ./),
    ]);
    expect(stdout).toEqual([]);
    expect(exitCode).toBe(1);
  });

  test.each([
    ["cut short", (path: string) => writeInFolder(path, "half")],
    ["a folder", (path: string) => mkdirSync(path, { recursive: true })],
  ])("with a kept secret that is %s names the setting", async (_, spoil) => {
    using folder = temporaryFolder();
    spoil(join(folder.path, "data/jwt-secret"));
    const { stdout, stderr, exitCode } = await failedStart(folder.path);
    expect(stderr).toEqual([
      expect.stringMatching(/^Cannot use the secret in data\/jwt-secret \(JWT_SECRET\): ./),
    ]);
    expect(stdout).toEqual([]);
    expect(exitCode).toBe(1);
  });
});

describe("log", () => {
  test("tells of each mail which request and which user it was for", async () => {
    using folder = temporaryFolder();
    await using service = await startProcess(folder.path);
    const { id, token } = await service.user();
    const answer = await service.call("POST", "/users/email/otp", {
      token,
      json: { email: "mina@example.com" },
      headers: { "x-request-id": "the-request-that-sends" },
    });
    expect(answer.status).toBe(202);
    const { input } = await service.line(/mail \d+ sent/);
    expect(JSON.parse(input)).toMatchObject({
      level: "INFO",
      logger: "todos.mail",
      request_id: "the-request-that-sends",
      user_id: id,
      template: "verify_email",
    });
  });

  test("has one JSON line for each request, and nothing that was sent", async () => {
    using folder = temporaryFolder();
    await using service = await startProcess(folder.path, { LOG_LEVEL: "debug" });
    const { requests, secrets } = await walk(service);
    expect(await service.stop()).toBe(0);

    const lines = service.stdout.map((line) => JSON.parse(line));
    const logged = lines.filter((line) => line.logger === "todos.http");
    expect(logged).toEqual(
      requests.map((request) => ({
        "@timestamp": expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        // Otherwise most of the log would be health checks.
        level: request.route?.startsWith("/health/") ? "DEBUG" : "INFO",
        logger: "todos.http",
        message: expect.stringContaining(request.method),
        ms: expect.any(Number),
        ip: HOST,
        ...request,
      })),
    );
    const log = [...service.stdout, ...service.stderr].join("\n");
    expect(secrets.filter((secret) => log.includes(secret))).toEqual([]);

    const security = lines.filter((line) => line.logger === "todos.security");
    expect(security).toMatchObject([
      { level: "WARN", event: "password_changed", ip: HOST, user_id: 1 },
    ]);
    for (const { request_id } of security) {
      expect(requests.map((request) => request.request_id)).toContain(request_id);
    }
  });

  test("tells of a failed statement without its values", async () => {
    using folder = temporaryFolder();
    await using service = await startProcess(folder.path);
    const { token } = await service.user();
    const path = join(folder.path, DATABASE);
    runSql(path, "ALTER TABLE todos RENAME TO t; ALTER TABLE users RENAME TO u");
    const headers = { "x-request-id": "failing" };
    const json = { contents: "A secret plan" };
    const added = await service.call("POST", "/todos", { token, headers, json });
    expect(added.status).toBe(500);
    const newcomer = { username: "newcomer", password: PASSWORD };
    const signedUp = await service.call("POST", "/users/sign-up", { json: newcomer });
    expect(signedUp.status).toBe(500);
    await service.stop();

    const log = service.stdout.join("\n");
    const lines = service.stdout.map((line) => JSON.parse(line));
    // Not the warnings: the upkeep fails too.
    const errors = lines.filter(({ level }) => level === "ERROR");
    expect(errors).toHaveLength(2);
    expect(errors[0]).toMatchObject({
      level: "ERROR",
      request_id: "failing",
      route: "/todos",
      code: "internal_error",
      error: {
        name: expect.any(String),
        message: expect.stringMatching(/^Failed statement: .*"sessions"/),
        stack: expect.stringContaining("src/todos/routes.ts"),
        cause: { code: "SQLITE_ERROR", message: expect.stringContaining("no such table") },
      },
    });
    expect(log).not.toContain(json.contents);
    expect(log).not.toContain(newcomer.username);
    expect(log).not.toContain("$argon2");
  });

  test("is readable with LOG_FORMAT=pretty, and has colors on a terminal alone", async () => {
    using folder = temporaryFolder();
    await using service = await startProcess(folder.path, { LOG_FORMAT: "pretty" });
    const { token } = await service.user();
    await service.call("GET", "/todos/7", { token, headers: { "x-request-id": "trace-7" } });
    await service.call("GET", "/health/alive");
    await service.stop();
    expect(service.stdout).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}todos: listening on http:/),
      expect.stringContaining("todos.http: POST /users/sign-up 201 in "),
      expect.stringContaining("todos.http: POST /users/log-in 200 in "),
      expect.stringMatching(/ todos\.http: GET \/todos\/:id 404 in [\d.]+ ms trace-7$/),
      expect.stringMatching(/ todos: SIGTERM: draining$/),
      expect.stringMatching(/ todos: stopped$/),
    ]);
  });
});

describe("stop", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "on %s lets a request in flight finish, and refuses new ones",
    async (signal) => {
      using folder = temporaryFolder();
      await using service = await startProcess(folder.path);
      const { token } = await service.user();
      const slow = await beginTodo(service.port, token, "In flight");
      service.kill(signal);
      await service.line(/draining/);

      expect((await service.call("GET", "/health/alive")).status).toBe(200);
      for (const path of ["/health/ready", "/", "/todos", "/no/such/path"]) {
        const refused = await service.call("GET", path, { token });
        expect(refused.status).toBe(503);
        expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
        expect(await refused.json()).toMatchObject({ code: "unavailable" });
      }

      const answer = await slow.finish();
      expect(answer).toStartWith("HTTP/1.1 201 Created\r\n");
      expect(answer).toContain('"contents":"In flight"');
      expect(await service.ended).toBe(0);
      expect(service.stderr).toEqual([]);
      expect(inCopy(folder.path, "SELECT contents FROM todos")).toEqual([
        { contents: "In flight" },
      ]);
    },
  );

  test("is not put off by a connection that is kept open without a request", async () => {
    using folder = temporaryFolder();
    // Longer than this test may run.
    await using service = await startProcess(folder.path, { SHUTDOWN_TIMEOUT: "300" });
    const [used, unused] = [connect(service.port, HOST), connect(service.port, HOST)];
    const answered = new Promise((resolve) => used.once("data", resolve));
    const connected = new Promise((resolve) => unused.once("connect", resolve));
    used.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await Promise.all([answered, connected]);
    expect(await service.stop()).toBe(0);
    used.destroy();
    unused.destroy();
  });

  test("cuts a request that does not finish within SHUTDOWN_TIMEOUT seconds", async () => {
    using folder = temporaryFolder();
    await using service = await startProcess(folder.path, { SHUTDOWN_TIMEOUT: "1" });
    const { token } = await service.user();
    await service.call("POST", "/todos", { token, json: { contents: "Before" } });
    const endless = await beginTodo(service.port, token, "Never");
    expect(await service.stop()).toBe(0);
    expect(await endless.closed).toBe("");
    expect(inCopy(folder.path, "SELECT contents FROM todos")).toEqual([{ contents: "Before" }]);
  });

  test("is not disturbed by more signals", async () => {
    using folder = temporaryFolder();
    await using service = await startProcess(folder.path);
    const { token } = await service.user();
    const slow = await beginTodo(service.port, token, "In flight");
    for (const signal of ["SIGTERM", "SIGTERM", "SIGINT"] as const) {
      service.kill(signal);
      await service.line(/draining/);
      // This request is answered after the signal, so the signal has not ended the process.
      expect((await service.call("GET", "/health/alive")).status).toBe(200);
    }
    expect(await slow.finish()).toStartWith("HTTP/1.1 201 Created\r\n");
    expect(await service.ended).toBe(0);
    expect(service.stdout.filter((line) => line.includes("draining"))).toHaveLength(1);
    expect(inCopy(folder.path, "SELECT contents FROM todos")).toHaveLength(1);
  });
});

async function failedStart(folder: string, environment?: Record<string, string>) {
  await using service = launch(folder, environment);
  const exitCode = await service.ended;
  const { stdout, stderr } = service;
  return { stdout, stderr, exitCode };
}

function writeInFolder(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function runSql(path: string, sql: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const database = new Database(path);
  // A service that has just started may be deleting expired rows.
  database.exec(`PRAGMA busy_timeout=5000; ${sql}`);
  database.close();
}

/** The result of `sql` in a copy of the database file alone, without the files that SQLite keeps beside it. */
function inCopy(folder: string, sql: string): unknown[] {
  const copy = join(folder, "copy.db");
  copyFileSync(join(folder, DATABASE), copy);
  const database = new Database(copy);
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** A POST /todos that the service has begun to answer. Its body ends when `finish` is called. */
async function beginTodo(port: number, token: string, contents: string) {
  const body = JSON.stringify({ contents });
  const socket = connect(port, HOST);
  const begun = Promise.withResolvers<void>();
  let received = "";
  socket.on("data", (data) => {
    received += data;
    const interim = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!received.startsWith(interim)) return;
    received = received.slice(interim.length);
    begun.resolve();
  });
  /** Everything that arrives after the interim answer, when the connection is closed, also by an error. */
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(received)));
  socket.on("error", begun.reject);
  const head = [
    "POST /todos HTTP/1.1",
    "Host: localhost",
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    // The interim answer shows that the head has arrived (RFC 9110 §10.1.1).
    "Expect: 100-continue",
    "Connection: close",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  await begun.promise;
  socket.write(body.slice(0, 5));
  return {
    closed,
    finish() {
      socket.write(body.slice(5));
      return closed;
    },
  };
}

interface LoggedRequest {
  request_id: string;
  method: string;
  route: string | null;
  status: number;
  user_id: number | null;
}

/** Sends every kind of request. Returns the lines that the log should have, and the texts that it must not have. */
async function walk(service: ServiceProcess) {
  const requests: LoggedRequest[] = [];
  const agent = "agent-secret";
  const contents = "contents-secret";
  const username = "name-secret";
  const password = "password-secret";
  const new_password = "another-pass-word";
  const secrets = [
    agent,
    contents,
    username,
    password,
    new_password,
    "query-secret",
    "path-secret",
  ];
  let user_id: number | null = null;

  async function send(
    [method, path, route = path]: [string, string, (string | null)?],
    status: number,
    { headers, ...options }: CallOptions = {},
  ) {
    const request_id = `walk-${requests.length}`;
    const response = await service.call(method, path, {
      ...options,
      headers: { "x-request-id": request_id, "user-agent": agent, ...headers },
    });
    const body = await response.text();
    expect([path, response.status]).toEqual([path, status]);
    // The user is known after the token is verified, whatever happens later.
    const isUsers = options.token !== undefined && status !== 401;
    requests.push({ request_id, method, route, status, user_id: isUsers ? user_id : null });
    return body.startsWith("{") ? JSON.parse(body) : undefined;
  }

  await send(["GET", "/"], 200);
  await send(["HEAD", "/"], 200);
  await send(["OPTIONS", "/todos"], 204);
  await send(["GET", "/health/alive"], 200);
  await send(["GET", "/health/ready"], 200);
  await send(["GET", "/path-secret", null], 404);
  await send(["PUT", "/todos"], 405);

  const user = { username, password };
  user_id = (await send(["POST", "/users/sign-up"], 201, { json: user })).id;
  await send(["POST", "/users/sign-up"], 409, { json: user });
  await send(["POST", "/users/sign-up"], 422, { json: { ...user, password: username } });
  await send(["POST", "/users/log-in"], 401, { json: { ...user, password: new_password } });
  const tokens = await send(["POST", "/users/log-in"], 200, { json: user });
  const json = { refresh_token: tokens.refresh_token };
  const refreshed = await send(["POST", "/users/refresh"], 200, { json });
  await send(["POST", "/users/refresh"], 401, { json: { refresh_token: "path-secret" } });
  const form = (fields: Record<string, string>) => ({ body: new URLSearchParams(fields) });
  const granted = await send(["POST", "/token"], 200, form(user));
  await send(["POST", "/token"], 400, form({ username, password: new_password }));
  for (const { access_token, refresh_token } of [tokens, refreshed, granted]) {
    // All tokens begin with the same header, which is public.
    secrets.push(...`${access_token}.${refresh_token}`.split(".").slice(1));
  }

  const token: string = refreshed.access_token;
  await send(["GET", "/users/me"], 200, { token });
  await send(["GET", "/users/me/sessions"], 200, { token });
  await send(["GET", "/users/me"], 401, { token: "path-secret" });
  await send(["GET", `/todos?access_token=${token}`, "/todos"], 401);
  await send(["GET", "/todos?query-secret=query-secret", "/todos"], 422, { token });
  await send(["GET", "/todos/path-secret", "/todos/:id"], 404, { token });
  const todo = await send(["POST", "/todos"], 201, { token, json: { contents } });
  const itself = (method: string): [string, string, string] => [
    method,
    `/todos/${todo.id}`,
    "/todos/:id",
  ];
  await send(["GET", "/todos"], 200, { token });
  await send(itself("GET"), 200, { token });
  await send(itself("PATCH"), 200, { token, json: { is_done: true } });
  await send(itself("PATCH"), 422, { token, json: { [contents]: contents } });
  await send(itself("DELETE"), 204, { token });

  const asJson = { "content-type": "application/json" };
  const malformed = `{"contents": ${contents}`;
  // The form of the body is checked before the credentials, so no user is known at that time.
  const formError = requests.length;
  await send(["POST", "/todos"], 400, { token, headers: asJson, body: malformed });
  await send(["POST", "/todos"], 415, {
    token,
    headers: { "content-type": "text/plain" },
    body: contents,
  });
  await send(["POST", "/todos"], 413, { token, headers: asJson, body: contents.repeat(9999) });
  for (const request of requests.slice(formError)) request.user_id = null;

  const change = { current_password: password, new_password };
  await send(["PUT", "/users/me/password"], 403, {
    token,
    json: { current_password: "path-secret", new_password },
  });
  await send(["PUT", "/users/me/password"], 200, { token, json: change });
  await send(["DELETE", "/users/me/sessions/path-secret", "/users/me/sessions/:id"], 404, {
    token,
  });
  await send(["DELETE", "/users/me"], 403, { token, json: { password } });
  await send(["POST", "/users/log-out"], 204, { token });
  return { requests, secrets };
}
