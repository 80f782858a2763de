/**
 * Streams of events on every runtime: through a proxy, for a long time, between processes, and when the service stops.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { cpuSeconds, holdStreams, residentMemory } from "../changes/hold-streams.ts";
import { type Events, listenTo } from "../changes/listen.ts";
import { buildWorkerd, denoTask, type Runtime, workerdCommand } from "../elsewhere.ts";
import { times } from "../parallel.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { callsTo, SECRET } from "../service.ts";
import { serverToken, startPrimary } from "../sqld.ts";

const COMMANDS: Record<Runtime, () => string[]> = {
  bun: () => [process.execPath, join(import.meta.dir, "../../src/main.bun.ts")],
  deno: () => denoTask("start"),
  workerd: workerdCommand,
};
/** Seconds. By default, the runtime would have cut a silent connection by then. */
const LONG = 15;

const SETTINGS = {
  NO_COLOR: "1",
  JWT_SECRET: SECRET,
  SIGN_UPS_PER_HOUR: "0",
  FAILED_LOG_INS_PER_HOUR: "0",
  HEARTBEAT: "60",
};

/** Two processes on one database, and a function that stops them. */
async function startTwo(runtime: Runtime) {
  const folder = temporaryFolder();
  const primary = runtime === "workerd" ? await startPrimary(folder.path) : undefined;
  const authToken = serverToken();
  const environment = {
    ...SETTINGS,
    ...(primary && { DATABASE_URL: primary.url, DATABASE_AUTH_TOKEN: authToken }),
  };
  if (primary) {
    const database = await openDatabase(primary.url, { databaseAuthToken: authToken });
    await migrate(database);
    database.$client.close();
  }
  const start = () => startProcess(folder.path, environment, COMMANDS[runtime]());
  const one = await start();
  const other = await start();
  return {
    one,
    other,
    async stop() {
      await Promise.all([one.stop(), other.stop()]);
      await primary?.kill();
      folder[Symbol.dispose]();
    },
  };
}

/** A proxy that forwards everything at once. */
function startProxy(target: string) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      const { method, headers, signal } = request;
      return fetch(`${target}${pathname}${search}`, { method, headers, signal });
    },
  });
  return { url: server.url.href.replace(/\/$/, ""), stop: () => server.stop(true) };
}

beforeAll(buildWorkerd);

