/** The service as a process whose stdout is a pipe that nobody reads, or that has no reader any more. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../process.ts";
import { callsTo } from "../service.ts";
import { freePort } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const MAIN = join(import.meta.dir, "../../src/main.bun.ts");
/** More of these lines than a pipe and the service's memory can hold. */
const REQUESTS = 8000;
/** Makes lines longer. */
const PADDING = "x".repeat(100);

/** The service in `folder`, with `stdout` for its log, when it has begun to answer. */
async function start(folder: string, stdout: number) {
  const port = await freePort();
  const child = Bun.spawn([process.execPath, MAIN], {
    cwd: folder,
    env: { PORT: String(port) },
    stdin: "ignore",
    stdout,
    stderr: "inherit",
  });
  const { call } = callsTo(`http://127.0.0.1:${port}`);
  while (!(await call("GET", "/health/alive").catch(() => undefined))?.ok) await Bun.sleep(10);
  return {
    call,
    async stop() {
      child.kill("SIGTERM");
      return child.exited;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** A named pipe, open at both ends, so that neither end waits for the other. */
function namedPipe(folder: string) {
  const path = join(folder, "log");
  Bun.spawnSync(["mkfifo", path]);
  const descriptor = openSync(path, "r+");
  return { path, descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}

test("requests go on while nobody reads, and each line is read later or counted as lost", async () => {
  using folder = temporaryFolder();
  using pipe = namedPipe(folder.path);
  await using service = await start(folder.path, pipe.descriptor);

  let next = 0;
  const ask = async () => {
    for (let i = next++; i < REQUESTS; i = next++) {
      const headers = { "x-request-id": `${i}-${PADDING}` };
      const answer = await service.call("GET", "/", { headers });
      if (answer.status !== 200) throw new Error(`${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, ask));

  // Now a reader reads the pipe.
  const reader = Bun.spawn(["cat", pipe.path], { stdin: "ignore", stdout: "pipe" });
  let log = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const piece of reader.stdout) {
      log += decoder.decode(piece, { stream: true });
      if (log.includes('"message":"stopped"')) return;
    }
  })();
  while (!log.includes("nobody read it")) await Bun.sleep(10);
  expect(await service.stop()).toBe(0);
  await reading;
  reader.kill();
  await reader.exited;

  const lines = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const lost = lines.reduce((sum, { lost = 0 }) => sum + lost, 0);
  const kept = lines.filter(({ request_id }) => request_id?.endsWith(PADDING)).length;
  expect(lost).toBeGreaterThan(0);
  expect(kept).toBeGreaterThan(1000);
  expect(kept + lost).toBe(REQUESTS);
}, 60_000);

test("it stops although nobody reads", async () => {
  using folder = temporaryFolder();
  using pipe = namedPipe(folder.path);
  await using service = await start(folder.path, pipe.descriptor);
  const headers = { "x-request-id": PADDING };
  // More than the pipe can hold.
  for (let i = 0; i < 400; i++) await service.call("GET", "/", { headers });
  expect(await service.stop()).toBe(0);
}, 30_000);

test("it goes on without a log when the reader has gone", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "log");
  Bun.spawnSync(["mkfifo", path]);
  const both = openSync(path, "r+");
  const writer = openSync(path, "w");
  await using service = await start(folder.path, writer);
  closeSync(writer);
  closeSync(both);
  for (let i = 0; i < 100; i++) expect((await service.call("GET", "/")).status).toBe(200);
  // A line at `warning` and above is written at once.
  expect((await service.call("GET", "/nowhere")).status).toBe(404);
  expect(await service.stop()).toBe(0);
}, 30_000);
