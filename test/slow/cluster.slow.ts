/** A libSQL primary with replicas, and a service on each: the promises while everything works, and while parts fail. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { denoTask } from "../elsewhere.ts";
import { openLine } from "../line.ts";
import { launch, type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { PASSWORD, SECRET } from "../service.ts";
import { type LibsqlServer, serverToken, startPrimary, startReplica, until } from "../sqld.ts";

const ROOT = join(import.meta.dir, "../..");
const BUN = [process.execPath, join(ROOT, "src/main.bun.ts")];

/** Milliseconds within which every request is answered, whatever has failed. */
const BOUND = 5000;
/** Seconds for which the two services that may do so answer from their replicas. */
const STALE_READS = 8;

const folder = temporaryFolder();
const token = serverToken();

let primary: LibsqlServer;
let replica: Awaited<ReturnType<typeof startReplica>>;
let other: Awaited<ReturnType<typeof startReplica>>;
/** The lines from a service to the primary, and from a replica to it. */
let lineToPrimary: Awaited<ReturnType<typeof openLine>>;
let lineOfReplica: Awaited<ReturnType<typeof openLine>>;

/** On the primary, on a replica, on another replica (on Deno), and on an embedded replica. */
let onPrimary: ServiceProcess;
let onReplica: ServiceProcess;
let onOther: ServiceProcess;
let onEmbedded: ServiceProcess;
let all: ServiceProcess[];

beforeAll(async () => {
  primary = await startPrimary(folder.path);
  lineToPrimary = await openLine(primary.port);
  lineOfReplica = await openLine(primary.grpc);
  replica = await startReplica(folder.path, "replica", lineOfReplica.port);
  other = await startReplica(folder.path, "other", primary.grpc);
  const database = await openDatabase(primary.url, { databaseAuthToken: token });
  await migrate(database);
  database.$client.close();
  onPrimary = await startOn(`http://127.0.0.1:${lineToPrimary.port}`);
  onReplica = await startOn(replica.url, { DATABASE_STALE_READS: String(STALE_READS) });
  onOther = await startOn(other.url, {}, denoTask("start:edge"));
  onEmbedded = await startOn("file:embedded.db", {
    DATABASE_SYNC_URL: primary.url,
    DATABASE_SYNC_INTERVAL: "1",
    DATABASE_STALE_READS: String(STALE_READS),
  });
  all = [onPrimary, onReplica, onOther, onEmbedded];
}, 60_000);

afterAll(async () => {
  for (const service of all) await service[Symbol.asyncDispose]();
  lineToPrimary.close();
  lineOfReplica.close();
  await replica.kill();
  await other.kill();
  await primary.kill();
  folder[Symbol.dispose]();
});

const settings = { JWT_SECRET: SECRET, DATABASE_AUTH_TOKEN: token, NO_COLOR: "1" };

function startOn(url: string, more: Record<string, string> = {}, command = BUN) {
  return startProcess(folder.path, { ...settings, DATABASE_URL: url, ...more }, command);
}

/** A request: the status, body and `Retry-After` of its answer, and its time in milliseconds. */
async function timed(service: ServiceProcess, ...request: Parameters<ServiceProcess["call"]>) {
  const startedAt = performance.now();
  const answer = await service.call(...request);
  const body = await answer.text();
  const took = performance.now() - startedAt;
  return { status: answer.status, body, took, retryAfter: answer.headers.get("retry-after") };
}

function expectUnavailable({ status, body, took, retryAfter }: Awaited<ReturnType<typeof timed>>) {
  expect([status, JSON.parse(body).code]).toEqual([503, "unavailable"]);
  expect(retryAfter).toMatch(/^\d+$/);
  expect(took).toBeLessThan(BOUND);
}

const add = (service: ServiceProcess, token: string, contents: string) =>
  timed(service, "POST", "/todos", { token, json: { contents } });
const list = (service: ServiceProcess, token: string) =>
  timed(service, "GET", "/todos?limit=100", { token });
const readiness = async (service: ServiceProcess) =>
  (await timed(service, "GET", "/health/ready")).status;

const areReady = async () => (await Promise.all(all.map(readiness))).every((is) => is === 200);

async function expectAlive() {
  for (const service of all) {
    expect((await timed(service, "GET", "/health/alive")).status).toBe(200);
  }
}

/**
 * Every kind of write. Each must be refused in time. It may happen later, when its bytes arrive at last: then the user is
 * logged out, or even deleted.
 */
async function expectNoWrites(service: ServiceProcess, user: { token: string; username: string }) {
  const { token, username } = user;
  const answers = await Promise.all([
    add(service, token, "x"),
    timed(service, "PATCH", "/todos/1", { token, json: { is_done: true } }),
    timed(service, "DELETE", "/todos/1", { token }),
    timed(service, "POST", "/users/sign-up", { json: { username: "new", password: PASSWORD } }),
    timed(service, "POST", "/users/log-in", { json: { username, password: PASSWORD } }),
    timed(service, "POST", "/users/log-out", { token }),
    timed(service, "DELETE", "/users/me", { token, json: { password: PASSWORD } }),
  ]);
  for (const answer of answers) expectUnavailable(answer);
}

