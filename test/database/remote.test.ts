/** The client of a libSQL server, and of an embedded replica, with libSQL's own server. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import type { Database } from "../../src/database/drizzle.ts";
import { outageOf } from "../../src/database/errors.ts";
import { migrate } from "../../src/database/migrate.ts";
import { migrations } from "../../src/database/migrations.ts";
import { openDatabase } from "../../src/database/open.ts";
import { BEGINNING } from "../../src/database/position.ts";
import { createRequestView, type RequestView } from "../../src/database/request-view.ts";
import { missingMigrations } from "../../src/database/schema-version.ts";
import { temporaryFolder } from "../process.ts";
import { type LibsqlServer, serverToken, startPrimary, until } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const folder = temporaryFolder();
const databaseAuthToken = serverToken();
let primary: LibsqlServer;
let remote: Database;
let replica: Database;
const scope = new AsyncLocalStorage<RequestView>();

beforeAll(async () => {
  primary = await startPrimary(folder.path);
  remote = await openDatabase(primary.url, { databaseAuthToken });
  await migrate(remote);
  const settings = {
    databaseAuthToken,
    databaseSyncUrl: primary.url,
    databaseSyncInterval: 0.1,
    databaseStaleReads: 60,
  };
  replica = await openDatabase(`file:${join(folder.path, "replica.db")}`, settings, { scope });
});
afterAll(async () => {
  remote.$client.close();
  replica.$client.close();
  await primary.kill();
  folder[Symbol.dispose]();
});

const add = (db: Database, name: string) =>
  db.$client.execute({
    sql: "INSERT INTO users (username, username_key, password_hash, created_at) VALUES (?, ?, '', 0)",
    args: [name, name],
  });
const names = async (db: Database) =>
  (await db.$client.execute("SELECT username FROM users ORDER BY id")).rows.map(
    ({ username }) => username,
  );

test("the schema is behind until it is migrated, by however many at once", async () => {
  await using unmigrated = await startPrimary(folder.path, "unmigrated");
  const fresh = await openDatabase(unmigrated.url, { databaseAuthToken });
  expect(await missingMigrations(fresh)).toBe(migrations.length);
  await Promise.all([migrate(fresh), migrate(fresh), migrate(fresh)]);
  expect(await missingMigrations(fresh)).toBe(0);
  await migrate(fresh);
  fresh.$client.close();
});

test("what is written by one way is read by the other at once", async () => {
  const before = await names(remote);
  await add(remote, "mina");
  expect(await names(replica)).toEqual([...before, "mina"]);
  await add(replica, "jiho");
  expect(await names(remote)).toEqual([...before, "mina", "jiho"]);
});

test("a write counts as a commit only where replicas may answer", async () => {
  const count = async () => {
    const { rows } = await remote.$client.execute("SELECT count FROM commits");
    return Number(rows[0]?.count ?? 0);
  };
  const before = await count();
  await add(remote, "dana");
  expect(await count()).toBe(before);
  await add(replica, "hani");
  expect(await count()).toBe(before + 1);
});

test("a batch happens whole or not at all", async () => {
  const before = await names(remote);
  const insert = (name: string) => ({
    sql: "INSERT INTO users (username, username_key, password_hash, created_at) VALUES (?, ?, '', 0)",
    args: [name, name],
  });
  const failing = remote.$client.batch([insert("sora"), insert("sora")]);
  await expect(failing).rejects.toMatchObject({
    code: expect.stringContaining("SQLITE_CONSTRAINT"),
  });
  await failing.catch(() => {});
  expect(await names(remote)).toEqual(before);
  const [first, second] = await remote.$client.batch(
    ["SELECT count(*) AS n FROM users", "SELECT 1 AS one"],
    "read",
  );
  expect([first?.rows[0]?.n, second?.rows[0]?.one]).toEqual([before.length, 1]);
});

test("a batch tells which of its statements failed", async () => {
  const batch = remote.$client.batch(["SELECT 1", "SELECT * FROM missing", "SELECT 2"], "write");
  expect(await batch.catch((error) => error)).toMatchObject({
    statementIndex: 1,
    message: expect.stringContaining("no such table: missing"),
  });
});

test("a migration is whole or not at all, and may break foreign keys while it lasts", async () => {
  const statements = [
    "CREATE TABLE moved (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id))",
    "INSERT INTO moved (user_id) VALUES (999999)",
  ];
  const failing = remote.$client.migrate([...statements, "SELECT * FROM missing"]);
  expect(await failing.catch((error) => error)).toMatchObject({
    message: expect.stringContaining("no such table: missing"),
  });
  const tables = "SELECT name FROM sqlite_schema WHERE name = 'moved'";
  expect((await remote.$client.execute(tables)).rows).toEqual([]);
  await remote.$client.migrate(statements);
  expect((await remote.$client.execute(tables)).rows).toHaveLength(1);
  await remote.$client.migrate(["DROP TABLE moved"]);
});

test("what would take a trip for each statement is refused", async () => {
  for (const attempt of [
    () => remote.$client.transaction(),
    () => remote.$client.executeMultiple("SELECT 1; SELECT 2"),
    () => remote.$client.sync(),
  ]) {
    expect(await attempt().catch((error) => error)).toMatchObject({ code: "NOT_SUPPORTED" });
  }
});

test("a closed client answers nothing more", async () => {
  const { $client: client } = await openDatabase(primary.url, { databaseAuthToken });
  client.close();
  expect(client.closed).toBe(true);
  for (const attempt of [
    () => client.execute("SELECT 1"),
    () => client.batch(["SELECT 1"], "read"),
    () => client.migrate(["SELECT 1"]),
  ]) {
    expect(await attempt().catch((error) => error)).toMatchObject({ code: "CLIENT_CLOSED" });
  }
});

test("a token that the server does not take is an outage: unauthorized", async () => {
  const stranger = await openDatabase(primary.url, { databaseAuthToken: "x.y.z" });
  const error = await names(stranger).catch((reason) => reason);
  stranger.$client.close();
  expect(outageOf(error)).toBe("unauthorized");
});

test("while the server is gone, a replica that may be stale answers reads, and nothing else is answered", async () => {
  await add(remote, "yuna");
  const before = await names(remote);
  // The replica must have the last write. It may answer a read of a request, and then it shows what it has.
  await until(async () => {
    const view = createRequestView(BEGINNING, true);
    const seen = await scope.run(view, () => names(replica));
    return view.hasSeenReplica() && seen.length === before.length;
  });
  await primary.kill();
  expect(await names(replica)).toEqual(before);
  for (const attempt of [
    () => add(replica, "late"),
    () => add(remote, "late"),
    () => names(remote),
  ]) {
    const error = await attempt().catch((reason) => reason);
    expect(outageOf(error)).toBe("unreachable");
  }

  await primary.restart();
  expect(await names(remote)).toEqual(before);
  await add(remote, "late");
  expect(await names(replica)).toEqual([...before, "late"]);
});

test("an embedded replica hears of the primary by its syncs, though nobody asks", async () => {
  const embedded = await openDatabase(`file:${join(folder.path, "idle.db")}`, {
    databaseAuthToken,
    databaseSyncUrl: primary.url,
    databaseSyncInterval: 0.1,
    databaseStaleReads: 60,
  });
  const all = await names(remote);
  // It is read only while the primary is unreachable.
  await until(async () => {
    await primary.kill();
    const found = await names(embedded).catch(() => []);
    await primary.restart();
    return found.length === all.length;
  });
  embedded.$client.close();
});
