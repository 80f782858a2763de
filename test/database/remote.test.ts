/** The client of a libSQL server, and of an embedded replica of one, against libSQL's own server. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { Database } from "../../src/database/drizzle.ts";
import { outageOf } from "../../src/database/errors.ts";
import { migrate, missingMigrations } from "../../src/database/migrate.ts";
import { migrations } from "../../src/database/migrations.ts";
import { openDatabase } from "../../src/database/open.ts";
import { temporaryFolder } from "../process.ts";
import { type LibsqlServer, serverToken, startPrimary, until } from "../sqld.ts";

const folder = temporaryFolder();
const databaseAuthToken = serverToken();
let primary: LibsqlServer;
let remote: Database;
let replica: Database;

beforeAll(async () => {
  primary = await startPrimary(folder.path);
  remote = await openDatabase(primary.url, { databaseAuthToken });
  await migrate(remote);
  replica = await openDatabase(`file:${join(folder.path, "replica.db")}`, {
    databaseAuthToken,
    databaseSyncUrl: primary.url,
    databaseSyncInterval: 0.1,
    databaseStaleReads: 60,
  });
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
  const unmigrated = await startPrimary(folder.path, "unmigrated");
  const fresh = await openDatabase(unmigrated.url, { databaseAuthToken });
  expect(await missingMigrations(fresh)).toBe(migrations.length);
  await Promise.all([migrate(fresh), migrate(fresh), migrate(fresh)]);
  expect(await missingMigrations(fresh)).toBe(0);
  await migrate(fresh);
  fresh.$client.close();
  await unmigrated.kill();
});

test("what is written by one way is read by the other at once", async () => {
  const before = await names(remote);
  await add(remote, "mina");
  expect(await names(replica)).toEqual([...before, "mina"]);
  await add(replica, "jiho");
  expect(await names(remote)).toEqual([...before, "mina", "jiho"]);
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

test("a transaction is undone when it is rolled back", async () => {
  const before = await names(remote);
  const transaction = await remote.$client.transaction();
  await transaction.execute(
    "INSERT INTO users (username, username_key, password_hash, created_at) VALUES ('undone', 'undone', '', 0)",
  );
  await transaction.rollback();
  expect(await names(remote)).toEqual(before);
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
  // The thread that follows has to have seen the last write.
  await until(async () => {
    await primary.kill();
    const seen = await names(replica).catch(() => []);
    await primary.restart();
    return seen.length === before.length;
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
