/**
 * The cost of a database on a libSQL server, on this machine and far away. First a statement with libSQL's own client
 * and with this service's client, then a request to the service, for each place of its data.
 */
import { createClient } from "@libsql/client/web";
import type { Client } from "@libsql/core/api";
import { migrate } from "../src/database/migrate.ts";
import { openDatabase } from "../src/database/open.ts";
import { openRemote } from "../src/database/remote.ts";
import { openLine } from "../test/line.ts";
import { startProcess, temporaryFolder } from "../test/process.ts";
import { SECRET } from "../test/service.ts";
import { serverToken, startPrimary, startReplica } from "../test/sqld.ts";

/** Milliseconds of a round trip to the server. */
const DISTANCES = [0, 30];
/** The same, for requests. */
const FURTHER = [...DISTANCES, 100];
/** Concurrent requests in the second half of each row. */
const IN_FLIGHT = 32;

using folder = temporaryFolder();
const server = await startPrimary(folder.path);
const databaseAuthToken = serverToken();
const database = await openDatabase(server.url, { databaseAuthToken });
await migrate(database);

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const print = (...cells: (string | number)[]) => {
  const [name, ...rest] = cells.map(String);
  process.stdout.write(`${name?.padEnd(42)}${rest.map((cell) => cell.padStart(11)).join("")}\n`);
};

/** Milliseconds of a single call, and calls per second with many in flight. */
async function time(call: () => Promise<unknown>, distance: number) {
  const alone = distance === 0 ? 200 : 20;
  for (let i = 0; i < IN_FLIGHT; i++) await call();
  const times: number[] = [];
  for (let i = 0; i < alone; i++) {
    const startedAt = performance.now();
    await call();
    times.push(performance.now() - startedAt);
  }
  const count = distance === 0 ? 1000 : 300;
  let left = count;
  let failed = 0;
  const usedBefore = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (left-- > 0) {
        await call().catch(() => {
          failed++;
        });
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(usedBefore);
  const processor = (user + system) / count;
  return { alone: median(times), rate: (count - failed) / seconds, processor, failed };
}

// A user with a session and 50 todos.
const [user] = (
  await database.$client.execute(
    "INSERT INTO users (username, username_key, password_hash, created_at) VALUES ('bench', 'bench', '', 0) RETURNING id",
  )
).rows;
const id = Number(user?.id);
await database.$client.execute({
  sql: `WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 50)
    INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
    SELECT ?, 'todo ' || n, n % 7 = 0, 0, 0 FROM counter`,
  args: [id],
});

const statements: [string, (client: Client) => Promise<unknown>][] = [
  ["one row", (client) => client.execute({ sql: "SELECT * FROM users WHERE id = ?", args: [id] })],
  [
    "50 rows",
    (client) => client.execute({ sql: "SELECT * FROM todos WHERE user_id = ?", args: [id] }),
  ],
  [
    "a batch of two writes",
    (client) =>
      client.batch(
        [
          { sql: "UPDATE users SET created_at = created_at + 1 WHERE id = ?", args: [id] },
          { sql: "DELETE FROM sessions WHERE user_id = ?", args: [id] },
        ],
        "write",
      ),
  ],
];

print("a statement", "ms away", "ms alone", "a second", "failed", "CPU us", "B sent", "B received");
for (const distance of DISTANCES) {
  for (const [what, call] of statements) {
    for (const [name, open] of [
      [
        "stock",
        (url: string) => createClient({ url, authToken: databaseAuthToken, concurrency: 1000 }),
      ],
      ["ours", (url: string) => openRemote(url, { authToken: databaseAuthToken })],
    ] as const) {
      const line = await openLine(server.port, () => distance / 2);
      const client = open(line.url);
      await call(client);
      const before = line.counts();
      await call(client);
      const after = line.counts();
      if (after.connections > before.connections) throw new Error("The connection was not kept");
      const { alone, rate, processor, failed } = await time(() => call(client), distance);
      print(
        `${what}, ${name}`,
        distance,
        alone.toFixed(2),
        rate.toFixed(0),
        failed,
        processor.toFixed(0),
        after.sent - before.sent,
        after.received - before.received,
      );
      client.close();
      line.close();
    }
  }
}

let users = 0;

/** Starts a service, adds 50 todos and measures requests to it. */
async function timeService(what: string, distance: number, environment: Record<string, string>) {
  const service = await startProcess(folder.path, {
    DATABASE_AUTH_TOKEN: databaseAuthToken,
    JWT_SECRET: SECRET,
    SIGN_UPS_PER_HOUR: "0",
    ...environment,
  });
  let bookmark = "";
  const { token } = await service.user(`bench-${++users}`);
  const request = async (method: string, path: string, json?: unknown) => {
    const answer = await service.call(method, path, { token, json, headers: { bookmark } });
    bookmark = answer.headers.get("bookmark") ?? bookmark;
    const body = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
    return body;
  };
  /** Waits until a replica has everything that was written so far. */
  const settled = async () => {
    const readAt = async () => {
      const startedAt = performance.now();
      await request("GET", "/todos");
      return performance.now() - startedAt;
    };
    while (environment.READS === "local" && (await readAt()) > Math.max(distance / 2, 50));
  };
  const created: number[] = [];
  for (let i = 0; i < 50; i++) {
    created.push((await request("POST", "/todos", { contents: `todo ${i}` })).id);
  }
  for (const [method, path, json] of [
    ["GET", "/todos", undefined],
    ["GET", `/todos/${created[0]}`, undefined],
    ["PATCH", `/todos/${created[0]}`, { is_done: true }],
    ["POST", "/todos", { contents: "one more" }],
  ] as const) {
    await settled();
    const { alone, rate } = await time(() => request(method, path, json), distance);
    print(`${what}: ${method} ${path}`, distance, alone.toFixed(2), rate.toFixed(0));
  }
  await settled();
  const afterWrite: number[] = [];
  for (let i = 0; i < 20; i++) {
    await request("PATCH", `/todos/${created[0]}`, { contents: `${i}` });
    const startedAt = performance.now();
    await request("GET", "/todos");
    afterWrite.push(performance.now() - startedAt);
  }
  print(`${what}: GET /todos after PATCH`, distance, median(afterWrite).toFixed(2), "");
  await service.stop();
}

print("");
print("a request", "ms away", "ms alone", "a second");
await timeService("file", 0, { DATABASE_URL: "file:alone.db" });
for (const distance of FURTHER) {
  const line = await openLine(server.port, () => distance / 2);
  const toReplicas = await openLine(server.grpc, () => distance / 2);
  const replica = await startReplica(folder.path, `replica-${distance}`, toReplicas.port);
  const near = { READS: "local", DATABASE_STALE_READS: "10" };
  const file = { DATABASE_URL: `file:embedded-${distance}.db`, DATABASE_SYNC_URL: line.url };
  await timeService("primary", distance, { DATABASE_URL: line.url });
  await timeService("replica", distance, { DATABASE_URL: replica.url });
  const around = { DATABASE_URL: replica.url, DATABASE_PRIMARY_URL: line.url };
  await timeService("replica, local", distance, { ...around, ...near });
  await timeService("embedded, local", distance, { ...file, ...near });
  await replica.kill();
  toReplicas.close();
  line.close();
}

database.$client.close();
await server.kill();