describe.each(["bun", "deno", "workerd"] as const)("on %s", (runtime) => {
  let service: Awaited<ReturnType<typeof startTwo>>;
  let one: ServiceProcess;
  let other: ServiceProcess;
  let token: string;
  const open: Events[] = [];

  beforeAll(async () => {
    service = await startTwo(runtime);
    ({ one, other } = service);
    ({ token } = await one.user());
  }, 60_000);
  afterAll(async () => {
    await Promise.all(open.map((events) => events.close()));
    await service.stop();
  }, 60_000);

  async function listen(to: Parameters<typeof listenTo>[0], who = token): Promise<Events> {
    const events = await listenTo(to, who);
    open.push(events);
    return events;
  }
  const add = async (at: ServiceProcess) => {
    const answer = await at.call("POST", "/todos", { token, json: { contents: "x" } });
    return (await answer.json()).rev;
  };

  test("a stream through a proxy outlives a long silence, and tells what each process has written", async () => {
    const proxy = startProxy(one.url);
    const events = await listen(callsTo(proxy.url));
    await Bun.sleep(LONG * 1000);
    for (const writer of [one, other, one]) {
      const rev = await add(writer);
      expect((await events.next()).data).toEqual({ rev });
    }
    await events.close();
    await proxy.stop();
  }, 60_000);

  test("it ends when the session is ended through another process", async () => {
    const { token } = await one.user();
    const events = await listen(one, token);
    await other.call("POST", "/users/log-out", { token });
    expect((await events.next()).event).toBe("end");
    await events.closed;
  }, 30_000);

  test("places are given up when their clients go away", async () => {
    const { token } = await one.user();
    for (let i = 0; i < 20; i++) {
      // On workerd, some seconds later. Until then the user has the maximum number of streams.
      let events: Events | undefined;
      while (!events) {
        events = await listen(one, token).catch(() => undefined);
        await Bun.sleep(100);
      }
      await events.close();
    }
  }, 120_000);

  // workerd has no signal for this: it stops at once.
  test.skipIf(runtime === "workerd")(
    "streams do not hold up the end of the process",
    async () => {
      const folder = temporaryFolder();
      const environment = { ...SETTINGS, SHUTDOWN_TIMEOUT: "300" };
      const third = await startProcess(folder.path, environment, COMMANDS[runtime]());
      const { token } = await third.user();
      const streams = await Promise.all(Array.from({ length: 3 }, () => listen(third, token)));
      const code = third.stop();
      for (const events of streams) {
        expect((await events.next()).event).toBe("end");
        await events.closed;
      }
      expect(await code).toBe(0);
      folder[Symbol.dispose]();
    },
    60_000,
  );

  // On that runtime any amount is buffered, and no user can write enough in a second to matter.
  test.skipIf(runtime === "workerd")(
    "a client that does not read is cut off",
    async () => {
      const { token } = await one.user();
      const socket = connect(one.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.pause();
      socket.write(
        `GET /todos/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
      const { id } = await (
        await one.call("POST", "/todos", { token, json: { contents: "x" } })
      ).json();
      // With this stream, the user has the maximum number.
      for (let i = 0; i < 4; i++) await listen(one, token);
      const sixth = () => listenTo(one, token).catch(() => undefined);
      let isCutOff = false;
      // More than the system's own buffers can hold.
      for (let told = 0; told < 200_000 && !isCutOff; told += 1000) {
        for (let i = 0; i < 1000; i += 50) {
          await Promise.all(
            Array.from({ length: 50 }, (_, j) =>
              one.call("PATCH", `/todos/${id}`, { token, json: { contents: `${told + i + j}` } }),
            ),
          );
        }
        const events = await sixth();
        isCutOff = events !== undefined;
        await events?.close();
      }
      expect(isCutOff).toBe(true);
      socket.destroy();
    },
    300_000,
  );
});

/** `bench/streams.ts` measures the same more closely. */
test("1,000 streams take less than 40 MB, and do not make a page of todos dearer", async () => {
  using folder = temporaryFolder();
  const tokens: string[] = [];
  {
    await using service = await startProcess(folder.path, SETTINGS, COMMANDS.bun());
    for (let i = 0; i < 200; i++) tokens.push((await service.user()).token);
    await service.stop();
  }
  // A separate process, because this one still holds the memory that hashing passwords needed.
  await using service = await startProcess(folder.path, SETTINGS, COMMANDS.bun());
  const [token = ""] = tokens;
  for (let i = 0; i < 50; i++) {
    await service.call("POST", "/todos", { token, json: { contents: `todo ${i}` } });
  }
  /** The process's seconds of CPU time for 3,000 pages. */
  async function cost(): Promise<number> {
    const before = cpuSeconds(service.pid);
    await times(15, async () => {
      for (let i = 0; i < 200; i++) {
        expect((await service.call("GET", "/todos", { token })).status).toBe(200);
      }
    });
    return cpuSeconds(service.pid) - before;
  }

  const before = residentMemory(service.pid);
  const streams = await holdStreams(service.port, tokens, 5);
  await Bun.sleep(3000);
  expect(streams.count).toBe(1000);
  expect(residentMemory(service.pid) - before).toBeLessThan(40);
  streams.close();

  // In turns, because the runtime compiles the code better over time.
  for (let i = 0; i < 3; i++) await cost();
  const without: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < 4; round++) {
    without.push(await cost());
    const held = await holdStreams(service.port, tokens, 5);
    beside.push(await cost());
    held.close();
    await Bun.sleep(500);
  }
  // The bound is more than a tenth, because other programs share the processor's caches.
  expect(Math.min(...beside) / Math.min(...without)).toBeLessThan(1.3);
}, 300_000);
