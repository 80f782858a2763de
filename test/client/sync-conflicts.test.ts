/** What happens to a change when others have changed the same row before, or when the service refuses it. */
import { afterEach, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import {
  type Conflict,
  memoryStore,
  type Refusal,
  type SyncOptions,
} from "../../src/client/sync.ts";
import { createScene, type Device } from "./device.ts";

// Each test starts a service, and some wait for a second try. On a busy machine that takes its time.
setDefaultTimeout(60_000);

const { start, open, closeAll } = createScene();
afterEach(closeAll);

/** Two devices of one user that show the same todo. The second one is offline. */
async function apart(options?: SyncOptions) {
  const service = await start();
  const here = await open(service, "mina");
  const away = await open(service, "mina", options);
  here.todos.create({ contents: "Buy milk", notes: "two", due: { date: "2026-12-01" } });
  // Before the answer, `here` does not know the id that the service has given.
  await here.flush();
  await away.until(() => away.todos.all().length === 1);
  away.network.down();
  const id = away.todos.all()[0]?.id ?? 0;
  return { service, here, away, id };
}

async function reunite(here: Device, away: Device) {
  away.network.up();
  away.retry();
  await away.flush();
  const rows = (device: Device) => JSON.stringify(device.todos.all().map(({ key, ...row }) => row));
  while (rows(here) !== rows(away)) await Bun.sleep(2);
}

/** Makes sure that the later of two changes is also later by the clock. */
const tick = () => Bun.sleep(3);

describe("two devices that changed one todo", () => {
  test("keep both changes when these were of different fields", async () => {
    const { service, here, away, id } = await apart();
    here.todos.update(id, { priority: 3, notes: null });
    await here.flush();
    away.todos.update(id, { contents: "Buy oat milk", is_done: true });
    await reunite(here, away);
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy oat milk", is_done: true, priority: 3, notes: null },
    ]);
  });

  test("keep the later one of the same field: that of the device that was away", async () => {
    const { service, here, away, id } = await apart();
    here.todos.update(id, { contents: "Buy oat milk", priority: 1 });
    await here.flush();
    await tick();
    away.todos.update(id, { contents: "Buy soy milk", notes: "three" });
    await reunite(here, away);
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy soy milk", priority: 1, notes: "three" },
    ]);
  });

  test("keep the later one of the same field: that of the device that was online", async () => {
    const { service, here, away, id } = await apart();
    away.todos.update(id, { contents: "Buy soy milk", notes: "three" });
    await tick();
    here.todos.update(id, { contents: "Buy oat milk" });
    await here.flush();
    await reunite(here, away);
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy oat milk", notes: "three" },
    ]);
  });

  test("keep what was set last, however often it was set before", async () => {
    const { service, here, away, id } = await apart();
    away.todos.update(id, { contents: "Buy soy milk" });
    await tick();
    here.todos.update(id, { contents: "Buy oat milk" });
    await here.flush();
    await tick();
    away.todos.update(id, { contents: "Buy rice milk" });
    await reunite(here, away);
    expect(await service.todos("mina")).toMatchObject([{ contents: "Buy rice milk" }]);
  });

  test("keep the later one of each field, when one of them changed another field later", async () => {
    const conflicts: Conflict[] = [];
    const { service, here, away, id } = await apart({
      onConflict: (conflict) => void conflicts.push(conflict),
    });
    away.todos.update(id, { contents: "Buy soy milk", notes: "three" });
    await tick();
    here.todos.update(id, { contents: "Buy oat milk", notes: "four" });
    await here.flush();
    await tick();
    away.todos.update(id, { priority: 2, notes: "five" });
    await reunite(here, away);
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy oat milk", priority: 2, notes: "five" },
    ]);
    const [contents, notes] = conflicts;
    expect([contents, notes]).toMatchObject([
      { field: "contents", before: "Buy milk", mine: "Buy soy milk" },
      { field: "notes", before: "two", mine: "five" },
    ]);
    const changed = contents?.row.updated_at ?? "";
    expect(Date.parse(contents?.at ?? "")).toBeLessThan(Date.parse(changed));
    expect(Date.parse(notes?.at ?? "")).toBeGreaterThan(Date.parse(changed));
  });

  test("keep the later one of each field, also when the changes are from an earlier visit", async () => {
    const { service, here, away, id } = await apart();
    here.todos.update(id, { contents: "Buy oat milk", notes: "four" });
    await here.flush();
    await away.close();
    // As every version of the client has stored them.
    const queued = (key: string, minutes: number, fields: object, before: object) => ({
      [`queue/${key}`]: {
        key,
        at: new Date(Date.now() + minutes * 60_000).toISOString(),
        operation: { type: "todo", op: "update", id: 1, fields, before },
      },
    });
    const store = memoryStore();
    await store.write(away.user, {
      ...queued("0000000000000001-x", -2, { contents: "Buy soy milk" }, { contents: "Buy milk" }),
      ...queued("0000000000000002-x", 2, { notes: "five" }, { notes: "two" }),
    });
    const later = await open(service, "mina", { store });
    await later.flush();
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy oat milk", notes: "five" },
    ]);
  });

  test("have no conflict where both did the same", async () => {
    const conflicts: Conflict[] = [];
    const { service, here, away, id } = await apart({
      onConflict: (conflict) => void conflicts.push(conflict),
    });
    here.todos.update(id, { is_done: true, due: { date: "2026-12-02", time: "10:00" } });
    await here.flush();
    const before = await service.todos("mina");
    away.todos.update(id, { is_done: true, due: { time: "10:00", date: "2026-12-02" } });
    await reunite(here, away);
    expect([conflicts, await service.todos("mina")]).toEqual([[], before]);
  });

  test("may decide for themselves by onConflict, field by field", async () => {
    const conflicts: Conflict[] = [];
    const { service, here, away, id } = await apart({
      onConflict(conflict) {
        conflicts.push(conflict);
        return conflict.field === "contents" ? `${conflict.mine} / ${conflict.theirs}` : undefined;
      },
    });
    here.todos.update(id, { contents: "Buy oat milk", priority: 1 });
    await here.flush();
    await tick();
    away.todos.update(id, { contents: "Buy soy milk", priority: 2, notes: "three" });
    await reunite(here, away);
    expect(conflicts).toMatchObject([
      { field: "contents", before: "Buy milk", mine: "Buy soy milk", theirs: "Buy oat milk" },
      { field: "priority", before: 0, mine: 2, theirs: 1, row: { id } },
    ]);
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy soy milk / Buy oat milk", priority: 2, notes: "three" },
    ]);
  });

  test("decide by the times when onConflict throws, and the error is reported", async () => {
    const failure = new Error("An error of the app");
    const { service, here, away, id } = await apart({
      onConflict() {
        throw failure;
      },
    });
    here.todos.update(id, { contents: "Buy oat milk" });
    await here.flush();
    await tick();
    away.todos.update(id, { contents: "Buy soy milk" });
    // Without this, the runner would take the uncaught error for a failure of this test.
    const reported: unknown[] = [];
    const { queueMicrotask: enqueue } = globalThis;
    using _ = spyOn(globalThis, "queueMicrotask").mockImplementation((work) =>
      enqueue(() => {
        try {
          work();
        } catch (error) {
          reported.push(error);
        }
      }),
    );
    await reunite(here, away);
    expect(reported).toEqual([failure]);
    expect(await service.todos("mina")).toMatchObject([{ contents: "Buy soy milk" }]);
  });

  test("are told of the row as it is now when it changed at the last moment", async () => {
    const { service, here, away, id } = await apart();
    away.todos.update(id, { contents: "Buy soy milk" });
    // The change by `here` arrives after `away` has fetched the changes and before it sends.
    let isDue = true;
    service.instead = (route) => {
      if (route === "POST /todos/batch" && isDue) {
        isDue = false;
        here.todos.update(id, { priority: 2 });
        return new Response(null, { status: 503, headers: { "retry-after": "1" } });
      }
      return undefined;
    };
    const reunited = reunite(here, away);
    await here.until(() => here.todos.get(id)?.priority === 2 && here.pending() === 0);
    await reunited;
    expect(await service.todos("mina")).toMatchObject([{ contents: "Buy soy milk", priority: 2 }]);
    const batches = service.received.filter(({ route }) => route === "POST /todos/batch");
    expect(batches.map(({ status }) => status)).toContain(503);
  });

  test("end with the same order after moves of both", async () => {
    const { here, away } = await apart();
    for (const contents of ["b", "c", "d"]) here.todos.create({ contents });
    await here.flush();
    await reunite(here, away);
    away.network.down();
    const [a, b, c, d] = here.todos.all().map(({ id }) => id);
    if (!a || !b || !c || !d) throw new Error("four todos");
    here.todos.move(d, { after: null });
    here.todos.move(a, { after: c });
    await here.flush();
    away.todos.move(c, { after: null });
    away.todos.move(b, {});
    await reunite(here, away);
    expect(away.todos.all().map(({ id }) => id)).toEqual([c, d, a, b]);
  });

  test("put a list last whose neighbor was deleted elsewhere", async () => {
    const service = await start();
    const here = await open(service, "mina");
    const refusals: Refusal[] = [];
    const away = await open(service, "mina", { onRefused: (refusal) => refusals.push(refusal) });
    const [a, b, c] = ["a", "b", "c"].map((name) => here.lists.create({ name }).id);
    if (!a || !b || !c) throw new Error("three lists");
    await here.flush();
    await away.until(() => away.lists.all().length === 3);
    away.network.down();
    // A request that was already tried is repeated unchanged. The move was not tried yet.
    away.todos.create({ contents: "Buy milk" });
    await away.until(() => away.status() === "offline");
    const [first, second] = away.lists.all();
    away.lists.move(first?.id ?? 0, { after: second?.id ?? 0 });
    here.lists.delete(b);
    await here.flush();
    await reunite(here, away);
    expect(refusals).toEqual([]);
    expect((await service.lists("mina")).map(({ name }) => name)).toEqual(["c", "a"]);
    expect(away.lists.all().map(({ name }) => name)).toEqual(["c", "a"]);
  });

  test("may be of lists too", async () => {
    const service = await start();
    const here = await open(service, "mina");
    const away = await open(service, "mina");
    here.lists.create({ name: "Home" });
    await here.flush();
    await away.until(() => away.lists.all().length === 1);
    const id = away.lists.all()[0]?.id ?? 0;
    away.network.down();
    away.lists.update(id, { name: "Flat" });
    await tick();
    here.lists.update(id, { name: "House" });
    await here.flush();
    await reunite(here, away);
    expect(await service.lists("mina")).toMatchObject([{ name: "House" }]);
    expect(away.lists.all()).toMatchObject([{ name: "House" }]);
  });
});

