/**
 * The cost of 1,000 open streams of events: their memory, and the CPU time of a page of todos, compared with no
 * streams.
 */
import { cpuSeconds, holdStreams, residentMemory } from "../test/changes/hold-streams.ts";
import { startProcess, temporaryFolder } from "../test/process.ts";
import { load } from "./load.ts";

/** Users, each with the maximum number of streams. */
const USERS = 200;
const EACH = 5;
const ROUNDS = 5;
const SECONDS = 3;

using folder = temporaryFolder();
const settings = { SIGN_UPS_PER_HOUR: "0", FAILED_LOG_INS_PER_HOUR: "0" };
const tokens: string[] = [];
{
  await using service = await startProcess(folder.path, settings);
  for (let i = 0; i < USERS; i++) tokens.push((await service.user()).token);
  await service.stop();
}
// A separate process, because this one still holds the memory that hashing passwords needed.
await using service = await startProcess(folder.path, settings);
const [token = ""] = tokens;
for (let i = 0; i < 50; i++) {
  await service.call("POST", "/todos", { token, json: { contents: `todo ${i}` } });
}
const page = `GET /todos HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
const tell = (line: string) => process.stdout.write(`${line}\n`);
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const before = residentMemory(service.pid);
const first = await holdStreams(service.port, tokens, EACH);
// Long enough for some looks at the database.
await Bun.sleep(3000);
const more = residentMemory(service.pid) - before;
tell(`${first.count} streams take ${more.toFixed(1)} MB beside ${before.toFixed(1)} MB`);
const idle = cpuSeconds(service.pid);
await Bun.sleep(10_000);
tell(`and ${(100 * (cpuSeconds(service.pid) - idle)).toFixed(0)} ms of processor time a second`);
first.close();

/** Pages per second, and microseconds of CPU time for each page. */
async function measure() {
  const cpu = cpuSeconds(service.pid);
  const { answers, seconds } = await load("127.0.0.1", service.port, [page], SECONDS);
  return { rate: answers / seconds, cost: (1e6 * (cpuSeconds(service.pid) - cpu)) / answers };
}

await measure();
type Measured = Awaited<ReturnType<typeof measure>>;
const measured: Record<"without" | "with", Measured[]> = { without: [], with: [] };
for (let round = 0; round < ROUNDS; round++) {
  measured.without.push(await measure());
  const streams = await holdStreams(service.port, tokens, EACH);
  measured.with.push(await measure());
  streams.close();
  await Bun.sleep(500);
}
for (const [name, unit] of [
  ["rate", "pages of todos a second"],
  ["cost", "µs of processor time a page"],
] as const) {
  const without = median(measured.without.map((each) => each[name]));
  const beside = median(measured.with.map((each) => each[name]));
  tell(`${unit}: ${without.toFixed(0)} without streams, ${beside.toFixed(0)} with them`);
  tell(`ratio: ${(beside / without).toFixed(3)}`);
}
