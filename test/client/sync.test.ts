/** The copy: a change in it is visible at once, also offline, and reaches the service in order and only once. */
import { afterEach, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import {
  type Conflict,
  createSync,
  memoryStore,
  type Refusal,
  type Sync,
  type SyncStore,
} from "../../src/client/sync.ts";
import { PASSWORD } from "../service.ts";
import { createNetwork, createScene } from "./device.ts";

// Each test starts a service, and some wait for a second try. On a busy machine that takes its time.
setDefaultTimeout(60_000);

const { start, open, closeAll } = createScene();
afterEach(closeAll);

const contentsOf = (rows: readonly { contents: string }[]) => rows.map(({ contents }) => contents);

describe("a change", () => {
  test("holds at once, and is the service's soon after", async () => {
    const service = await start();
    const { todos, flush, pending, subscribe } = await open(service, "mina");
    const milk = todos.create({ contents: "Buy milk", priority: 2 });
    const bread = todos.create({ contents: "Buy bread", due: { date: "2026-12-01" } });
    todos.update(milk.id, { is_done: true, notes: "the one with the blue cap" });
    todos.move(bread.id, { after: null });
    const before = todos.all();
    expect(before).toMatchObject([
      { contents: "Buy bread", due: { date: "2026-12-01", time: null, zone: null, at: null } },
      { contents: "Buy milk", priority: 2, is_done: true, notes: "the one with the blue cap" },
    ]);
    expect(before.every((todo) => todo.id < 0 && todo.pending)).toBe(true);
    expect(before[1]?.done_at).toBeString();

    const keysShown = new Set<string>();
    subscribe(() =>
      keysShown.add(
        todos
          .all()
          .map(({ key }) => key)
          .join(),
      ),
    );
    await flush();
    expect(pending()).toBe(0);
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy bread", "Buy milk"]);
    const after = todos.all();
    expect(after.every((todo) => todo.id > 0 && !todo.pending)).toBe(true);
    // An app that shows the rows by their keys sees the same rows.
    expect([...keysShown]).toEqual([before.map(({ key }) => key).join()]);
    expect(todos.get(milk.id)).toMatchObject({ contents: "Buy milk", is_done: true });
  });

  test("of a deleted todo can be taken back", async () => {
    const service = await start();
    const { todos, flush } = await open(service, "mina");
    const { id } = todos.create({ contents: "Buy milk" });
    await flush();
    const todo = todos.get(id);
    if (!todo) throw new Error("no todo");
    todos.delete(id);
    expect(todos.all()).toEqual([]);
    todos.restore(todo);
    expect(todos.all()).toMatchObject([{ contents: "Buy milk" }]);
    await flush();
    expect(todos.all()).toMatchObject([{ id: todo.id, contents: "Buy milk", pending: false }]);
    todos.delete(id);
    await flush();
    expect(await service.todos("mina")).toEqual([]);
    expect([todos.get(id), todos.update(id, { priority: 1 })]).toEqual([undefined, undefined]);
  });

  test("may be of lists, and of todos in lists that are new themselves", async () => {
    const service = await start();
    const { todos, lists, flush } = await open(service, "mina");
    const home = lists.create({ name: "Home" });
    const work = lists.create({ name: "Work" });
    const errand = todos.create({ contents: "Buy milk", list_id: home.id });
    todos.create({ contents: "Write to Jiho", list_id: work.id });
    todos.create({ contents: "Call the bank", list_id: work.id });
    todos.move(errand.id, { list_id: work.id, after: null });
    lists.update(home.id, { name: "House" });
    lists.move(work.id, { after: null });
    const shown = () =>
      lists
        .all()
        .map(({ id, name }) => [
          name,
          todos.all().flatMap(({ list_id, contents }) => (list_id === id ? [contents] : [])),
        ]);
    const expected = [
      ["Work", ["Buy milk", "Write to Jiho", "Call the bank"]],
      ["House", []],
    ];
    expect(shown()).toEqual(expected);
    await flush();
    expect(shown()).toEqual(expected);
    expect((await service.lists("mina")).map(({ name }) => name)).toEqual(["Work", "House"]);

    lists.delete(work.id);
    expect([lists.all().length, todos.all()]).toEqual([1, []]);
    await flush();
    expect([lists.all().length, todos.all(), await service.todos("mina")]).toEqual([1, [], []]);
  });

  test("is one of many: hundreds go in few requests, and in order", async () => {
    const service = await start();
    const device = await open(service, "mina");
    device.network.down();
    const all = Array.from({ length: 250 }, (_, i) => `todo ${i}`);
    for (const contents of all) device.todos.create({ contents });
    device.network.up();
    device.retry();
    await device.flush();
    expect(contentsOf(await service.todos("mina"))).toEqual(all);
    expect(service.count("POST /todos/batch")).toBe(3);
  });

  test("may be large: a batch stays below what the service takes", async () => {
    const service = await start();
    const device = await open(service, "mina");
    device.network.down();
    for (const digit of "0123456789") {
      device.todos.create({ contents: digit, notes: "우유".repeat(5_000) });
    }
    device.network.up();
    device.retry();
    await device.flush();
    const sizes = service.received.map(({ body }) => Buffer.byteLength(body));
    expect(Math.max(...sizes)).toBeLessThan(256 * 1024);
    expect(contentsOf(await service.todos("mina"))).toEqual([..."0123456789"]);
  });

  test("of one field many times is sent as one", async () => {
    const service = await start();
    const conflicts: Conflict[] = [];
    const device = await open(service, "mina", {
      onConflict: (conflict) => void conflicts.push(conflict),
    });
    const { id } = device.todos.create({ contents: "B" });
    await device.flush();
    device.network.down();
    for (const contents of ["Bu", "Buy", "Buy milk"]) device.todos.update(id, { contents });
    device.todos.update(id, { priority: 1 });
    device.network.up();
    device.retry();
    await device.flush();
    expect(await service.todos("mina")).toMatchObject([{ contents: "Buy milk", priority: 1 }]);
    const { operations } = JSON.parse(service.received.findLast(({ body }) => body)?.body ?? "{}");
    expect(operations).toEqual([
      { op: "update", id: 1, if_match: 1, contents: "Buy milk", priority: 1 },
    ]);
    expect(conflicts).toEqual([]);
  });

  test("stays as it was made when the app changes its own objects later", async () => {
    const service = await start();
    const device = await open(service, "mina");
    device.network.down();
    const draft = { contents: "Buy milk", due: { date: "2026-12-01" } };
    const { id } = device.todos.create(draft);
    draft.contents = "Buy bread";
    draft.due.date = "2026-12-02";
    // As the frameworks pass it that wrap the state of an app in proxies.
    device.todos.create(new Proxy(draft, {}));
    const notes = { notes: "two" };
    device.todos.update(id, notes);
    notes.notes = "three";
    device.network.up();
    device.retry();
    await device.flush();
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy milk", due: { date: "2026-12-01" }, notes: "two" },
      { contents: "Buy bread", due: { date: "2026-12-02" } },
    ]);
  });

  test("is told to whoever subscribed, and the rows are new objects only then", async () => {
    const service = await start();
    const { todos, subscribe, flush } = await open(service, "mina");
    await flush();
    let calls = 0;
    const end = subscribe(() => {
      calls++;
    });
    expect(todos.all()).toBe(todos.all());
    const before = todos.all();
    todos.create({ contents: "Buy milk" });
    expect(calls).toBe(1);
    expect(todos.all()).not.toBe(before);
    end();
    todos.create({ contents: "Buy bread" });
    expect(calls).toBe(1);
  });
});

