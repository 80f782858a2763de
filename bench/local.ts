/**
 * Measures the embedded database. First it measures reads and single writes, compared with `@libsql/client`. Then it
 * measures parallel writers and the time that a read waits meanwhile, compared with commits that block the event loop.
 * `bun bench/local.ts 5` takes 5 seconds for each figure; the default is 1.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import Database from "libsql";
import { openLocal } from "../src/database/local.ts";

const milliseconds = Number(process.argv[2] ?? 1) * 1000;
const folder = mkdtempSync(join(tmpdir(), "bench-"));

const TABLE =
  "CREATE TABLE todos (id INTEGER PRIMARY KEY, contents TEXT NOT NULL, is_done INTEGER NOT NULL)";
const INSERT = "INSERT INTO todos (contents, is_done) VALUES (?, ?)";
const SELECT = "SELECT id, contents, is_done FROM todos WHERE id = ?";

type Work = () => Promise<unknown>;

/** Runs each function in turns, so that a busy machine slows all of them in the same way. */
async function compare(label: string, works: Record<string, Work>): Promise<void> {
  const times = Object.values(works).map((): number[] => []);
  for (const end = performance.now() + milliseconds; performance.now() < end; ) {
    for (const [index, work] of Object.values(works).entries()) {
      const startedAt = performance.now();
      await work();
      times[index]?.push(performance.now() - startedAt);
    }
  }
  const figures = Object.keys(works).map((name, i) => `${name} ${micro(times[i] ?? [], 0.5)}`);
  print(`${label.padEnd(12)} ${figures.join(", ")} µs at the median`);
}

/** `writers` write without pause, and one reader reads without pause, once in each turn of the event loop. */
async function load(name: string, writers: number, write: Work, read: Work): Promise<void> {
  const writeTimes: number[] = [];
  const readTimes: number[] = [];
  const end = performance.now() + milliseconds;
  const writer = async () => {
    for (let at = performance.now(); at < end; at = performance.now()) {
      await write();
      writeTimes.push(performance.now() - at);
    }
  };
  const reader = async () => {
    for (let at = performance.now(); at < end; at = performance.now()) {
      await turn();
      await read();
      // Counted from the turn before, so that a blocked event loop makes the read longer.
      readTimes.push(performance.now() - at);
    }
  };
  await Promise.all([reader(), ...Array.from({ length: writers }, writer)]);
  const perSecond = Math.round((1000 * writeTimes.length) / milliseconds);
  print(
    `${String(writers).padStart(2)} writers  ${name.padEnd(8)} ${String(perSecond).padStart(6)} writes/s, ` +
      `p50 ${micro(writeTimes, 0.5)} p99 ${micro(writeTimes, 0.99)} µs; ` +
      `reads p50 ${micro(readTimes, 0.5)} p99 ${micro(readTimes, 0.99)} µs`,
  );
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function micro(times: number[], share: number): string {
  times.sort((a, b) => a - b);
  const time = times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
  return (1000 * time).toFixed(1);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const local = openLocal(join(folder, "local.db"));
const stock = createClient({ url: `file:${join(folder, "stock.db")}`, concurrency: 1 });
// The same settings as in openLocal, so that both do the same work on the disk.
await stock.executeMultiple("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
/** The baseline: a transaction for each write, with a commit that blocks the event loop. */
const blocking = new Database(join(folder, "blocking.db"));
blocking.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; ${TABLE}`);
const insertion = blocking.prepare(INSERT);
const selection = blocking.prepare(SELECT);

for (const client of [local, stock]) {
  await client.execute(TABLE);
  const many = Array.from({ length: 1000 }, () => ({ sql: INSERT, args: ["buy milk", 0] }));
  await client.batch(many, "write");
}
const read = (client: typeof local) => () => client.execute({ sql: SELECT, args: [500] });
const page = (client: typeof local) => () =>
  client.execute({
    sql: "SELECT id, contents, is_done FROM todos WHERE id > ? LIMIT 50",
    args: [500],
  });
const write = (client: typeof local) => () =>
  client.execute({ sql: INSERT, args: ["buy milk", 0] });

await compare("one row", { openLocal: read(local), "@libsql/client": read(stock) });
await compare("50 rows", { openLocal: page(local), "@libsql/client": page(stock) });
await compare("one write", { openLocal: write(local), "@libsql/client": write(stock) });
for (const writers of [1, 8, 32, 64]) {
  const blockingWrite = async () => {
    await turn();
    insertion.run(["buy milk", 0n]);
  };
  await load("blocking", writers, blockingWrite, async () => selection.all([500n]));
  await load("shared", writers, write(local), read(local));
}

local.close();
stock.close();
blocking.close();
rmSync(folder, { recursive: true });
