/**
 * `bun bench/size.ts`: how much the service writes. It measures the bytes of the database for each user, session and
 * todo, the bytes of the log for each request, and the maximum size of the -wal file. docs/operating.md has the
 * numbers.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { startProcess, temporaryFolder } from "../test/process.ts";

const USERS = 200;
const TODOS = 10_000;
/** As many as one network may have in the queue for hashes. */
const WRITERS = 8;

using folder = temporaryFolder();
await using service = await startProcess(folder.path, {
  SIGN_UPS_PER_HOUR: "0",
  LOG_FORMAT: "json",
});
const path = join(folder.path, "data/todos.db");
const size = (end = "") => statSync(path + end, { throwIfNoEntry: false })?.size ?? 0;

/** Runs `work` with the numbers up to `count`, WRITERS at the same time. */
async function each(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

/** The bytes that `work` adds to the database. They are measured by a backup, which includes the -wal file. */
async function grown(work: () => Promise<unknown>): Promise<number> {
  const before = await backedUp();
  await work();
  return (await backedUp()) - before;
}

let backups = 0;
async function backedUp(): Promise<number> {
  const target = join(folder.path, `backup-${++backups}.db`);
  const main = join(import.meta.dir, "../src/main.bun.ts");
  const child = Bun.spawn([process.execPath, main, "backup", target], {
    cwd: folder.path,
    env: {},
    stdout: "ignore",
  });
  if ((await child.exited) !== 0) throw new Error("The backup failed");
  return statSync(target).size;
}

const { token } = await service.user("mina");
const perUser = (await grown(() => each(USERS, (i) => service.user(`user-${i}`)))) / USERS;
const json = (i: number) => ({ contents: `Water the plants in room ${i}` });
const perTodo =
  (await grown(() =>
    each(TODOS, (i) => service.call("POST", "/todos", { token, json: json(i) })),
  )) / TODOS;
const lines = service.stdout.filter((line) => line.includes('"todos.http"'));
const perLine = lines.reduce((sum, line) => sum + line.length + 1, 0) / lines.length;

process.stdout.write(`a user with one session: ${Math.round(perUser)} bytes\n`);
process.stdout.write(`a todo of 30 characters: ${Math.round(perTodo)} bytes\n`);
process.stdout.write(`a request in the log:    ${Math.round(perLine)} bytes\n`);
process.stdout.write(`the -wal file:           ${(size("-wal") / 2 ** 20).toFixed(1)} MiB\n`);