describe("offline", () => {
  test("all of it works, and the service has it when the network is back", async () => {
    const service = await start();
    const device = await open(service, "mina");
    const { id } = device.todos.create({ contents: "Buy milk" });
    await device.flush();
    device.network.down();
    device.todos.update(id, { is_done: true });
    const bread = device.todos.create({ contents: "Buy bread" });
    device.todos.update(bread.id, { contents: "Bake bread" });
    device.todos.move(bread.id, { after: null });
    const salt = device.todos.create({ contents: "Buy salt" });
    device.todos.delete(salt.id);
    await device.until(() => device.status() === "offline");
    expect(device.error()).toBeInstanceOf(TypeError);
    expect(device.contents()).toEqual(["Bake bread", "Buy milk"]);
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk"]);

    device.network.up();
    device.retry();
    await device.flush();
    await device.until(() => device.status() === "live");
    expect(device.error()).toBeUndefined();
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Bake bread" },
      { contents: "Buy milk", is_done: true },
    ]);
  });

  test("a place holds that was chosen after a move into another list", async () => {
    const service = await start();
    const device = await open(service, "mina");
    const list_id = device.lists.create({ name: "Groceries" }).id;
    const milk = device.todos.create({ contents: "milk", list_id });
    device.todos.create({ contents: "bread", list_id });
    const [salt, rice, tea] = ["salt", "rice", "tea"].map((contents) =>
      device.todos.create({ contents }),
    );
    if (!salt || !rice || !tea) throw new Error("three todos");
    await device.flush();
    device.network.down();
    device.todos.move(salt.id, { list_id });
    device.todos.move(salt.id, { after: milk.id });
    device.todos.move(rice.id, { list_id, after: salt.id });
    device.todos.move(tea.id, { list_id, after: null });
    const expected = ["tea", "milk", "salt", "rice", "bread"];
    expect(device.contents()).toEqual(expected);
    device.network.up();
    device.retry();
    await device.flush();
    expect(contentsOf(await service.todos("mina"))).toEqual(expected);
    expect(device.contents()).toEqual(expected);
  });

  test("the service is asked again by itself, and not too often", async () => {
    const service = await start();
    const device = await open(service, "mina");
    await device.flush();
    service.instead = () => new Response("<h1>Bad Gateway</h1>", { status: 502 });
    service.received.length = 0;
    device.todos.create({ contents: "Buy milk" });
    await device.until(() => device.status() === "offline");
    await Bun.sleep(300);
    expect(service.count("POST /todos/batch") + service.count("GET /todos/changes")).toBeLessThan(
      4,
    );
    service.instead = () => undefined;
    await device.flush();
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk"]);
  });

  test("the service is not asked before the time that it has named, however much is changed", async () => {
    const service = await start();
    const device = await open(service, "mina");
    await device.flush();
    service.instead = (route) =>
      route === "POST /todos/batch"
        ? new Response(null, { status: 429, headers: { "retry-after": "60" } })
        : undefined;
    for (let i = 0; i < 5; i++) {
      device.todos.create({ contents: `todo ${i}` });
      await device.until(() => device.status() === "offline");
      await Bun.sleep(20);
    }
    expect(service.count("POST /todos/batch")).toBe(1);
    service.instead = () => undefined;
    // The user may ask at once.
    device.retry();
    await device.flush();
    expect(await service.todos("mina")).toHaveLength(5);
  });
});