/**
 * Adds todos to every service without pause, until `stop` is called. It returns the acknowledged todos, and all other
 * answers.
 */
function writeEverywhere(token: string) {
  let isStopped = false;
  const acknowledged: string[] = [];
  const others: Awaited<ReturnType<typeof timed>>[] = [];
  const writers = all.map(async (service, i) => {
    for (let n = 0; !isStopped; n++) {
      const contents = `${i}-${n}`;
      const answer = await add(service, token, contents);
      if (answer.status === 201) acknowledged.push(contents);
      else others.push(answer);
    }
  });
  async function stop() {
    isStopped = true;
    await Promise.all(writers);
    return others;
  }
  return {
    acknowledged,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

async function everyTodo(service: ServiceProcess, token: string): Promise<string[]> {
  const contents: string[] = [];
  let path: string | undefined = "/todos?limit=100";
  while (path) {
    const page = await service.call("GET", path, { token });
    const { todos, next_cursor } = await page.json();
    contents.push(...todos.map((todo: { contents: string }) => todo.contents));
    path = next_cursor ? `/todos?limit=100&cursor=${next_cursor}` : undefined;
  }
  return contents;
}

describe("while all is well", () => {
  test("what is written on one node is read on every other at once", async () => {
    const { token } = await onPrimary.user("reader");
    for (let round = 0; round < 10; round++) {
      for (const writer of all) {
        const contents = `${round}-${all.indexOf(writer)}`;
        expect((await add(writer, token, contents)).status).toBe(201);
        const pages = await Promise.all(all.map((reader) => list(reader, token)));
        for (const { body } of pages) expect(body).toContain(contents);
      }
    }
  });

  test("a log-out on one node is a log-out on all", async () => {
    const { username } = await onPrimary.user("leaver");
    for (let round = 0; round < 10; round++) {
      for (const node of all) {
        const { token, refresh_token } = await node.logIn(username);
        for (const each of all) expect((await list(each, token)).status).toBe(200);
        expect((await timed(node, "POST", "/users/log-out", { token })).status).toBe(204);
        const answers = await Promise.all(all.map((each) => list(each, token)));
        expect(answers.map(({ status }) => status)).toEqual(all.map(() => 401));
        const json = { refresh_token };
        for (const each of all) {
          expect((await timed(each, "POST", "/users/refresh", { json })).status).toBe(401);
        }
      }
    }
  });

  test("a name is taken on every node, however it is written", async () => {
    await onReplica.user("taken");
    for (const node of all) {
      const json = { username: "TAKEN", password: PASSWORD };
      expect((await timed(node, "POST", "/users/sign-up", { json })).status).toBe(409);
    }
    const json = { username: "wanted", password: PASSWORD };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        timed(all[i % all.length] ?? onPrimary, "POST", "/users/sign-up", { json }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(409)]);
  });

  test("of parallel refreshes on all nodes there is one lineage", async () => {
    const { refresh_token } = await onPrimary.user("refresher");
    const answers = await Promise.all(
      all.map((node) => timed(node, "POST", "/users/refresh", { json: { refresh_token } })),
    );
    const successors = new Set(answers.map(({ body }) => JSON.parse(body).refresh_token));
    expect(answers.map(({ status }) => status)).toEqual(all.map(() => 200));
    expect(successors.size).toBe(1);
  });
});

describe("while it breaks", () => {
  let user: Awaited<ReturnType<ServiceProcess["user"]>>;
  let leaver: typeof user;
  beforeAll(async () => {
    user = await onPrimary.user("keeper");
    leaver = await onPrimary.user("refused");
    await add(onPrimary, user.token, "kept");
    // The embedded replica is up to date when it could answer by itself.
    await Bun.sleep(2500);
  });
  afterEach(() => until(areReady, 10), 15_000);

  test("the primary is killed and comes back: no acknowledged write is missing", async () => {
    await using writers = writeEverywhere(user.token);
    await until(async () => writers.acknowledged.length > 100);
    await primary.kill();
    const before = writers.acknowledged.length;

    const reads = await Promise.all(all.map((node) => list(node, user.token)));
    for (const { took } of reads) expect(took).toBeLessThan(BOUND);
    // A service with a replica that may answer for a while does so. The others answer 503.
    expect(reads.map(({ status }) => status)).toEqual([503, 200, 503, 200]);
    for (const node of all) await expectAlive().then(() => expectNoWrites(node, leaver));
    expect(await Promise.all(all.map(readiness))).toEqual([503, 503, 503, 503]);

    // Not forever: a session may have ended on another node.
    await until(async () => (await list(onReplica, user.token)).status === 503, STALE_READS + 5);
    await until(async () => (await list(onEmbedded, user.token)).status === 503, STALE_READS + 5);

    await primary.restart();
    await until(areReady, 10);
    await until(async () => writers.acknowledged.length > before + 20, 10);
    const others = await writers.stop();
    others.forEach(expectUnavailable);
    expect(others.length).toBeGreaterThan(0);
    const present = new Set(await everyTodo(onOther, user.token));
    expect(writers.acknowledged.filter((contents) => !present.has(contents))).toEqual([]);
  }, 90_000);

  test("a replica is killed and comes back: the other nodes notice nothing", async () => {
    await replica.kill();
    expectUnavailable(await list(onReplica, user.token));
    await expectNoWrites(onReplica, leaver);
    expect(await readiness(onReplica)).toBe(503);
    await expectAlive();
    for (const node of [onPrimary, onOther, onEmbedded]) {
      expect((await add(node, user.token, "meanwhile")).status).toBe(201);
      expect((await list(node, user.token)).status).toBe(200);
      expect(await readiness(node)).toBe(200);
    }
    await replica.restart();
    await until(async () => (await add(onReplica, user.token, "back")).status === 201, 10);
  }, 60_000);

  test("the line to the primary stalls: its service says so in time, and the others go on", async () => {
    lineToPrimary.hold();
    expectUnavailable(await list(onPrimary, user.token));
    await expectNoWrites(onPrimary, leaver);
    expect(await readiness(onPrimary)).toBe(503);
    await expectAlive();
    for (const node of [onReplica, onOther, onEmbedded]) {
      expect((await add(node, user.token, "meanwhile")).status).toBe(201);
    }
    // More requests than any connection pool has connections: none may have to wait for the time-outs of others.
    const many = await Promise.all(Array.from({ length: 100 }, () => list(onPrimary, user.token)));
    many.forEach(expectUnavailable);
    lineToPrimary.release();
    await until(async () => (await add(onPrimary, user.token, "back")).status === 201, 10);
  }, 60_000);

  test("the line between a replica and its primary stalls: it is read from, and not written to", async () => {
    expect((await list(onReplica, user.token)).status).toBe(200);
    lineOfReplica.hold();
    const page = await list(onReplica, user.token);
    expect([page.status, page.body]).toEqual([200, expect.stringContaining("kept")]);
    expect(page.took).toBeLessThan(BOUND);
    // A session that this replica does not know yet. It may be live, so the answer must not say that it has ended.
    const { token } = await onPrimary.logIn(user.username);
    expectUnavailable(await list(onReplica, token));
    await expectNoWrites(onReplica, leaver);
    expect(await readiness(onReplica)).toBe(503);
    await expectAlive();
    lineOfReplica.release();
    await until(async () => (await add(onReplica, user.token, "back")).status === 201, 10);
    expect((await list(onReplica, token)).status).toBe(200);
  }, 60_000);
});

describe("what the log says", () => {
  test.each([
    ["unauthorized", "a token that has expired", serverToken({ a: "rw", exp: 1 })],
    ["unauthorized", "a token for reading alone", serverToken({ a: "ro" })],
    ["unauthorized", "no token", ""],
  ])("is %s with %s", async (outage, _what, databaseToken) => {
    await using service = await startOn(primary.url, { DATABASE_AUTH_TOKEN: databaseToken });
    const json = { username: "someone", password: PASSWORD };
    expectUnavailable(await timed(service, "POST", "/users/sign-up", { json }));
    expect(await readiness(service)).toBe(503);
    await service.line(new RegExp(`the database cannot answer: ${outage}`));
  });

  test("is unreachable when nobody listens there", async () => {
    await using service = await startOn("http://127.0.0.1:1");
    expect(await readiness(service)).toBe(503);
    await service.line(/the database cannot answer: unreachable/);
  });
});

describe("migrations", () => {
  let empty: LibsqlServer;
  beforeAll(async () => {
    empty = await startPrimary(folder.path, "empty");
  });
  afterAll(() => empty.kill());

  const MIGRATE = [...BUN, "migrate"];
  const runMigrate = () => launch(folder.path, { ...settings, DATABASE_URL: empty.url }, MIGRATE);

  test("are waited for: not ready until they are applied, and the log says why", async () => {
    await using service = await startOn(empty.url);
    expect(await readiness(service)).toBe(503);
    await service.line(/the schema is behind/);
    // Two deployments at the same time, and a service that does it at its start.
    const runs = [runMigrate(), runMigrate(), runMigrate()];
    await using another = await startOn(empty.url, { MIGRATE_ON_START: "true" });
    expect(await Promise.all(runs.map(({ ended }) => ended))).toEqual([0, 0, 0]);
    expect(await readiness(another)).toBe(200);
    expect(await readiness(service)).toBe(200);
    await service.user("first");
  }, 60_000);

  test("again there is nothing to do", async () => {
    const run = runMigrate();
    expect(await run.ended).toBe(0);
    expect(run.stdout).toEqual(["The schema is up to date."]);
  });

  test("on a server that is not there fail with a line", async () => {
    const environment = { ...settings, DATABASE_URL: "http://127.0.0.1:1" };
    const run = launch(folder.path, environment, MIGRATE);
    expect(await run.ended).toBe(1);
    expect(run.stderr).toEqual([expect.stringMatching(/^Cannot bring .* \(DATABASE_URL\): ./)]);
  });
});
