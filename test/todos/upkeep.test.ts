/**
 * Rows that the service deletes by itself: todos that were in the trash for too long, rows of `deletions` that nobody
 * needs any more, and stored answers that no request asks for any more.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";

const DAY = 24 * 3600;

let service: Service;

beforeEach(async () => {
  service = await startService();
});
afterEach(() => service.stop());

type User = Awaited<ReturnType<Service["user"]>>;

/** The token expires when the clock is moved. */
const again = async (user: User) => ({ ...user, ...(await service.logIn(user.username)) });

async function add({ token }: User, contents = "x"): Promise<number> {
  const response = await service.call("POST", "/todos", { token, json: { contents } });
  expect(response.status).toBe(201);
  return (await response.json()).id;
}

const discard = ({ token }: User, id: number) => service.call("DELETE", `/todos/${id}`, { token });

async function trashOf({ token }: User): Promise<number[]> {
  const response = await service.call("GET", "/trash?limit=100", { token });
  const { todos }: { todos: { id: number }[] } = await response.json();
  return todos.map(({ id }) => id);
}

const rows = async (sql: string): Promise<Record<string, unknown>[]> =>
  (await service.services.database.$client.execute(sql)).rows.map((row) => ({ ...row }));

async function fillTrash(user: User, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (let i = 0; i < count; i++) {
    const id = await add(user);
    await discard(user, id);
    ids.push(id);
  }
  return ids;
}

describe("a todo in the trash", () => {
  test("is kept for TRASH_TTL, and goes with the next write of anybody", async () => {
    const mina = await service.user();
    const jiho = await service.user();
    const [id = 0] = await fillTrash(mina, 1);
    service.passSeconds(30 * DAY - 60);
    await add(await again(jiho));
    expect(await trashOf(await again(mina))).toEqual([id]);
    service.passSeconds(120);
    await add(await again(jiho));
    expect(await trashOf(await again(mina))).toEqual([]);
  });

  test("goes without any write, too", async () => {
    const mina = await service.user();
    const [id = 0] = await fillTrash(mina, 1);
    service.passSeconds(30 * DAY - 60);
    await service.services.upkeep.run();
    expect(await trashOf(await again(mina))).toEqual([id]);
    service.passSeconds(120);
    await service.services.upkeep.run();
    expect(await trashOf(await again(mina))).toEqual([]);
  });

  test("raises its owner's revision once when it goes, and leaves a note with that", async () => {
    const mina = await service.user();
    const jiho = await service.user();
    const ids = await fillTrash(mina, 3);
    service.passSeconds(31 * DAY);
    await service.services.upkeep.run();
    // Three changes by adding, three by deleting, and then one for all together.
    expect(await rows("SELECT id, revision, todo_count FROM users")).toEqual([
      { id: mina.id, revision: 7, todo_count: 0 },
      { id: jiho.id, revision: 0, todo_count: 0 },
    ]);
    expect(await rows("SELECT user_id, rev, type, id FROM deletions ORDER BY id")).toEqual(
      ids.map((id) => ({ user_id: mina.id, rev: 7, type: "todo", id })),
    );
  });

  test("takes no more than a few along with one write, and all of them are gone after some", async () => {
    const mina = await service.user();
    await fillTrash(mina, 40);
    service.passSeconds(31 * DAY);
    const later = await again(mina);
    const left: number[] = [];
    for (let i = 0; i < 4; i++) {
      await add(later);
      left.push((await trashOf(later)).length);
    }
    expect(left.at(-1)).toBe(0);
    expect(left[0]).toBeGreaterThan(0);
    expect(await rows("SELECT count(*) AS n FROM deletions")).toEqual([{ n: 40 }]);
  });
});

describe("a note of a deletion", () => {
  test("is kept for CHANGES_TTL", async () => {
    const mina = await service.user();
    const [id = 0] = await fillTrash(mina, 1);
    await service.call("DELETE", `/trash/${id}`, { token: mina.token });
    service.passSeconds(90 * DAY - 60);
    await service.services.upkeep.run();
    expect(await rows("SELECT id FROM deletions")).toEqual([{ id }]);
    service.passSeconds(120);
    await service.services.upkeep.run();
    expect(await rows("SELECT id FROM deletions")).toEqual([]);
  });
});

