/** Who answers the reads of requests: replicas near the service, and the primary when they cannot. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { AsyncLocalStorage } from "node:async_hooks";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@libsql/core/api";
import { outageOf } from "../../src/database/errors.ts";
import { openDatabase } from "../../src/database/open.ts";
import { BEGINNING } from "../../src/database/position.ts";
import { createRequestView, type RequestView } from "../../src/database/request-view.ts";
import { openLine } from "../line.ts";
import { temporaryFolder } from "../process.ts";
import { type LibsqlServer, serverToken, startPrimary, startReplica, until } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

/** Seconds for which a replica answers after it last heard from the primary, unless a test is about this. */
const STALE_READS = 60;

const folder = temporaryFolder();
const scope = new AsyncLocalStorage<RequestView>();
const databaseAuthToken = serverToken();
const settings = { databaseAuthToken, databaseStaleReads: STALE_READS, databaseSyncInterval: 0.2 };
let primary: LibsqlServer;
let server: Awaited<ReturnType<typeof startReplica>>;
/** The lines through which the replicas hear from the primary. */
let toServer: Awaited<ReturnType<typeof openLine>>;
let toFile: Awaited<ReturnType<typeof openLine>>;
/** The line from the replica server to the primary. */
let toPrimary: Awaited<ReturnType<typeof openLine>>;
/** The primary itself, without a replica. */
let far: Client;
/** With a replica server, and with an embedded replica. */
const near: Record<string, Client> = {};

/** The files of the embedded replicas. Each belongs to one client. */
let files = 0;

async function openNear(kind: string, staleReads = STALE_READS): Promise<Client> {
  const more = { ...settings, databaseStaleReads: staleReads };
  const database =
    kind === "server"
      ? openDatabase(server.url, { ...more, databasePrimaryUrl: toPrimary.url }, { scope })
      : openDatabase(
          `file:${join(folder.path, `embedded-${++files}.db`)}`,
          { ...more, databaseSyncUrl: toFile.url },
          { scope },
        );
  return (await database).$client;
}

beforeAll(async () => {
  primary = await startPrimary(folder.path);
  toServer = await openLine(primary.grpc);
  toFile = await openLine(primary.port);
  toPrimary = await openLine(primary.port);
  server = await startReplica(folder.path, "replica", toServer.port);
  far = (await openDatabase(primary.url, settings)).$client;
  await far.batch(
    [
      "CREATE TABLE commits (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)",
      "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
    ],
    "write",
  );
  await far.execute("INSERT INTO notes VALUES (1, 'first')");
  for (const kind of ["server", "embedded"]) near[kind] = await openNear(kind);
});
afterAll(async () => {
  for (const client of [far, ...Object.values(near)]) client.close();
  toServer.close();
  toFile.close();
  toPrimary.close();
  await server.kill();
  await primary.kill();
  folder[Symbol.dispose]();
});

const READ = "SELECT text FROM notes WHERE id = 1";
const write = (text: string) => ({ sql: "UPDATE notes SET text = ? WHERE id = 1", args: [text] });

/** A request that reads. Returns its result, and the position that it has then seen. */
async function read(client: Client, before = BEGINNING, replicaAllowed = true) {
  const view = createRequestView(before, replicaAllowed);
  const { rows } = await scope.run(view, () => client.execute(READ));
  return { text: rows[0]?.text, seen: view.seen() };
}

/** A request that writes. Returns the position that it has seen. */
async function change(client: Client, text: string) {
  const view = createRequestView(BEGINNING, false);
  await scope.run(view, () => client.execute(write(text)));
  return view.seen();
}

