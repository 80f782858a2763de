/**
 * Replicas that answer reads: a service on a libSQL primary, and three services far from it, two on a replica server
 * and one on an embedded replica. How fast they are, and whether the promises hold. Set SEED to repeat the random
 * choices of a run.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { buildWorkerd, denoTask, workerdCommand } from "../elsewhere.ts";
import { openLine } from "../line.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { createRandom } from "../random.ts";
import { type CallOptions, PASSWORD, SECRET } from "../service.ts";
import { type LibsqlServer, serverToken, startPrimary, startReplica, until } from "../sqld.ts";

/** Seconds for which a replica answers after it last heard from the primary. */
const STALE_READS = 4;

const folder = temporaryFolder();
const token = serverToken();
let primary: LibsqlServer;
let replica: Awaited<ReturnType<typeof startReplica>>;
/** The lines from each service to the primary, and from the replica to it. */
const lines: Record<
  "toPrimary" | "ofReplica" | "ofEmbedded",
  Awaited<ReturnType<typeof openLine>>
> = {} as never;
/** Milliseconds that each line takes in one direction. */
let delay = () => 0;

let onPrimary: ServiceProcess;
/** The services far from the primary, each on another runtime. */
const near: Record<"replica" | "replica on workerd" | "embedded on Deno", ServiceProcess> =
  {} as never;
let all: ServiceProcess[];

beforeAll(async () => {
  buildWorkerd();
  primary = await startPrimary(folder.path);
  lines.toPrimary = await openLine(primary.port, () => delay());
  lines.ofReplica = await openLine(primary.grpc, () => delay());
  lines.ofEmbedded = await openLine(primary.port, () => delay());
  replica = await startReplica(folder.path, "replica", lines.ofReplica.port);
  const database = await openDatabase(primary.url, { databaseAuthToken: token });
  await migrate(database);
  database.$client.close();
  onPrimary = await startOn(primary.url);
  const around = { DATABASE_PRIMARY_URL: lines.toPrimary.url };
  near.replica = await startOn(replica.url, around);
  near["replica on workerd"] = await startOn(replica.url, around, workerdCommand());
  const embedded = { DATABASE_SYNC_URL: lines.ofEmbedded.url, DATABASE_SYNC_INTERVAL: "1" };
  near["embedded on Deno"] = await startOn(
    "file:data/embedded.db",
    embedded,
    denoTask("start:replica"),
  );
  all = [onPrimary, ...Object.values(near)];
}, 120_000);

afterAll(async () => {
  for (const service of all) await service[Symbol.asyncDispose]();
  for (const line of Object.values(lines)) line.close();
  await replica.kill();
  await primary.kill();
  folder[Symbol.dispose]();
});

/** The line through which a service near the replica hears from the primary. */
const lineOf = (kind: keyof typeof near) =>
  kind === "embedded on Deno" ? lines.ofEmbedded : lines.ofReplica;

afterEach(() => {
  delay = () => 0;
  for (const line of Object.values(lines)) line.release();
});

function startOn(url: string, more: Record<string, string> = {}, command?: string[]) {
  const environment = {
    JWT_SECRET: SECRET,
    DATABASE_URL: url,
    DATABASE_AUTH_TOKEN: token,
    READS: "local",
    DATABASE_STALE_READS: String(STALE_READS),
    FAILED_LOG_INS_PER_HOUR: "0",
    SIGN_UPS_PER_HOUR: "0",
    ...more,
  };
  return startProcess(folder.path, environment, command);
}

/** A client that sends its last bookmark to whichever service it calls. */
function createClient() {
  let bookmark: string | undefined;
  return {
    async call(service: ServiceProcess, method: string, path: string, options: CallOptions = {}) {
      const headers = { ...options.headers, ...(bookmark !== undefined && { bookmark }) };
      const answer = await service.call(method, path, { ...options, headers });
      const text = await answer.text();
      bookmark = answer.headers.get("bookmark") ?? bookmark;
      return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
    },
    /** A new session of a user. */
    async logIn(service: ServiceProcess, username: string): Promise<string> {
      const json = { username, password: PASSWORD };
      const { status, body } = await this.call(service, "POST", "/users/log-in", { json });
      expect(status).toBe(200);
      return body.access_token;
    },
  };
}

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Resolves when a service answers a user from its replica. This takes less time than the way to the primary. */
async function answersByItself(service: ServiceProcess, token: string): Promise<void> {
  const distance = 400;
  delay = () => distance / 2;
  await until(async () => {
    const startedAt = performance.now();
    const { status } = await service.call("GET", "/todos", { token });
    return status === 200 && performance.now() - startedAt < distance / 2;
  });
  delay = () => 0;
}

const KINDS = ["replica", "replica on workerd", "embedded on Deno"] as const;

