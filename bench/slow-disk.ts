/**
 * Measures how a slow disk affects reads. It makes every fsync 10 ms longer. First it runs `bench/local.ts`. Then it
 * measures `GET /todos` of the service, while nobody writes and while eight clients write. Beside that it measures `GET
 * /health/alive`, which uses no database: if both become slower, the reason is not the disk. It needs Linux and a C
 * compiler (`cc`). `bun bench/slow-disk.ts 10` takes 10 seconds for each figure; the default is 3.
 */
import { join } from "node:path";
import { startProcess, temporaryFolder } from "../test/process.ts";

const seconds = Number(process.argv[2] ?? 3);
const CLIENTS = 8;
/** Milliseconds between two requests of one kind. */
const INTERVAL = 10;
const PATHS = ["/todos?limit=20", "/health/alive"];

/** When it is preloaded, it replaces the C library's own functions. */
const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int slowly(const char *name, int file) {
  struct timespec delay = {0, 10000000};
  nanosleep(&delay, 0);
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(file);
}
int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
`;

async function run(command: string[], environment: Record<string, string> = {}): Promise<void> {
  const env = { ...process.env, ...environment };
  const child = Bun.spawn(command, { env, stdio: ["ignore", "inherit", "inherit"] });
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`);
}

/** The time of each request in milliseconds, from the shortest to the longest, by path. */
async function probe(get: (path: string) => Promise<Response>): Promise<Map<string, number[]>> {
  const sent = new Map(PATHS.map((path): [string, Promise<number>[]] => [path, []]));
  const one = async (path: string) => {
    const sentAt = performance.now();
    await (await get(path)).text();
    return performance.now() - sentAt;
  };
  // Sent even if the last one was not answered. Otherwise a long wait would count once, and not for every request in
  // it.
  const timer = setInterval(() => {
    for (const [path, requests] of sent) requests.push(one(path));
  }, INTERVAL);
  await Bun.sleep(1000 * seconds);
  clearInterval(timer);
  const times = new Map<string, number[]>();
  for (const [path, requests] of sent) {
    times.set(
      path,
      (await Promise.all(requests)).sort((a, b) => a - b),
    );
  }
  return times;
}

async function measure(label: string, environment: Record<string, string>): Promise<void> {
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path, environment);
  const { token } = await service.user("bench");
  const json = { contents: "buy milk" };
  for (let i = 0; i < 20; i++) await service.call("POST", "/todos", { token, json });
  const get = (path: string) => service.call("GET", path, { token });
  report(`${label}, idle`, await probe(get));

  let isWriting = true;
  let written = 0;
  const write = async () => {
    while (isWriting) {
      const { status } = await service.call("POST", "/todos", { token, json });
      if (status === 201) written++;
    }
  };
  const clients = Array.from({ length: CLIENTS }, write);
  const times = await probe(get);
  isWriting = false;
  await Promise.all(clients);
  report(`${label}, ${Math.round(written / seconds)} writes/s`, times);
}

function report(label: string, probed: Map<string, number[]>): void {
  process.stdout.write(`${label}\n`);
  for (const [path, times] of probed) {
    const at = (share: number) => times[Math.ceil(share * times.length) - 1]?.toFixed(1);
    const line = `  GET ${path.padEnd(16)} p50 ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)} ms`;
    process.stdout.write(`${line}, of ${times.length}\n`);
  }
}

using folder = temporaryFolder();
const source = join(folder.path, "slow.c");
const shim = join(folder.path, "slow.so");
await Bun.write(source, SHIM);
await run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, source, "-ldl"]);
const slow = { LD_PRELOAD: shim };

process.stdout.write("The database, with 10 ms more for each fsync:\n");
await run([process.execPath, join(import.meta.dir, "local.ts"), String(seconds)], slow);
process.stdout.write("The service:\n");
await measure("this disk", {});
await measure("10 ms more for each fsync", slow);