describe("a request that hangs", () => {
  const hanging: [what: string, route: string, hang: () => Promise<Response>][] = [
    ["without an answer", "POST /todos/batch", () => new Promise(() => {})],
    [
      "in the midst of its answer",
      "GET /todos/changes",
      async () => new Response(new ReadableStream()),
    ],
  ];
  test.each(hanging)("%s is given up, and sent again: %s", async (_, hangs, hang) => {
    const service = await start();
    const network = createNetwork();
    let hung = 0;
    const slow = {
      ...network,
      async fetch(...request: Parameters<typeof network.fetch>) {
        const [url, { method = "GET" }] = request;
        const isSlow = `${method} ${new URL(url).pathname}` === hangs && hung < 2;
        if (isSlow) hung++;
        return isSlow ? hang() : network.fetch(...request);
      },
    };
    const { timeout } = AbortSignal;
    // The time until then is not part of the test.
    using limit = spyOn(AbortSignal, "timeout").mockImplementation(() => timeout(300));
    const device = await open(service, "mina", { network: slow });
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    expect(hung).toBe(2);
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk"]);
    // A slow network gets more time after each failure.
    expect([...new Set(limit.mock.calls.flat())].slice(0, 3)).toEqual([30_000, 60_000, 90_000]);
  });
});