describe("a kept answer", () => {
  const keyed = ({ token }: User, contents: string, key: string) =>
    service.call("POST", "/todos", {
      token,
      json: { contents },
      headers: { "idempotency-key": key },
    });
  const batch = ({ token }: User, key: string) =>
    service.call("POST", "/todos/batch", {
      token,
      json: { operations: [{ op: "create", contents: "x" }, { op: "none" }] },
      headers: { "idempotency-key": key },
    });

  test("is kept for IDEMPOTENCY_TTL, and goes without any write, too", async () => {
    const mina = await service.user();
    await keyed(mina, "x", "a");
    await batch(mina, "b");
    service.passSeconds(DAY - 60);
    await service.services.upkeep.run();
    const count = "SELECT count(*) AS n FROM kept_answers";
    expect(await rows(count)).toEqual([{ n: 3 }]);
    service.passSeconds(120);
    await service.services.upkeep.run();
    expect(await rows(count)).toEqual([{ n: 0 }]);
  });

  test("also deletes the row of its key, with no write and with a few writes", async () => {
    const mina = await service.user();
    const known = "SELECT count(*) AS n FROM ttl WHERE kind = 'idempotency'";
    await Promise.all(Array.from({ length: 40 }, (_, i) => keyed(mina, "x", `first-${i}`)));
    await batch(mina, "b");
    expect(await rows(known)).toEqual([{ n: 41 }]);
    service.passSeconds(DAY + 60);
    await service.services.upkeep.run();
    expect(await rows(known)).toEqual([{ n: 0 }]);

    const later = await again(mina);
    await Promise.all(Array.from({ length: 40 }, (_, i) => keyed(later, "x", `second-${i}`)));
    service.passSeconds(DAY + 60);
    const evenLater = await again(mina);
    for (let i = 0; i < 4; i++) await add(evenLater);
    expect(await rows(known)).toEqual([{ n: 0 }]);
  });

  test("goes with its todo when that has been in the trash for too long", async () => {
    const brief = await startService({ TRASH_TTL: "60" });
    const { token } = await brief.user();
    const headers = { "idempotency-key": "k" };
    const json = { contents: "canary" };
    const { id } = await (await brief.call("POST", "/todos", { token, json, headers })).json();
    await brief.call("DELETE", `/todos/${id}`, { token });
    brief.passSeconds(61);
    await brief.services.upkeep.run();
    const { rows: kept } = await brief.services.database.$client.execute(
      "SELECT outcome FROM kept_answers",
    );
    expect(JSON.stringify(kept)).not.toContain("canary");
    await brief.stop();
  });
});

test("a note goes on time when it is the only thing that can expire", async () => {
  const other = await startService({ TRASH_TTL: "1000", CHANGES_TTL: "60" });
  const { token } = await other.user();
  const call = (method: string, path: string, json?: unknown) =>
    other.call(method, path, { token, ...(json !== undefined && { json }) });
  const { id } = await (await call("POST", "/todos", { contents: "x" })).json();
  await call("DELETE", `/todos/${id}`);
  await call("DELETE", `/trash/${id}`);
  await other.services.upkeep.run();
  const notes = async () =>
    (await other.services.database.$client.execute("SELECT id FROM deletions")).rows.length;
  expect(await notes()).toBe(1);
  other.passSeconds(61);
  await call("POST", "/todos", { contents: "y" });
  expect(await notes()).toBe(0);
  await other.stop();
});

test("settings say how long", async () => {
  const other = await startService({ TRASH_TTL: "60", CHANGES_TTL: "120" });
  const { token } = await other.user();
  const add = () => other.call("POST", "/todos", { token, json: { contents: "x" } });
  const { id } = await (await add()).json();
  await other.call("DELETE", `/todos/${id}`, { token });
  const count = async (table: string) =>
    (await other.services.database.$client.execute(`SELECT count(*) FROM ${table}`)).rows[0]?.[0];
  other.passSeconds(61);
  await add();
  expect([await count("trash"), await count("deletions")]).toEqual([0, 1]);
  other.passSeconds(121);
  await add();
  expect([await count("trash"), await count("deletions")]).toEqual([0, 0]);
  await other.stop();
});