describe("far from the primary", () => {
  /** Milliseconds of a round trip. They are so many that the load of a busy machine matters little. */
  const DISTANCE = 300;

  test.each(KINDS)(
    "a list is read near, and a write goes there and back once: %s",
    async (kind) => {
      const service = near[kind];
      const client = createClient();
      const { token } = await service.user(`far-${KINDS.indexOf(kind)}`);
      for (let i = 0; i < 50; i++) {
        await client.call(service, "POST", "/todos", { token, json: { contents: `todo ${i}` } });
      }
      delay = () => DISTANCE / 2;
      const time = async (method: string, path: string, json?: unknown) => {
        const startedAt = performance.now();
        const { status } = await client.call(service, method, path, { token, json });
        expect(status).toBeLessThan(300);
        return performance.now() - startedAt;
      };
      const reads: number[] = [];
      const writes: number[] = [];
      for (let round = 0; round < 10; round++) {
        writes.push(await time("POST", "/todos", { contents: "one more" }));
        for (let i = 0; i < 20; i++) reads.push(await time("GET", "/todos"));
      }
      expect(median(reads)).toBeLessThan(DISTANCE / 10);
      expect(median(writes)).toBeGreaterThan(DISTANCE);
      expect(median(writes)).toBeLessThan(DISTANCE * 1.7);
    },
    60_000,
  );
});

test("docs/edge.md shows how to keep and send a bookmark", async () => {
  const guide = await Bun.file(new URL("../../docs/edge.md", import.meta.url)).text();
  const [, commands] = /^```sh\n(BOOKMARK=.*?)^```$/ms.exec(guide) ?? [];
  if (commands === undefined) throw new Error("No such commands");
  const { token } = await onPrimary.user("reader");
  const env = { ...process.env, API: near.replica.url, AUTH: `Authorization: Bearer ${token}` };
  // The shell needs the variable. If it were empty, no bookmark would be sent.
  const script = `${commands}\n[ -n "$BOOKMARK" ]`;
  const shell = Bun.spawn(["bash", "-euo", "pipefail", "-c", script], { env });
  const [printed, code] = await Promise.all([new Response(shell.stdout).json(), shell.exited]);
  expect(code).toBe(0);
  expect(printed.todos).toMatchObject([{ contents: "Buy milk" }]);
});

describe("a session that has ended elsewhere", () => {
  test.each(KINDS)(
    "is refused within the bound without a bookmark, and at once with it: %s",
    async (kind) => {
      const service = near[kind];
      const line = lineOf(kind);
      // The embedded replica has only this line to the primary. Without it, nobody can know that a session has ended.
      const refusal = kind === "embedded on Deno" ? 503 : 401;
      const { token, username } = await onPrimary.user(`leaver-${KINDS.indexOf(kind)}`);
      const other = createClient();
      const spare = await other.logIn(onPrimary, username);
      const list = async (of: string) =>
        (await service.call("GET", "/todos", { token: of })).status;
      await answersByItself(service, token);

      line.hold();
      const leaver = createClient();
      expect((await leaver.call(onPrimary, "POST", "/users/log-out", { token })).status).toBe(204);
      const endedAt = performance.now();
      const told = await leaver.call(service, "GET", "/todos", { token });
      expect(told.status).toBe(refusal);
      // Without the bookmark, the replica may answer until the bound. (If it is slow, the primary answers.)
      const answeredAt: number[] = [];
      await until(async () => {
        const askedAt = performance.now() - endedAt;
        if ((await list(token)) === 200) answeredAt.push(askedAt);
        return askedAt > 1500 * STALE_READS;
      }, 3 * STALE_READS);
      expect(answeredAt.length).toBeGreaterThan(0);
      expect(Math.max(...answeredAt)).toBeLessThan(1000 * STALE_READS);
      expect(await list(token)).toBe(refusal);

      line.release();
      await until(async () => (await list(token)) === 401);
      await until(async () => (await list(spare)) === 200);
    },
    60_000,
  );
});

describe("when the primary is gone", () => {
  test("replicas answer up to the bound, then nobody does, and all come back by themselves", async () => {
    const { token } = await onPrimary.user("keeper");
    const list = (service: ServiceProcess) => service.call("GET", "/todos", { token });
    const add = (service: ServiceProcess) =>
      service.call("POST", "/todos", { token, json: { contents: "kept" } });
    const count = async (service: ServiceProcess) => {
      const { todos } = await (await list(service)).json();
      return todos?.length;
    };
    expect((await add(onPrimary)).status).toBe(201);
    for (const service of Object.values(near)) await answersByItself(service, token);

    await primary.kill();
    const goneAt = performance.now();
    const outages = Object.values(near).map(async (service) => {
      const answeredAt: number[] = [];
      const refused = add(service);
      await until(async () => {
        const askedAt = performance.now() - goneAt;
        const answer = await list(service);
        if (answer.status === 200) answeredAt.push(askedAt);
        else expect(answer.status).toBe(503);
        return askedAt > 1500 * STALE_READS;
      }, 3 * STALE_READS);
      expect((await refused).status).toBe(503);
      expect(answeredAt.length).toBeGreaterThan(0);
      expect(Math.max(...answeredAt)).toBeLessThan(1000 * STALE_READS);
      expect((await list(service)).status).toBe(503);
    });
    await Promise.all(outages);

    await primary.restart();
    for (const service of all) {
      await until(async () => (await list(service)).status === 200);
      await until(async () => (await add(service)).status === 201);
      await until(async () => (await count(service)) > 1);
    }
  }, 60_000);
});