describe("a lost answer", () => {
  test("makes no duplicate: the same request is sent again", async () => {
    const service = await start();
    const device = await open(service, "mina");
    await device.flush();
    let lost = 0;
    device.network.loses = (route) => route.startsWith("POST") && ++lost <= 2;
    device.lists.create({ name: "Home" });
    device.todos.create({ contents: "Buy milk" });
    await device.until(() => device.status() === "offline");
    device.retry();
    await device.flush();
    expect(lost).toBeGreaterThan(3);
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk"]);
    expect(await service.lists("mina")).toHaveLength(1);
  });

  test("makes none after a crash either", async () => {
    const service = await start();
    const store = memoryStore();
    const first = await open(service, "mina", { store });
    await first.flush();
    first.network.loses = (route) => route === "POST /todos/batch";
    first.todos.create({ contents: "Buy milk" });
    first.todos.create({ contents: "Buy bread" });
    await first.until(() => first.status() === "offline");
    const crashed = await frozen(store, first.user);

    const network = createNetwork();
    network.down();
    const second = await open(service, "mina", { store: crashed, network });
    const shown = new Set<string>();
    second.subscribe(() => shown.add(second.contents().join()));
    network.up();
    second.retry();
    await second.flush();
    // And nobody ever saw one of them twice.
    expect([...shown]).toEqual(["Buy milk,Buy bread"]);
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk", "Buy bread"]);
    const [one, two] = service.received.filter(({ route }) => route === "POST /todos/batch");
    expect(two?.body).toBe(one?.body ?? "");
  });

  test("makes none after so long that the service no longer knows the request", async () => {
    const service = await start();
    const store = memoryStore();
    const first = await open(service, "mina", { store });
    await first.flush();
    first.network.loses = (route) => route.startsWith("POST");
    const twice = { contents: "Buy milk" };
    first.todos.create(twice);
    const { id } = first.todos.create(twice);
    await first.until(() => first.status() === "offline");
    first.todos.update(id, { priority: 2 });
    // The store has it a moment later.
    await Bun.sleep(5);
    const crashed = await frozen(store, first.user);
    await passDay(crashed, first.user);
    await first.close();
    service.received.length = 0;

    const second = await open(service, "mina", { store: crashed });
    await second.flush();
    // Each todo is recognized as one of the two, so the queued change for the second one reaches the second one.
    expect(await service.todos("mina")).toMatchObject([twice, { ...twice, priority: 2 }]);
    expect(service.received.map(({ body }) => body).join()).not.toContain("create");
    expect(second.todos.all()).toMatchObject([
      { ...twice, pending: false },
      { ...twice, priority: 2, pending: false },
    ]);
  });

  test("of long ago is not taken for that of another todo with the same text", async () => {
    const service = await start();
    const store = memoryStore();
    const first = await open(service, "mina", { store });
    const { id } = first.lists.create({ name: "Home" });
    await first.flush();
    // This request does not even arrive, but the client cannot know that.
    service.instead = (route) =>
      route === "POST /todos/batch" ? new Response(null, { status: 504 }) : undefined;
    const milk = { contents: "Buy milk", notes: "two", due: { date: "2026-12-01" } };
    first.todos.create({ ...milk, list_id: id });
    await first.until(() => first.status() === "offline");
    await passDay(store, first.user);
    await first.close();
    service.instead = () => undefined;
    const other = await open(service, "mina");
    other.todos.create({ contents: "Buy milk" });
    await other.flush();
    const second = await open(service, "mina", { store });
    await second.flush();
    expect(await service.todos("mina")).toMatchObject([
      { notes: null, list_id: null },
      { ...milk, list_id: 1 },
    ]);
  });

  test("of long ago makes no refusal of what was restored", async () => {
    const refusals: Refusal[] = [];
    const service = await start();
    const store = memoryStore();
    const first = await open(service, "mina", { store });
    const { id } = first.todos.create({ contents: "Buy milk" });
    await first.flush();
    const todo = first.todos.get(id);
    if (!todo) throw new Error("no todo");
    first.todos.delete(id);
    await first.flush();
    first.network.loses = (route) => route.endsWith("/restore");
    first.todos.restore(todo);
    await first.until(() => first.status() === "offline");
    await passDay(store, first.user);
    await first.close();
    const second = await open(service, "mina", {
      store,
      onRefused: (refusal) => refusals.push(refusal),
    });
    await second.flush();
    await Bun.sleep(0);
    expect([refusals, second.contents()]).toEqual([[], ["Buy milk"]]);
  });

  test("is prepared for: what is sent is in the store before it leaves", async () => {
    const service = await start();
    const store = slowStore(5);
    const device = await open(service, "mina", { store });
    let stored: Promise<Record<string, unknown>> | undefined;
    service.instead = (route) => {
      if (route === "POST /todos/batch") stored = store.read(device.user);
      return undefined;
    };
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    expect(await stored).toMatchObject({ sending: { path: "/todos/batch" } });
  });

  test("makes no conflict with oneself", async () => {
    const conflicts: Conflict[] = [];
    const service = await start();
    const device = await open(service, "mina", {
      onConflict: (conflict) => void conflicts.push(conflict),
    });
    const { id } = device.todos.create({ contents: "Buy milk" });
    await device.flush();
    let lost = 0;
    device.network.loses = (route) => route === "POST /todos/batch" && ++lost === 1;
    device.todos.update(id, { due: { date: "2026-12-01", time: "09:00", zone: "Asia/Seoul" } });
    await device.until(() => device.status() === "offline");
    device.todos.update(id, { due: { date: "2026-12-02" } });
    await device.flush();
    expect(conflicts).toEqual([]);
    expect(await service.todos("mina")).toMatchObject([
      { due: { date: "2026-12-02", time: null } },
    ]);
  });

  test("is an error of the service's own too", async () => {
    const refusals: Refusal[] = [];
    const service = await start();
    const device = await open(service, "mina", {
      onRefused: (refusal) => refusals.push(refusal),
    });
    let failures = 0;
    service.instead = (route) =>
      route === "POST /todos/batch" && ++failures === 1
        ? new Response('{"code":"internal_error"}', {
            status: 500,
            headers: { "content-type": "application/problem+json" },
          })
        : undefined;
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    expect([refusals, (await service.todos("mina")).length]).toEqual([[], 1]);
  });
});

