/** How a copy learns about changes by others. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { getEventListeners } from "node:events";
import { createSync, memoryStore } from "../../src/client/sync.ts";
import { createNetwork, createScene } from "./device.ts";

// Each test starts a service, and some wait for a second try. On a busy machine that takes its time.
setDefaultTimeout(60_000);

const { start, open, closeAll } = createScene();
afterEach(closeAll);

const EVENTS = "GET /todos/events";
const CHANGES = "GET /todos/changes";
const POLL = "GET /todos";

/** A service that has no place for streams. */
const NO_STREAMS = { STREAMS: "0" };
/** A service that accepts a cursor for a minute, and a function that makes it forget its cursors. */
const FORGETFUL = { CHANGES_TTL: "60" };
const LATER = 120;

test("a stream of events tells of a change at once, and nobody asks meanwhile", async () => {
  const service = await start();
  const here = await open(service, "mina");
  const there = await open(service, "mina");
  expect([here.status(), there.status()]).toEqual(["live", "live"]);
  service.received.length = 0;
  here.todos.create({ contents: "Buy milk" });
  await there.until(() => there.contents().includes("Buy milk"));
  await Bun.sleep(100);
  expect([service.count(POLL), service.count(EVENTS)]).toEqual([0, 0]);
});

test("without a stream it asks now and then, and is told that nothing has changed", async () => {
  const service = await start(NO_STREAMS);
  const { status, until, todos } = await open(service, "mina", { expects: "polling" });
  while (service.count(POLL) < 4) await Bun.sleep(5);
  const asked = service.received.filter(({ route }) => route === POLL);
  expect(asked.slice(1).every((each) => each.status === 304)).toBe(true);
  expect(service.count(CHANGES)).toBeLessThan(4);

  const other = await open(service, "mina", { expects: "polling" });
  other.todos.create({ contents: "Buy milk" });
  await until(() => todos.all().length === 1);
  expect(status()).toBe("polling");
  // A stream is tried now and then, much less often than the changes are requested.
  expect(service.count(EVENTS)).toBeLessThan(service.count(POLL));
});

test("a stream that ends is opened again, and nothing of the time between is missed", async () => {
  const service = await start();
  const here = await open(service, "mina");
  const there = await open(service, "mina");
  service.endStreams();
  here.todos.create({ contents: "Buy milk" });
  await there.until(() => there.contents().includes("Buy milk"));
  await there.until(() => there.status() === "live");
  here.todos.create({ contents: "Buy bread" });
  await there.until(() => there.contents().includes("Buy bread"));
});

test("a stream that is opened again and again leaves nothing behind", async () => {
  const service = await start();
  const { client } = await open(service, "mina");
  const session = client["~session"];
  const signals = new Set<AbortSignal>();
  const sync = createSync({
    "~session": {
      ...session,
      async fetch(user, path, init) {
        if (init.signal && path.startsWith("/todos/events")) signals.add(init.signal);
        return session.fetch(user, path, init);
      },
    },
  });
  const listeners = () => [...signals].map((each) => getEventListeners(each, "abort").length);
  const isLive = async () => {
    while (sync.status() !== "live") await Bun.sleep(5);
  };
  await isLive();
  const before = listeners();
  for (let i = 0; i < 2; i++) {
    service.endStreams();
    while (sync.status() === "live") await Bun.sleep(1);
    await isLive();
  }
  expect([listeners(), signals.size]).toEqual([before, 1]);
  await sync.close();
});

test("a stream that is silent is given up", async () => {
  const service = await start();
  const { until, status } = await open(service, "mina", { silence: 100 });
  service.received.length = 0;
  await until(() => status() === "polling");
  await until(() => status() === "live");
  expect(service.count(EVENTS)).toBeGreaterThan(0);
});

