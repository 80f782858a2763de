/** Tabs that share a store, here in one process. `test/slow/sync-browser.slow.ts` shows which of them sends. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { webStorageStore } from "../../src/client/stores.ts";
import { createSync } from "../../src/client/sync.ts";
import { createNetwork, createScene } from "./device.ts";

// Each test starts a service, and some wait for a second try. On a busy machine that takes its time.
setDefaultTimeout(60_000);

const { start, open, closeAll } = createScene();
afterEach(closeAll);

/** Like `localStorage`: its entries are its own properties. */
function createStorage(): Storage {
  const methods = {
    getItem(this: Record<string, string>, key: string) {
      return this[key] ?? null;
    },
    setItem(this: Record<string, string>, key: string, text: string) {
      this[key] = text;
    },
    removeItem(this: Record<string, string>, key: string) {
      delete this[key];
    },
  };
  return Object.create(methods);
}

let names = 0;

/** Two tabs of one user. The second one cannot send. */
async function openTabs() {
  const service = await start();
  const storage = createStorage();
  const store = webStorageStore(`tabs-${++names}`, storage);
  const one = await open(service, "mina", { store });
  const network = createNetwork();
  network.down();
  const two = await open(service, "mina", { store, network });
  return { service, storage, store, one, two };
}

test("each shows at once what the other does, and one sends for both", async () => {
  const { service, one, two } = await openTabs();
  const milk = two.todos.create({ contents: "Buy milk" });
  await one.until(() => one.contents().includes("Buy milk"));
  await two.flush();
  expect(await service.todos("mina")).toMatchObject([{ contents: "Buy milk" }]);
  expect(two.todos.get(milk.id)).toMatchObject({ id: 1, key: milk.key, pending: false });
  one.todos.update(1, { is_done: true });
  await two.until(() => two.todos.get(milk.id)?.is_done === true);
});

test("send what another did with rows under the ids that only this one knows", async () => {
  const { service, store, one: sends, two } = await openTabs();
  const home = two.lists.create({ name: "Home" });
  const milk = two.todos.create({ contents: "Buy milk", list_id: home.id });
  const bread = two.todos.create({ contents: "Buy bread" });
  await two.flush();
  await sends.close();
  // It is opened when the rows have their ids, so it never hears of the ids from before.
  await open(service, "mina", { store });
  two.todos.create({ contents: "Buy salt", list_id: home.id });
  two.todos.move(bread.id, { list_id: home.id, after: milk.id });
  await two.flush();
  expect(await service.todos("mina")).toMatchObject([
    { contents: "Buy milk", list_id: 1 },
    { contents: "Buy bread", list_id: 1 },
    { contents: "Buy salt", list_id: 1 },
  ]);
});

test("keep the order in which their changes were made", async () => {
  const { service, one, two } = await openTabs();
  one.network.down();
  const expected: string[] = [];
  for (let i = 0; i < 20; i++) {
    const [tab, other] = i % 2 === 0 ? [one, two] : [two, one];
    expected.push(`todo ${i}`);
    tab.todos.create({ contents: `todo ${i}` });
    await other.until(() => other.todos.all().length === i + 1);
  }
  expect([one.contents(), two.contents()]).toEqual([expected, expected]);
  one.network.up();
  one.retry();
  await two.flush();
  expect((await service.todos("mina")).map(({ contents }) => contents)).toEqual(expected);
});

test("show nothing any more when the user has logged out in one of them", async () => {
  const { storage, one, two } = await openTabs();
  one.todos.create({ contents: "Buy milk" });
  await one.flush();
  await two.until(() => two.todos.all().length === 1);
  // Tabs of one origin also share the tokens, so the second tab is logged out by the first.
  await two.tokens.set(null);
  await one.client.users["log-out"].post();
  await two.until(() => two.status() === "logged-out");
  expect([one.todos.all(), two.todos.all(), Object.keys(storage)]).toEqual([[], [], []]);
});

test("begin anew when the store was cleared and their own user is still logged in", async () => {
  const { service, one, two } = await openTabs();
  one.todos.create({ contents: "Buy milk" });
  await one.flush();
  await two.until(() => two.todos.all().length === 1);
  two.network.up();
  await one.client.users["log-out"].post();
  await two.until(() => two.todos.all().length === 0);
  await two.until(() => two.contents().includes("Buy milk"));
  two.todos.create({ contents: "Buy bread" });
  await two.flush();
  expect(await service.todos("mina")).toHaveLength(2);
});