describe("an answer that is not the service's", () => {
  const answers: [what: string, answer: () => Response][] = [
    ["JSON with a status of success", () => Response.json({ status: "maintenance" })],
    ["a page with a status of success", () => new Response("<h1>Please log in</h1>")],
    ["nothing", () => new Response(null, { status: 204 })],
    [
      "a problem of a gateway",
      () =>
        new Response('{"title":"Forbidden","status":403}', {
          status: 403,
          headers: { "content-type": "application/problem+json" },
        }),
    ],
  ];

  test.each(answers)("settles no change: %s", async (_, answer) => {
    const refusals: Refusal[] = [];
    const service = await start();
    const device = await open(service, "mina", {
      onRefused: (refusal) => refusals.push(refusal),
    });
    const replaced = new Set<string>();
    service.instead = (route) => {
      if (!route.startsWith("POST") || replaced.has(route)) return undefined;
      replaced.add(route);
      return answer();
    };
    const { id } = device.lists.create({ name: "Home" });
    device.todos.create({ contents: "Buy milk", list_id: id });
    await device.flush();
    expect([...replaced]).toEqual(["POST /lists", "POST /todos/batch"]);
    expect(refusals).toEqual([]);
    expect(await service.lists("mina")).toMatchObject([{ name: "Home" }]);
    expect(await service.todos("mina")).toMatchObject([{ contents: "Buy milk", list_id: 1 }]);
  });
});

/** A store that takes some milliseconds for each write. */
function slowStore(milliseconds: number): SyncStore {
  const inner = memoryStore();
  return {
    ...inner,
    async write(user, changes) {
      await Bun.sleep(milliseconds);
      await inner.write(user, changes);
    },
  };
}

/** Makes the request that is under way so old that the service has forgotten it. */
async function passDay(store: SyncStore, user: string) {
  // The store has the request a moment after the copy has it.
  await Bun.sleep(5);
  const { sending } = await store.read(user);
  const at = new Date(Date.now() - 24 * 3_600_000).toISOString();
  await store.write(user, { sending: Object.assign(Object(sending), { at }) });
}

/** The content of a store at this moment, as after a crash. */
async function frozen(store: SyncStore, user: string): Promise<SyncStore> {
  const copy = memoryStore();
  await copy.write(user, await store.read(user));
  return copy;
}