test("when the place to go on from has expired, all is fetched again, and the queue stays", async () => {
  const service = await start(FORGETFUL);
  const here = await open(service, "mina");
  const away = await open(service, "mina");
  for (const contents of ["a", "b", "c"]) here.todos.create({ contents });
  const list = here.lists.create({ name: "Home" });
  await here.flush();
  await away.until(() => away.todos.all().length === 3 && away.lists.all().length === 1);
  away.network.down();
  const [, b] = away.todos.all();
  away.todos.update(b?.id ?? 0, { priority: 3 });
  away.todos.create({ contents: "d" });
  here.todos.delete(here.todos.all()[0]?.id ?? 0);
  here.lists.delete(list.id);
  here.todos.create({ contents: "e" });
  await here.flush();
  service.passSeconds(LATER);
  away.network.up();
  away.retry();
  await away.flush();
  expect(service.received.some(({ status }) => status === 410)).toBe(true);
  expect(away.contents()).toEqual(["b", "c", "e", "d"]);
  expect(away.lists.all()).toEqual([]);
  expect(await service.todos("mina")).toMatchObject([{ contents: "b", priority: 3 }, {}, {}, {}]);
});

test("a fetch of everything that was broken off begins anew, and keeps nothing that is gone", async () => {
  const service = await start(FORGETFUL);
  const store = memoryStore();
  const here = await open(service, "mina");
  here.todos.create({ contents: "gone later" });
  await here.flush();
  const away = await open(service, "mina", { store });
  await away.until(() => away.todos.all().length === 1);
  away.network.down();
  here.todos.delete(here.todos.all()[0]?.id ?? 0);
  for (let i = 0; i < 700; i++) here.todos.create({ contents: `todo ${i}` });
  await here.flush();
  service.passSeconds(LATER);
  // One page comes, and the next one does not.
  away.network.loses = (route) => route === CHANGES && away.todos.all().length > 100;
  away.network.up();
  away.retry();
  await away.until(() => away.todos.all().length > 100);
  await away.close();
  away.network.loses = () => false;
  const again = await open(service, "mina", { store });
  await again.until(() => again.contents().join() === here.contents().join());
});

test("nothing is missed between the first fetch and the first stream", async () => {
  const service = await start();
  const here = await open(service, "mina");
  const network = createNetwork();
  const { promise: opened, resolve: letThrough } = Promise.withResolvers<void>();
  const slow = {
    ...network,
    async fetch(...request: Parameters<typeof network.fetch>) {
      if (request[0].includes("/events")) await opened;
      return network.fetch(...request);
    },
  };
  const options = { network: slow, pollEvery: 60_000, expects: "polling" } as const;
  const there = await open(service, "mina", options);
  here.todos.create({ contents: "Buy milk" });
  await here.flush();
  expect(there.todos.all()).toEqual([]);
  letThrough();
  await there.until(() => there.contents().includes("Buy milk"));
});

test("news that could not be fetched is fetched later", async () => {
  const service = await start(NO_STREAMS);
  const here = await open(service, "mina", { expects: "polling" });
  const there = await open(service, "mina", { expects: "polling" });
  await Bun.sleep(60);
  let failures = 0;
  there.network.loses = (route) => route === CHANGES && ++failures === 1;
  here.todos.create({ contents: "Buy milk" });
  await there.until(() => there.contents().includes("Buy milk"));
  expect(failures).toBeGreaterThan(1);
});

test("a copy of many rows comes in pages", async () => {
  const service = await start();
  const here = await open(service, "mina");
  for (let i = 0; i < 1_200; i++) here.todos.create({ contents: `todo ${i}` });
  await here.flush();
  const contents = here.contents();
  await here.close();
  service.received.length = 0;
  const there = await open(service, "mina");
  await there.until(() => there.todos.all().length === 1_200);
  expect(there.contents()).toEqual(contents);
  const pages = service.received.filter(({ route }) => route === CHANGES);
  expect(pages[0]?.query.has("since")).toBe(false);
  expect(pages.length).toBeGreaterThan(2);
});
