/** How a copy hears of what others change. */
import { afterEach, expect, test } from "bun:test";
import { memoryStore } from "../../src/client/sync.ts";
import { createNetwork, createScene } from "./device.ts";

const { start, open, closeAll } = createScene();
afterEach(closeAll);

const EVENTS = "GET /todos/events";
const CHANGES = "GET /todos/changes";
const POLL = "GET /todos";

const noStreams = (route: string) =>
  route === EVENTS
    ? Response.json({ code: "too_many_streams" }, { status: 429, headers: { "retry-after": "60" } })
    : undefined;

test("a stream of events tells of a change at once, and nobody asks meanwhile", async () => {
  const service = start();
  const here = await open(service.url, "mina");
  const there = await open(service.url, "mina");
  expect([here.status(), there.status()]).toEqual(["live", "live"]);
  service.received.length = 0;
  here.todos.create({ contents: "Buy milk" });
  await there.until(() => there.contents().includes("Buy milk"));
  await Bun.sleep(100);
  expect([service.count(POLL), service.count(EVENTS)]).toEqual([0, 0]);
});

test("without a stream it asks now and then, and is told that nothing has changed", async () => {
  const service = start();
  service.behaviour.instead = noStreams;
  const { status, until, todos } = await open(service.url, "mina", { expects: "polling" });
  while (service.count(POLL) < 4) await Bun.sleep(5);
  const asked = service.received.filter(({ route }) => route === POLL);
  expect(asked.slice(1).every((each) => each.status === 304)).toBe(true);
  expect(service.count(CHANGES)).toBeLessThan(4);

  const other = await open(service.url, "mina", { expects: "polling" });
  other.todos.create({ contents: "Buy milk" });
  await until(() => todos.all().length === 1);
  expect([status(), service.count(EVENTS)]).toEqual(["polling", 2]);
});

test("a stream that ends is opened again, and nothing of the time between is missed", async () => {
  const service = start();
  const here = await open(service.url, "mina");
  const there = await open(service.url, "mina");
  service.endStreams();
  here.todos.create({ contents: "Buy milk" });
  await there.until(() => there.contents().includes("Buy milk"));
  await there.until(() => there.status() === "live");
  here.todos.create({ contents: "Buy bread" });
  await there.until(() => there.contents().includes("Buy bread"));
});

test("a stream that is silent is given up", async () => {
  const service = start();
  const { until, status } = await open(service.url, "mina", { silence: 100 });
  service.received.length = 0;
  await until(() => status() === "polling");
  await until(() => status() === "live");
  expect(service.count(EVENTS)).toBe(1);
});

test("when the place to go on from has expired, all is fetched again, and the queue stays", async () => {
  const service = start();
  const here = await open(service.url, "mina");
  const away = await open(service.url, "mina");
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
  service.behaviour.horizon = 1_000;
  away.network.up();
  away.retry();
  await away.flush();
  service.behaviour.horizon = 0;
  expect(service.received.some(({ status }) => status === 410)).toBe(true);
  expect(away.contents()).toEqual(["b", "c", "e", "d"]);
  expect(away.lists.all()).toEqual([]);
  expect(service.todos("mina")).toMatchObject([{ contents: "b", priority: 3 }, {}, {}, {}]);
});

test("a fetch of everything that was broken off begins anew, and keeps nothing that is gone", async () => {
  const service = start();
  const store = memoryStore();
  const here = await open(service.url, "mina");
  here.todos.create({ contents: "gone later" });
  await here.flush();
  const away = await open(service.url, "mina", { store });
  await away.until(() => away.todos.all().length === 1);
  away.network.down();
  here.todos.delete(here.todos.all()[0]?.id ?? 0);
  for (let i = 0; i < 700; i++) here.todos.create({ contents: `todo ${i}` });
  await here.flush();
  service.behaviour.horizon = 1_000;
  // One page comes, and the next one does not.
  away.network.loses = (route) => route === CHANGES && away.todos.all().length > 100;
  away.network.up();
  away.retry();
  await away.until(() => away.todos.all().length > 100);
  await away.close();
  service.behaviour.horizon = 0;
  away.network.loses = () => false;
  const again = await open(service.url, "mina", { store });
  await again.until(() => again.contents().join() === here.contents().join());
});

test("nothing is missed between the first fetch and the first stream", async () => {
  const service = start();
  const here = await open(service.url, "mina");
  const network = createNetwork();
  const { promise: opened, resolve: letThrough } = Promise.withResolvers<void>();
  const slow = {
    ...network,
    fetch: async (url: string, init: RequestInit) => {
      if (url.includes("/events")) await opened;
      return network.fetch(url, init);
    },
  };
  const options = { network: slow, pollEvery: 60_000, expects: "polling" } as const;
  const there = await open(service.url, "mina", options);
  here.todos.create({ contents: "Buy milk" });
  await here.flush();
  expect(there.todos.all()).toEqual([]);
  letThrough();
  await there.until(() => there.contents().includes("Buy milk"));
});

test("news that could not be fetched is fetched later", async () => {
  const service = start();
  service.behaviour.instead = noStreams;
  const here = await open(service.url, "mina", { expects: "polling" });
  const there = await open(service.url, "mina", { expects: "polling" });
  await Bun.sleep(60);
  let failures = 0;
  there.network.loses = (route) => route === CHANGES && ++failures === 1;
  here.todos.create({ contents: "Buy milk" });
  await there.until(() => there.contents().includes("Buy milk"));
  expect(failures).toBeGreaterThan(1);
});

test("a copy of many rows comes in pages", async () => {
  const service = start();
  const here = await open(service.url, "mina");
  for (let i = 0; i < 1_200; i++) here.todos.create({ contents: `todo ${i}` });
  await here.flush();
  const contents = here.contents();
  await here.close();
  service.received.length = 0;
  const there = await open(service.url, "mina");
  await there.until(() => there.todos.all().length === 1_200);
  expect(there.contents()).toEqual(contents);
  const pages = service.received.filter(({ route }) => route === CHANGES);
  expect(pages[0]?.query.has("since")).toBe(false);
  expect(pages.length).toBeGreaterThan(2);
});