describe("while the store refuses", () => {
  /** A device with a store that refuses some writes, and the errors that the device reported. */
  async function refusing(options?: { network: ReturnType<typeof createNetwork> }) {
    const service = await start();
    const inner = memoryStore();
    const refusal = new Error("The store is full");
    const errors: unknown[] = [];
    const store = {
      ...inner,
      refuses: (_changes: Record<string, unknown>) => false,
      async write(user: string, changes: Record<string, unknown>) {
        if (store.refuses(changes)) throw refusal;
        await inner.write(user, changes);
      },
    };
    const device = await open(service, "mina", {
      ...options,
      store,
      onStoreError: (error) => errors.push(error),
    });
    return { service, store, refusal, errors, device };
  }

  test("nothing is sent, and all is sent by itself when the store works again", async () => {
    const { service, store, refusal, errors, device } = await refusing();
    await device.flush();
    store.refuses = () => true;
    device.todos.create({ contents: "Buy milk" });
    await device.until(() => device.error() === refusal);
    expect(device.todos.all()).toMatchObject([{ contents: "Buy milk", pending: true }]);
    expect(errors).toContain(refusal);
    expect(service.count("POST /todos/batch")).toBe(0);
    // The next try is not at once.
    const before = errors.length;
    await Bun.sleep(200);
    expect(errors).toHaveLength(before);
    store.refuses = () => false;
    await device.flush();
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk"]);
    expect(service.count("POST /todos/batch")).toBe(1);
    await device.until(() => device.status() === "live");
    // The store has also what it refused before.
    await Bun.sleep(5);
    expect(await store.read(device.user)).toMatchObject({ "todo/1": { contents: "Buy milk" } });
  });

  test("a request has not left that a crash makes the client forget", async () => {
    const { service, store, device } = await refusing();
    await device.flush();
    store.refuses = (changes) => "sending" in changes;
    device.network.loses = (route) => route === "POST /todos/batch";
    device.todos.create({ contents: "Buy milk" });
    await device.until(() => device.status() === "offline");
    const crashed = await frozen(store, device.user);
    await device.close();
    const second = await open(service, "mina", { store: crashed });
    await second.flush();
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk"]);
  });

  test("no request leaves before the store knows that the last one is done", async () => {
    const { service, store, errors, device } = await refusing();
    await device.flush();
    store.refuses = (changes) => changes.sending === null;
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    while (errors.length === 0) await Bun.sleep(1);
    store.refuses = () => false;
    device.network.loses = (route) => route === "POST /todos/batch";
    device.todos.create({ contents: "Buy bread" });
    await device.until(() => device.status() === "offline");
    const crashed = await frozen(store, device.user);
    await device.close();
    const second = await open(service, "mina", { store: crashed });
    await second.flush();
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk", "Buy bread"]);
  });

  test("a change waits for the store, also without a network", async () => {
    const network = createNetwork();
    const { store, errors, device } = await refusing({ network });
    await device.flush();
    network.down();
    store.refuses = () => true;
    device.todos.create({ contents: "Buy milk" });
    await device.until(() => device.status() === "offline");
    expect(errors).not.toEqual([]);
    store.refuses = () => false;
    const keys = async () => Object.keys(await store.read(device.user));
    while (!(await keys()).some((key) => key.startsWith("queue/"))) await Bun.sleep(5);
  });

  test("a log-out empties it, and what it refused does not come back", async () => {
    const { store, device } = await refusing();
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    while (!("todo/1" in (await store.read(device.user)))) await Bun.sleep(1);
    store.refuses = () => true;
    device.todos.create({ contents: "Buy bread" });
    await device.until(() => device.status() === "offline");
    await device.client.users["log-out"].post();
    await device.ready();
    store.refuses = () => false;
    await Bun.sleep(5);
    expect([await store.read(device.user), device.status()]).toEqual([{}, "logged-out"]);
  });
});

describe("while the store cannot be read", () => {
  /** A device with a store that fails at first, and the errors that the device reported. */
  async function unreadable() {
    const service = await start();
    const device = await open(service, "mina");
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    const inner = memoryStore();
    const errors: unknown[] = [];
    const store: SyncStore = { ...inner, read: () => Promise.reject(new Error("No disk")) };
    const sync = createSync(device.client, { store, onStoreError: (error) => errors.push(error) });
    await sync.ready();
    expect([sync.status(), errors]).toEqual(["logged-out", [new Error("No disk")]]);
    return { sync, inner, store };
  }

  /** Resolves when the copy is there and up to date. */
  const loaded = (sync: Sync) =>
    new Promise<void>((resolve) => {
      sync.subscribe(() => {
        if (contentsOf(sync.todos.all()).join() === "Buy milk") resolve();
      });
    });

  test("it is read again by itself", async () => {
    const { sync, inner, store } = await unreadable();
    store.read = inner.read;
    await loaded(sync);
    await sync.close();
  });

  test("it is read again at once on retry()", async () => {
    const { sync, inner, store } = await unreadable();
    store.read = inner.read;
    sync.retry();
    await sync.ready();
    expect(sync.status()).toBe("connecting");
    await loaded(sync);
    await sync.close();
  });
});