describe("whoever sends bookmarks back", () => {
  /** Number of requests in total. */
  const REQUESTS = 10_000;
  const USERS = 8;

  /**
   * A user with two devices. One device counts up in a todo, adds and deletes others, and logs out and in again: it
   * must always see everything that it has done. The other device only reads: what it sees must never go back.
   */
  async function live(name: string, random: () => number, next: () => boolean) {
    const writer = createClient();
    const reader = createClient();
    const violations: string[] = [];
    const counts = { reads: 0, writes: 0, logOuts: 0, repeats: 0 };
    const anywhere = () => all[Math.floor(random() * all.length)] ?? onPrimary;

    /** Sends a request to random services until it is answered, for at most half a minute. */
    async function send(
      client: ReturnType<typeof createClient>,
      method: string,
      path: string,
      options: CallOptions,
    ) {
      // The request may have been carried out, although it was not answered.
      const headers: Record<string, string> =
        path === "/todos" && method === "POST" ? { "idempotency-key": crypto.randomUUID() } : {};
      const deadline = performance.now() + 30_000;
      for (;;) {
        const answer = await client.call(anywhere(), method, path, { ...options, headers });
        if (answer.status < 500) return answer;
        counts.repeats++;
        if (performance.now() > deadline) {
          throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
        }
      }
    }

    await onPrimary.user(name);
    let token = await writer.logIn(onPrimary, name);
    const first = await send(writer, "POST", "/todos", { token, json: { contents: "0" } });
    const path = `/todos/${first.body.id}`;
    // The device logs in later, so it has seen the todo.
    const readerToken = await reader.logIn(onPrimary, name);
    const others = new Set<number>();
    let count = 0;
    let seen = 0;

    while (next()) {
      const chance = random();
      if (chance < 0.35) {
        counts.reads++;
        const { body } = await send(reader, "GET", path, { token: readerToken });
        const found = Number(body.contents);
        if (!(found >= seen)) violations.push(`${name} saw ${seen}, and then ${found}`);
        seen = found;
      } else if (chance < 0.65) {
        counts.reads++;
        const { status, body } = await send(writer, "GET", "/todos", { token });
        const todos: { id: number; contents: string }[] = body.todos ?? [];
        const own = todos.find(({ id }) => id === first.body.id)?.contents;
        const rest = todos.map(({ id }) => id).filter((id) => id !== first.body.id);
        if (status !== 200 || own !== `${count}` || rest.join() !== [...others].join()) {
          violations.push(
            `${name} did not see ${count} and ${[...others]}, but ${status}, ${own} and ${rest}`,
          );
        }
      } else if (chance < 0.88) {
        counts.writes++;
        count++;
        const json = { contents: `${count}` };
        const { status } = await send(writer, "PATCH", path, { token, json });
        if (status !== 200) violations.push(`${name} could not write: ${status}`);
      } else if (chance < 0.98) {
        counts.writes++;
        const [oldest] = others;
        if (others.size < 5 || oldest === undefined) {
          const json = { contents: "other" };
          const { body } = await send(writer, "POST", "/todos", { token, json });
          others.add(body.id);
        } else {
          await send(writer, "DELETE", `/todos/${oldest}`, { token });
          others.delete(oldest);
        }
      } else {
        counts.logOuts++;
        await send(writer, "POST", "/users/log-out", { token });
        const { status } = await send(writer, "GET", "/todos", { token });
        if (status !== 401) violations.push(`${name} had logged out, and was answered ${status}`);
        token = await writer.logIn(onPrimary, name);
      }
    }
    return { violations, counts };
  }

  test(`never sees an older state than it has seen, on any node (SEED=${SEED})`, async () => {
    const { random } = createRandom(SEED);
    // Each part takes long.
    delay = () => random() * 40;
    let left = REQUESTS;
    let isOver = false;
    const stalls = (async () => {
      while (!isOver) {
        await Bun.sleep(1000);
        lines.ofReplica.hold();
        await Bun.sleep(500 * random());
        lines.ofReplica.release();
      }
    })();
    const lives = await Promise.all(
      Array.from({ length: USERS }, (_, i) =>
        live(`hopper-${i}`, createRandom(SEED + i).random, () => left-- > 0),
      ),
    );
    isOver = true;
    await stalls;
    expect(lives.flatMap(({ violations }) => violations)).toEqual([]);
    const sum = (what: keyof (typeof lives)[number]["counts"]) =>
      lives.reduce((total, { counts }) => total + counts[what], 0);
    expect(sum("reads") + sum("writes") + sum("logOuts")).toBe(REQUESTS);
    expect(sum("writes")).toBeGreaterThan(REQUESTS * 0.2);
    expect(sum("logOuts")).toBeGreaterThan(REQUESTS * 0.01);
    expect(sum("repeats")).toBeLessThan(REQUESTS * 0.1);
  }, 600_000);
});