describe.each(["server", "embedded"])("with a replica, %s", (kind) => {
  let client: Client;
  /** The other kind of replica. */
  let other: Client;
  /** The line through which the replica hears from the primary, and the line through which the primary is asked. */
  let line: typeof toServer;
  let way: typeof toServer;
  beforeAll(async () => {
    client = near[kind] ?? far;
    other = near[kind === "server" ? "embedded" : "server"] ?? far;
    line = kind === "server" ? toServer : toFile;
    way = kind === "server" ? toPrimary : toFile;
    // When the replica has everything, it answers.
    await until(async () => (await read(client)).seen.count > 0);
  });

  /** Does `work` while nothing passes `held`. */
  async function without<T>(held: typeof line, work: () => Promise<T>): Promise<T> {
    held.hold();
    try {
      return await work();
    } finally {
      held.release();
    }
  }

  /** Does `work` while the replica hears nothing. */
  const unheard = <T>(work: () => Promise<T>) => without(line, work);

  /** Does `work` while the primary cannot be asked. */
  const alone = <T>(work: () => Promise<T>) => without(way, work);

  /** Writes, and waits until the replica has the write. */
  async function changeEverywhere(text: string) {
    const seen = await change(client, text);
    await until(async () => {
      await read(client, seen);
      const found = await alone(() => read(client, seen).catch(() => undefined));
      return found?.text === text;
    });
  }

  test("a request that has seen nothing may be shown an older state", async () => {
    await changeEverywhere("old");
    await unheard(async () => {
      await far.execute(write("new"));
      // Not at the first attempt, if the machine is so busy that the replica is given up.
      await until(async () => (await read(client)).text === "old");
    });
  });

  test("a request is never shown an older state than it has seen", async () => {
    for (let i = 0; i < 20; i++) {
      const seen = await change(i % 2 ? client : other, `${i}`);
      const found = await read(client, seen);
      expect(found.text).toBe(`${i}`);
      expect(found.seen.count).toBeGreaterThanOrEqual(seen.count);
    }
  });

  test("a replica that cannot get there leaves it to the primary, if there is a way", async () => {
    await changeEverywhere("before");
    const seen = await unheard(async () => {
      const seen = await change(other, "after");
      const found = await read(client, seen).catch((error) => error);
      // For the embedded replica, this line is also its way to the primary.
      if (kind === "server") expect(found.text).toBe("after");
      else expect(outageOf(found)).toBe("unreachable");
      await until(async () => (await read(client)).text === "before");
      return seen;
    });
    expect((await read(client, seen)).text).toBe("after");
  });

  test("a request that no replica may answer is answered by the primary", async () => {
    await changeEverywhere("before");
    await far.execute(write("after"));
    expect((await read(client, BEGINNING, false)).text).toBe("after");
  });

  test("a position that nobody has reached is waited for once", async () => {
    const found = await read(client, { count: 1e9, index: 1e9 });
    expect(found.seen.count).toBeLessThan(1e9);
    expect(found.text).toBe((await read(client, found.seen)).text);
  });

  test("without word from the primary it answers up to the bound, and then nobody does", async () => {
    const bound = 2000;
    const bounded = await openNear(kind, bound / 1000);
    await change(far, "kept");
    const answeredAt: number[] = [];
    // Again, if the machine is so busy that the bound was over before the first answer.
    await until(async () => {
      // The replica answers, and the service has just heard from the primary.
      await until(async () => {
        await read(bounded);
        const found = await alone(() => read(bounded).catch(() => undefined));
        return found?.text === "kept";
      });
      const goneAt = performance.now();
      await primary.kill();
      await until(async () => {
        const askedAt = performance.now() - goneAt;
        const answer = await read(bounded).catch((error) => error);
        if (answer.text === "kept") answeredAt.push(askedAt);
        else expect(outageOf(answer)).toBe("unreachable");
        return askedAt > 1.5 * bound;
      });
      await primary.restart();
      return answeredAt.length > 0;
    }, 60);
    expect(Math.max(...answeredAt)).toBeLessThan(bound);
    // It works again by itself.
    await until(async () => (await read(bounded).catch(() => undefined)) !== undefined);
    bounded.close();
  }, 90_000);
});

test("the file of an embedded replica is its owner's alone, from the first byte on", async () => {
  const line = await openLine(primary.port);
  line.hold();
  const path = join(folder.path, "private.db");
  const files = () => readdirSync(folder.path).filter((name) => name.startsWith("private.db"));
  const modes = () =>
    files().map(
      (name) => `${name} ${(statSync(join(folder.path, name)).mode & 0o777).toString(8)}`,
    );
  const open = async (file: string) =>
    (await openDatabase(`file:${file}`, { ...settings, databaseSyncUrl: line.url })).$client;

  const first = await open(path);
  // libSQL's own client cannot connect, so it has not written to the file yet.
  await until(async () => files().length >= 2);
  expect(modes()).toEqual(["private.db 600", "private.db-client_wal_index 600"]);
  line.release();
  await until(async () => files().length >= 4);
  expect(modes().every((mode) => mode.endsWith(" 600"))).toBe(true);
  first.close();

  // A file from before that others may read is made private too.
  const older = join(folder.path, "private.db.older");
  writeFileSync(`${older}-client_wal_index`, "");
  writeFileSync(older, "");
  expect(modes()).toContain("private.db.older 644");
  const second = await open(older);
  await until(async () => modes().every((mode) => mode.endsWith(" 600")));
  second.close();
  line.close();
});