const inBrowser = ["storage", "visibilitychange", "online"];
test.each(inBrowser)("look on %s whether another has logged in or out", async (type) => {
  const { storage, two } = await openTabs();
  const tokens = await two.tokens.get();
  two.todos.create({ contents: "Buy milk" });
  // The session has ended in another tab. This tab is offline, so no request finds out.
  await two.tokens.set(null);
  dispatchEvent(new Event(type));
  await two.until(() => two.status() === "logged-out");
  expect(Object.keys(storage)).not.toEqual([]);
  await two.tokens.set(tokens);
  dispatchEvent(new Event(type));
  await two.until(() => two.contents().includes("Buy milk"));
});

test("begin with what another did while they were loading", async () => {
  const { store, one } = await openTabs();
  one.network.down();
  const slow = {
    ...store,
    async read(user: string) {
      const entries = await store.read(user);
      one.todos.create({ contents: "meanwhile" });
      await Bun.sleep(20);
      return entries;
    },
  };
  const network = createNetwork();
  network.down();
  const three = await open(one.service, "mina", { store: slow, network });
  expect(three.contents()).toEqual(["meanwhile"]);
});

test("agree on an order where both did something at once", async () => {
  const { one, two } = await openTabs();
  one.network.down();
  for (let i = 1; i <= 10; i++) {
    one.todos.create({ contents: `one ${i}` });
    two.todos.create({ contents: `two ${i}` });
    await one.until(() => one.todos.all().length === 2 * i);
    await two.until(() => two.todos.all().length === 2 * i);
  }
  expect(one.contents()).toEqual(two.contents());
});

test("hear nothing from the others when they could not load the copy", async () => {
  const { store, one } = await openTabs();
  const failure = new Error("The store cannot be read");
  const errors: unknown[] = [];
  const sync = createSync(one.client, {
    store: { ...store, read: () => Promise.reject(failure) },
    onStoreError: (error) => errors.push(error),
  });
  await sync.ready();
  let calls = 0;
  sync.subscribe(() => {
    calls++;
  });
  one.todos.create({ contents: "Buy milk" });
  await one.flush();
  await Bun.sleep(20);
  expect([errors, calls]).toEqual([[failure], 0]);
  await sync.close();
});

test("leave nothing behind that one wrote while the other logged out", async () => {
  const { storage, store, one, two } = await openTabs();
  one.todos.create({ contents: "Buy milk" });
  await one.flush();
  await two.until(() => two.todos.all().length === 1);
  const { clear } = store;
  store.clear = async (user) => {
    await clear(user);
    // The other tab has not received the message yet.
    if (two.status() !== "logged-out") two.todos.create({ contents: "late" });
  };
  await two.tokens.set(null);
  await one.client.users["log-out"].post();
  await two.until(() => two.status() === "logged-out");
  expect(Object.keys(storage)).toEqual([]);
});

test("never bring back what one of them could not store and the other has sent", async () => {
  const { storage, store, one, two: sends } = await openTabs();
  let isFull = false;
  const network = createNetwork();
  network.down();
  const three = await open(one.service, "mina", {
    network,
    store: {
      ...store,
      async write(user, changes) {
        if (isFull) throw new Error("The store is full");
        await store.write(user, changes);
      },
    },
  });
  isFull = true;
  three.todos.create({ contents: "Buy milk" });
  await three.flush();
  isFull = false;
  const milk = three.todos.all()[0]?.id ?? 0;
  three.todos.update(milk, { priority: 2 });
  await three.flush();
  await sends.until(() => sends.todos.get(milk)?.priority === 2 && sends.pending() === 0);
  await one.until(() => one.pending() === 0);
  while (Object.keys(storage).some((key) => key.endsWith("/sending"))) await Bun.sleep(1);
  expect(Object.keys(storage).filter((key) => key.includes("/queue/"))).toEqual([]);
  expect(await one.service.todos("mina")).toMatchObject([{ contents: "Buy milk", priority: 2 }]);
});

test("two users in one storage, and two storages of one origin, are apart", async () => {
  const storage = createStorage();
  const [home, work] = [webStorageStore("home", storage), webStorageStore("work", storage)];
  await home.write("1", { next: "a" });
  await home.write("2", { next: "b" });
  await work.write("1", { next: "c" });
  expect(await home.read("1")).toEqual({ next: "a" });
  await home.clear("1");
  const left = await Promise.all([home.read("1"), home.read("2"), work.read("1")]);
  expect(left).toEqual([{}, { next: "b" }, { next: "c" }]);
  await home.write("2", { next: null });
  expect(await home.read("2")).toEqual({});
});
