/** A copy in a real browser: in IndexedDB and in localStorage, after reloads and crashes, and in several tabs. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type { Sync } from "../../src/client/sync.ts";
import { type SyncService, startSyncService } from "../client/device.ts";
import { temporaryFolder } from "../process.ts";
import { PASSWORD } from "../service.ts";

const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const SOURCES = join(import.meta.dir, "../../src/client");

/** The whole app: the copy of the user who is logged in, for the tests to use. */
const APP = `
import { createClient } from ${JSON.stringify(join(SOURCES, "client.ts"))};
import { createSync, indexedDbStore, localStorageStore } from ${JSON.stringify(join(SOURCES, "sync.ts"))};

const tokens = {
  get: () => JSON.parse(localStorage.getItem("tokens") ?? "null"),
  set: (next) => localStorage.setItem("tokens", JSON.stringify(next)),
};
const client = createClient("", { store: tokens });
const store = location.hash === "#local" ? localStorageStore("todos") : indexedDbStore("todos");
if (!tokens.get()) await client.users["log-in"].post({ username: "mina", password: ${JSON.stringify(PASSWORD)} });
const sync = createSync(client, { store, pollEvery: 200 });
await sync.ready();
Object.assign(globalThis, { client, sync, isReady: true });
`;

declare global {
  /** As the app sets it. */
  var sync: Sync;
  var isReady: boolean;
  var client: { users: { "log-out": { post(): Promise<unknown> } } };
}

let browser: Browser;
let script: string;
beforeAll(async () => {
  if (!existsSync(CHROMIUM)) {
    throw new Error(
      `This needs Chromium at ${CHROMIUM}: install it (apt-get install chromium), or say by CHROMIUM where it is.`,
    );
  }
  using folder = temporaryFolder();
  const entry = join(folder.path, "app.js");
  writeFileSync(entry, APP);
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser" });
  script = (await outputs[0]?.text()) ?? "";
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    // No sandbox, since containers run as root; and no requests of the browser's own.
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
}, 60_000);
afterAll(() => browser?.close());

let service: SyncService;
let context: BrowserContext;
let requests: string[];
let isBatchRefused: boolean;
beforeEach(async () => {
  service = await startSyncService();
  await service.idOf("mina");
  isBatchRefused = false;
  requests = [];
  context = await browser.newContext();
  context.on("request", (request) => {
    requests.push(`${request.method()} ${new URL(request.url()).pathname}`);
  });
  // The app, as if the service served it.
  await context.route(`${service.url}/app`, (route) =>
    route.fulfill({ contentType: "text/html", body: "<script type=module src=/app.js></script>" }),
  );
  await context.route(`${service.url}/app.js`, (route) =>
    route.fulfill({ contentType: "text/javascript", body: script }),
  );
  await context.route(`${service.url}/todos/batch`, (route) =>
    isBatchRefused ? route.fulfill({ status: 503 }) : route.fallback(),
  );
});
afterEach(async () => {
  await context.close();
  await service.stop();
});

async function openTab(hash = ""): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${service.url}/app${hash}`);
  await page.waitForFunction(() => globalThis.isReady);
  return page;
}

/** The number of streams of events that the service has open for the user. */
const streams = async () => service.services.watch.listeningFor(await service.idOf("mina"));

const add = (page: Page, contents: string) =>
  page.evaluate((contents) => void globalThis.sync.todos.create({ contents }), contents);
const contentsIn = (page: Page) =>
  page.evaluate(() => globalThis.sync.todos.all().map(({ contents }) => contents));
const flush = (page: Page) => page.evaluate(() => globalThis.sync.flush());
const statusIs = (page: Page, status: string) =>
  page.waitForFunction((status) => globalThis.sync.status() === status, status);
const shows = (page: Page, contents: string[]) =>
  page.waitForFunction(
    (expected) =>
      globalThis.sync.todos
        .all()
        .map((todo) => todo.contents)
        .join() === expected,
    contents.join(),
  );
const contentsThere = async () => (await service.todos("mina")).map(({ contents }) => contents);

test.each(["", "#local"])("what was written offline outlasts the page (store %p)", async (hash) => {
  const first = await openTab(hash);
  await add(first, "one");
  await flush(first);
  await context.setOffline(true);
  await add(first, "two");
  await statusIs(first, "offline");
  await first.close();

  await context.setOffline(false);
  const second = await openTab(hash);
  expect(await contentsIn(second)).toEqual(["one", "two"]);
  await flush(second);
  expect(await contentsThere()).toEqual(["one", "two"]);
});

test("a crash loses nothing", async () => {
  const page = await openTab();
  await statusIs(page, "live");
  isBatchRefused = true;
  for (const contents of ["one", "two", "three"]) await add(page, contents);
  await statusIs(page, "offline");
  const crashed = new Promise((resolve) => page.once("crash", resolve));
  page.goto("chrome://crash").catch(() => {});
  await crashed;

  isBatchRefused = false;
  const next = await openTab();
  await flush(next);
  expect(await contentsThere()).toEqual(["one", "two", "three"]);
});

test("of several tabs one sends and listens, and another takes over when it is closed", async () => {
  const tabs = [await openTab(), await openTab(), await openTab()];
  const [one, two, three] = tabs;
  if (!one || !two || !three) throw new Error("three tabs");
  for (const tab of tabs) await statusIs(tab, "live");
  expect(await streams()).toBe(1);
  await Promise.all(tabs.map((tab, i) => add(tab, `from ${i}`)));
  for (const tab of tabs) await flush(tab);
  expect((await contentsThere()).sort()).toEqual(["from 0", "from 1", "from 2"]);
  for (const tab of tabs)
    expect((await contentsIn(tab)).sort()).toEqual((await contentsThere()).sort());

  await one.close();
  await add(two, "later");
  await flush(two);
  await shows(three, await contentsIn(two));
  expect((await contentsThere()).filter((contents) => contents === "later")).toEqual(["later"]);
  expect(await streams()).toBe(1);
});

test("a hidden tab does not listen, but sends what it still has", async () => {
  const page = await openTab();
  await statusIs(page, "live");
  const show = (state: string) =>
    page.evaluate((state) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    }, state);
  await show("hidden");
  while ((await streams()) > 0) await Bun.sleep(5);
  const before = requests.filter((route) => route === "GET /todos/events").length;
  await add(page, "last words");
  await flush(page);
  expect(await contentsThere()).toEqual(["last words"]);
  expect(requests.filter((route) => route === "GET /todos/events")).toHaveLength(before);
  await show("visible");
  await statusIs(page, "live");
  expect(await streams()).toBe(1);
});

test("when the network is back, the browser says so, and all is sent at once", async () => {
  const page = await openTab();
  await statusIs(page, "live");
  await context.setOffline(true);
  await add(page, "one");
  await statusIs(page, "offline");
  await context.setOffline(false);
  await flush(page);
  expect(await contentsThere()).toEqual(["one"]);
});

test("a log-out in one tab empties the database and the other tab", async () => {
  const [one, two] = [await openTab(), await openTab()];
  await add(one, "secret");
  await flush(one);
  await shows(two, ["secret"]);
  await one.evaluate(() => globalThis.client.users["log-out"].post());
  await statusIs(two, "logged-out");
  const left = await two.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const request = indexedDB.open("todos", 1);
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const count = request.result.transaction("entries").objectStore("entries").count();
          count.onsuccess = () => resolve(count.result);
        };
      }),
  );
  expect(left).toBe(0);
});