describe("a visit later", () => {
  test("the rows are there without a network, and what was queued is sent", async () => {
    const service = await start();
    const store = memoryStore();
    const network = createNetwork();
    const first = await open(service, "mina", { store, network });
    const { id } = first.todos.create({ contents: "Buy milk" });
    await first.flush();
    network.down();
    first.todos.update(id, { priority: 3 });
    first.todos.create({ contents: "Buy bread" });
    await first.close();

    const second = await open(service, "mina", { store, network });
    expect(second.todos.all()).toMatchObject([
      { contents: "Buy milk", priority: 3 },
      { contents: "Buy bread" },
    ]);
    network.up();
    second.retry();
    await second.flush();
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy milk", priority: 3 },
      { contents: "Buy bread" },
    ]);
  });

  test("all is there that was queued just before the page was closed", async () => {
    const service = await start();
    const store = slowStore(20);
    const device = await open(service, "mina", { store });
    device.network.down();
    device.todos.create({ contents: "Buy milk" });
    device.todos.create({ contents: "Buy bread" });
    await device.close();
    const kept = JSON.stringify(await store.read(device.user));
    expect(kept).toContain("Buy milk");
    expect(kept).toContain("Buy bread");
  });

  test("a store whose writes never end does not keep a copy open", async () => {
    const service = await start();
    const inner = memoryStore();
    let hangs = false;
    const store: SyncStore = {
      ...inner,
      write: (...entries) => (hangs ? new Promise(() => {}) : inner.write(...entries)),
    };
    const device = await open(service, "mina", { store });
    hangs = true;
    device.todos.create({ contents: "Buy milk" });
    await device.close();
    expect(device.status()).toBe("logged-out");
  });

  test("what was queued for a row finds it by the id that it got meanwhile", async () => {
    const service = await start();
    const first = await open(service, "mina");
    const { id } = first.lists.create({ name: "Home" });
    await first.flush();
    // The state that a crash leaves between the answer for the list and the request for the todo.
    const store = memoryStore();
    const operation = {
      type: "todo",
      op: "create",
      id: -6,
      fields: { contents: "a", list_id: id },
    };
    await store.write(first.user, {
      [`alias/${id}`]: { from: id, to: first.lists.get(id)?.id },
      "queue/0000000000000001-x": {
        key: "0000000000000001-x",
        at: new Date().toISOString(),
        operation,
      },
    });
    const second = await open(service, "mina", { store });
    await second.flush();
    expect(await service.todos("mina")).toMatchObject([{ contents: "a", list_id: 1 }]);
    // When nothing is queued any more, nobody needs the old id.
    await second.close();
    await (await open(service, "mina", { store })).close();
    expect(Object.keys(await store.read(first.user)).filter((key) => /alias/.test(key))).toEqual(
      [],
    );
  });

  test("only what has changed since is fetched", async () => {
    const service = await start();
    const store = memoryStore();
    const first = await open(service, "mina", { store });
    for (let i = 0; i < 30; i++) first.todos.create({ contents: `todo ${i}` });
    await first.flush();
    await first.close();
    const other = await open(service, "mina");
    await other.until(() => other.contents().length === 30);
    other.todos.delete(other.todos.all()[0]?.id ?? 0);
    await other.flush();

    service.received.length = 0;
    const second = await open(service, "mina", { store });
    await second.until(() => second.contents().length === 29);
    const fetched = service.received.filter(({ route }) => route === "GET /todos/changes");
    expect(fetched.every(({ query }) => query.has("since"))).toBe(true);
  });
});

