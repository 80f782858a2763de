/**
 * Measures whether hashing blocks the event loop: how long `GET /`, sent every 5 ms, waits for its answer, while eight
 * clients log in without pause, and while nobody logs in. The service, the clients and the probe are separate
 * processes. `bun bench/event-loop.ts 30` measures for 30 seconds each; the default is 10.
 */
import { startProcess, temporaryFolder } from "../test/process.ts";
import { PASSWORD } from "../test/service.ts";

const USERNAME = "bench";
const CLIENTS = 8;
/** Milliseconds between two GET /. */
const INTERVAL = 5;

const [first = "10", url = ""] = process.argv.slice(2);
if (first === "log-in") await logInForever();
else await measure(Number(first) * 1000);

/** The process of the clients. Its parent reads its output, and ends it. */
async function logInForever(): Promise<never> {
  const json = { username: USERNAME, password: PASSWORD };
  const client = async (): Promise<never> => {
    for (;;) {
      const { status } = await fetch(`${url}/users/log-in`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(json),
      });
      if (status !== 200) throw new Error(`log-in: ${status}`);
    }
  };
  return Promise.race(Array.from({ length: CLIENTS }, client));
}

async function measure(milliseconds: number): Promise<void> {
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path);
  await service.user(USERNAME);
  print("idle     ", await probe(service.url, milliseconds));

  const clients = Bun.spawn([process.execPath, import.meta.path, "log-in", service.url], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const logIns = () => service.stdout.filter((line) => line.includes("/users/log-in 200")).length;
  // The first second is for warming up.
  await Bun.sleep(1000);
  const before = logIns();
  const times = await probe(service.url, milliseconds);
  const perSecond = (logIns() - before) / (milliseconds / 1000);
  clients.kill();
  await clients.exited;
  print("log-ins  ", times);
  process.stdout.write(`log-ins a second: ${perSecond.toFixed(1)}\n`);
}

/** The time of each GET / in milliseconds, from the shortest to the longest. */
async function probe(url: string, milliseconds: number): Promise<number[]> {
  const sent: Promise<number>[] = [];
  const get = async () => {
    const sentAt = performance.now();
    await (await fetch(url)).text();
    return performance.now() - sentAt;
  };
  // Sent even if the last one was not answered. Otherwise a long wait would count once, and not for every request in
  // it.
  const timer = setInterval(() => sent.push(get()), INTERVAL);
  await Bun.sleep(milliseconds);
  clearInterval(timer);
  return (await Promise.all(sent)).sort((a, b) => a - b);
}

function print(label: string, times: number[]): void {
  const at = (share: number) => times[Math.ceil(share * times.length) - 1]?.toFixed(1);
  const line = `${label} p50 ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)} ms, of ${times.length} GET /`;
  process.stdout.write(`${line}\n`);
}
