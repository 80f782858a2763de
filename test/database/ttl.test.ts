import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import type { Database } from "../../src/database/drizzle.ts";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { type Ttl, ttlTable } from "../../src/database/ttl.ts";
import { temporaryFolder } from "../process.ts";
import { type LibsqlServer, serverToken, startPrimary } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const folder = temporaryFolder();
let primary: LibsqlServer;
const databases: Partial<Record<Kind, Database>> = {};
type Kind = "file" | "server";

beforeAll(async () => {
  primary = await startPrimary(folder.path);
  databases.file = await openDatabase(`file:${join(folder.path, "todos.db")}`);
  databases.server = await openDatabase(primary.url, { databaseAuthToken: serverToken() });
  await migrate(databases.file);
  await migrate(databases.server);
});
afterAll(async () => {
  databases.file?.$client.close();
  databases.server?.$client.close();
  await primary.kill();
  folder[Symbol.dispose]();
});

let keys = 0;
/** A key that no other test uses, with a lifetime of a second. */
const entry = () => ({ kind: "reset_code" as const, key: `key-${++keys}`, lifetime: 1000 });
const now = 1_800_000_000_000;

describe.each<Kind>(["file", "server"])("on a %s", (kind) => {
  let db: Database;
  let ttl: Ttl;
  beforeAll(() => {
    const database = databases[kind];
    if (!database) throw new Error(`No ${kind}`);
    db = database;
    ttl = ttlTable(db);
  });

  describe("an entry", () => {
    test("is there until its end, and not from then on", async () => {
      const { kind, key, lifetime } = entry();
      await ttl.set({ kind, key, lifetime }, "value", now);
      expect(await ttl.get(kind, key, now + 999)).toEqual([
        { value: "value", expires_at: now + 1000 },
      ]);
      expect(await ttl.get(kind, key, now + 1000)).toEqual([]);
      expect(await ttl.take(kind, key, now + 1000)).toEqual([]);
      const found = await db.all(sql`SELECT ${ttl.exists(kind, key, now + 1000)} AS found`);
      expect(found).toEqual([{ found: 0 }]);
    });

    test("is replaced by another, with the other's end", async () => {
      const { kind, key, lifetime } = entry();
      await ttl.set({ kind, key, lifetime }, "one", now);
      await ttl.set({ kind, key, lifetime: 5000 }, "two", now);
      expect(await ttl.get(kind, key, now)).toEqual([{ value: "two", expires_at: now + 5000 }]);
    });

    test("is another under another kind", async () => {
      const { key, lifetime } = entry();
      await ttl.set({ kind: "reset_code", key, lifetime }, "one", now);
      await ttl.set({ kind: "reset_wait", key, lifetime }, "two", now);
      await ttl.delete("reset_wait", key);
      expect(await ttl.get("reset_code", key, now)).toHaveLength(1);
      expect(await ttl.get("reset_wait", key, now)).toEqual([]);
    });

    test("is not written unless the condition holds", async () => {
      const { kind, key, lifetime } = entry();
      expect(await ttl.set({ kind, key, lifetime, when: sql`false` }, "value", now)).toEqual([]);
      expect(await ttl.increment({ kind, key, lifetime, when: sql`false` }, now)).toEqual([]);
      expect(await ttl.get(kind, key, now)).toEqual([]);
    });

    test("is taken by one of many", async () => {
      const { kind, key, lifetime } = entry();
      await ttl.set({ kind, key, lifetime }, "value", now);
      const taken = await Promise.all(Array.from({ length: 20 }, () => ttl.take(kind, key, now)));
      expect(taken.flat()).toEqual([{ value: "value" }]);
    });
  });

  describe("a count", () => {
    test("begins at one, and again after its end", async () => {
      const { kind, key, lifetime } = entry();
      const count = async (at: number) =>
        (await ttl.increment({ kind, key, lifetime }, at))[0]?.value;
      expect([await count(now), await count(now + 500), await count(now + 999)]).toEqual([1, 2, 3]);
      expect([await count(now + 1000), await count(now + 1500)]).toEqual([1, 2]);
    });

    test("keeps its end, unless it is to be renewed", async () => {
      const { kind, key, lifetime } = entry();
      await ttl.increment({ kind, key, lifetime }, now);
      await ttl.increment({ kind, key, lifetime }, now + 500);
      expect(await ttl.get(kind, key, now)).toEqual([{ value: "2", expires_at: now + 1000 }]);
      await ttl.increment({ kind, key, lifetime }, now + 500, true);
      expect(await ttl.get(kind, key, now)).toEqual([{ value: "3", expires_at: now + 1500 }]);
    });

    test("misses none of many at once", async () => {
      const { kind, key, lifetime } = entry();
      const counts = await Promise.all(
        Array.from({ length: 100 }, () => ttl.increment({ kind, key, lifetime }, now)),
      );
      const values = counts.flat().map(({ value }) => value);
      expect(values.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 100 }, (_, i) => i + 1),
      );
    });
  });

  test("a sweep deletes a few of those that have expired, and no other", async () => {
    await db.run(sql`DELETE FROM ttl`);
    for (let i = 0; i < 40; i++) await ttl.set(entry(), "dead", now);
    const alive = { ...entry(), lifetime: 60_000 };
    await ttl.set(alive, "alive", now);
    const rows = async () =>
      (await db.all<{ rows: number }>(sql`SELECT count(*) AS rows FROM ttl`))[0]?.rows;
    await ttl.sweep(now + 1000);
    expect(await rows()).toBe(41 - 16);
    for (let i = 0; i < 3; i++) await ttl.sweep(now + 1000);
    expect(await rows()).toBe(1);
    expect(await ttl.get(alive.kind, alive.key, now + 1000)).toHaveLength(1);
  });
});