describe("users", () => {
  test("a log-out empties the store", async () => {
    const service = await start();
    const store = memoryStore();
    const { user, client, todos, flush, ready, status } = await open(service, "mina", {
      store,
    });
    todos.create({ contents: "Buy milk" });
    await flush();
    await client.users["log-out"].post();
    await ready();
    expect([todos.all(), status()]).toEqual([[], "logged-out"]);
    expect(await store.read(user)).toEqual({});
    expect(() => todos.create({ contents: "Buy bread" })).toThrow("No user is logged in");
  });

  test("a log-out empties the store also when the session had ended before", async () => {
    const service = await start();
    const store = memoryStore();
    const { user, client, todos, network, flush, ready, status, tokens } = await open(
      service,
      "mina",
      { store },
    );
    todos.create({ contents: "Buy milk" });
    await flush();
    // Nothing else finds out first.
    network.loses = (route) => !route.includes("/users/");
    await service.endSessions("mina");
    expect((await client.users["log-out"].post()).status).toBe(401);
    await ready();
    expect([await store.read(user), status(), await tokens.get()]).toEqual([
      {},
      "logged-out",
      null,
    ]);
  });

  test("a log-out empties the store also when another tab has taken the tokens away", async () => {
    const service = await start();
    const store = memoryStore();
    const device = await open(service, "mina", { store });
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    await device.tokens.set(null);
    expect((await device.client.users["log-out"].post()).status).toBe(401);
    await device.ready();
    expect([await store.read(device.user), device.status()]).toEqual([{}, "logged-out"]);
  });

  test("a log-out empties the store also when its answer is lost", async () => {
    const service = await start();
    const store = memoryStore();
    const device = await open(service, "mina", { store });
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    device.network.loses = (route) => route === "POST /users/log-out";
    await expect(device.client.users["log-out"].post()).rejects.toThrow(TypeError);
    await device.until(() => device.status() === "logged-out");
    await device.ready();
    expect(await store.read(device.user)).toEqual({});
  });

  test("a log-out empties the store later when the store refuses it", async () => {
    const service = await start();
    const inner = memoryStore();
    const errors: unknown[] = [];
    const store: SyncStore = { ...inner, clear: () => Promise.reject(new Error("No disk")) };
    const device = await open(service, "mina", {
      store,
      onStoreError: (error) => errors.push(error),
    });
    device.todos.create({ contents: "Buy milk" });
    await device.flush();
    await device.client.users["log-out"].post();
    await device.ready();
    expect([device.status(), errors]).toEqual(["logged-out", [new Error("No disk")]]);
    expect(await store.read(device.user)).toMatchObject({ "todo/1": { contents: "Buy milk" } });
    store.clear = inner.clear;
    while (Object.keys(await store.read(device.user)).length > 0) await Bun.sleep(5);
    await device.client.users["log-in"].post({ username: "mina", password: PASSWORD });
    await device.until(() => device.contents().join() === "Buy milk");
  });

  test("each has a copy of their own, on one device as well", async () => {
    const service = await start();
    const store = memoryStore();
    const { client, todos, flush, ready, network, contents } = await open(service, "mina", {
      store,
    });
    todos.create({ contents: "Mina's" });
    await flush();
    network.loses = (route) => route.startsWith("POST /todos");
    todos.create({ contents: "Mina's second" });
    await service.idOf("jiho");
    await client.users["log-in"].post({ username: "jiho", password: PASSWORD });
    await ready();
    expect(todos.all()).toEqual([]);
    network.loses = () => false;
    todos.create({ contents: "Jiho's" });
    await flush();
    expect(contentsOf(await service.todos("jiho"))).toEqual(["Jiho's"]);
    // Nobody has logged out, so Mina's queue is sent when she is back.
    await client.users["log-in"].post({ username: "mina", password: PASSWORD });
    await ready();
    await flush();
    expect(contents()).toEqual(["Mina's", "Mina's second"]);
    expect(contentsOf(await service.todos("mina"))).toEqual(["Mina's", "Mina's second"]);
  });

  test("what one queued is not sent for another who has logged in in another tab", async () => {
    const service = await start();
    const store = memoryStore();
    const { user, tokens, todos, until, network } = await open(service, "mina", { store });
    network.down();
    todos.create({ contents: "Mina's" });
    const jiho = await open(service, "jiho");
    jiho.todos.create({ contents: "Jiho's" });
    await jiho.flush();
    await tokens.set(await jiho.tokens.get());
    network.up();
    // The next request finds out.
    await until(() => contentsOf(todos.all()).join() === "Jiho's");
    expect(contentsOf(await service.todos("jiho"))).toEqual(["Jiho's"]);
    expect(await service.todos("mina")).toEqual([]);
    const kept = JSON.stringify(await store.read(user));
    expect(kept).toContain("Mina's");
  });

  test("another log-in of the same user changes nothing", async () => {
    const service = await start();
    const { client, todos, ready, flush } = await open(service, "mina");
    todos.create({ contents: "Buy milk" });
    await flush();
    const before = todos.all();
    await client.users["log-in"].post({ username: "mina", password: PASSWORD });
    await ready();
    expect(todos.all()).toBe(before);
  });

  test("a session that ends takes nothing along", async () => {
    const service = await start();
    const store = memoryStore();
    const { client, todos, until, status, network, flush, ready, contents } = await open(
      service,
      "mina",
      { store },
    );
    await flush();
    network.loses = (route) => route.startsWith("POST /todos");
    todos.create({ contents: "Buy milk" });
    await service.endSessions("mina");
    await until(() => status() === "logged-out");
    expect(todos.all()).toEqual([]);
    network.loses = () => false;
    await client.users["log-in"].post({ username: "mina", password: PASSWORD });
    await ready();
    expect(contents()).toEqual(["Buy milk"]);
    await flush();
    expect(contentsOf(await service.todos("mina"))).toEqual(["Buy milk"]);
  });
});