describe("what the service refuses", () => {
  async function refusing(environment?: Record<string, string>) {
    const refusals: Refusal[] = [];
    const service = await start(environment);
    const device = await open(service, "mina", {
      onRefused: (refusal) => refusals.push(refusal),
    });
    return { service, device, refusals };
  }

  test("comes to onRefused with the problem, and is undone; the rest is kept", async () => {
    const { service, device, refusals } = await refusing();
    const { id } = device.todos.create({ contents: "Buy milk" });
    await device.flush();
    device.todos.update(id, { contents: "" });
    device.todos.create({ contents: "Buy bread" });
    await device.flush();
    await Bun.sleep(0);
    expect(refusals).toMatchObject([
      {
        operation: { type: "todo", op: "update", fields: { contents: "" } },
        problem: { status: 422, code: "validation_failed", detail: expect.any(String) },
      },
    ]);
    expect(device.contents()).toEqual(["Buy milk", "Buy bread"]);
    expect(await service.todos("mina")).toHaveLength(2);
  });

  test("takes no other change of the same todo along", async () => {
    const { service, device, refusals } = await refusing();
    const { id } = device.todos.create({ contents: "Buy milk" });
    await device.flush();
    device.network.down();
    device.todos.update(id, { is_done: true });
    device.todos.update(id, { contents: "" });
    device.todos.update(id, { contents: "Buy oat milk" });
    device.todos.update(id, { priority: 9 });
    device.todos.create({ contents: "Buy bread" });
    const stop = device.subscribe(() => expect(device.contents()[0]).toBe("Buy oat milk"));
    device.network.up();
    device.retry();
    await device.flush();
    stop();
    await Bun.sleep(0);
    expect(refusals.map(({ operation }) => operation)).toMatchObject([{ fields: { priority: 9 } }]);
    expect(await service.todos("mina")).toMatchObject([
      { contents: "Buy oat milk", is_done: true, priority: 0 },
      { contents: "Buy bread" },
    ]);
  });

  test("takes along what was to be done with a row that is not made", async () => {
    const { device, refusals } = await refusing({ TODOS_PER_USER: "1" });
    device.todos.create({ contents: "Buy milk" });
    const { id } = device.todos.create({ contents: "Buy bread" });
    device.todos.update(id, { is_done: true });
    await device.flush();
    await Bun.sleep(0);
    expect(refusals.map(({ operation, problem }) => [operation.op, problem.code])).toEqual([
      ["create", "limit_reached"],
      // Its id is not an id of the service.
      ["update", "validation_failed"],
    ]);
    expect(device.contents()).toEqual(["Buy milk"]);
  });

  test("is a change of what someone else has deleted", async () => {
    const { service, device, refusals } = await refusing();
    const other = await open(service, "mina");
    const { id } = device.todos.create({ contents: "Buy milk" });
    await device.flush();
    device.network.down();
    device.todos.update(id, { contents: "Buy oat milk" });
    await other.until(() => other.todos.all().length === 1);
    other.todos.delete(other.todos.all()[0]?.id ?? 0);
    await other.flush();
    device.network.up();
    device.retry();
    await device.flush();
    await Bun.sleep(0);
    expect(refusals).toMatchObject([
      { operation: { op: "update" }, problem: { status: 404, code: "todo_not_found" } },
    ]);
    expect(device.todos.all()).toEqual([]);
  });

  test("is no deletion of what is deleted already", async () => {
    const { service, device, refusals } = await refusing();
    const other = await open(service, "mina");
    const { id } = device.todos.create({ contents: "Buy milk" });
    await device.flush();
    await other.until(() => other.todos.all().length === 1);
    device.network.down();
    device.todos.delete(id);
    other.todos.delete(other.todos.all()[0]?.id ?? 0);
    await other.flush();
    device.network.up();
    device.retry();
    await device.flush();
    expect([refusals, device.todos.all()]).toEqual([[], []]);
  });

  test("is no todo whose new list was refused: that goes to the inbox", async () => {
    const { service, device, refusals } = await refusing();
    const { id } = device.lists.create({ name: "" });
    device.todos.create({ contents: "Buy milk", list_id: id });
    await device.flush();
    await Bun.sleep(0);
    expect(refusals).toMatchObject([{ operation: { type: "list", op: "create" } }]);
    expect(await service.todos("mina")).toMatchObject([{ contents: "Buy milk", list_id: null }]);
  });
});
