/**
 * For `telemetry.ts`: two services in one process, so that both have the same machine code and the same heap. The
 * second one also has the settings of the first argument. Requests are made to both in turn, without the network.
 * Prints the cost of a request for each, and the address of the first one.
 */
import { startService } from "../test/service.ts";

const TODOS = 50;
const ROUNDS = 600;
const WARM_UP = 200;
/** Requests in a row. */
const BATCH = 20;

const [settings = "{}", ...paths] = process.argv.slice(2);

async function start(beside: Record<string, string>) {
  const service = await startService({
    NODE_ENV: "production",
    MAIL_FROM: "bench@example.com",
    ...beside,
  });
  const { token } = await service.user();
  for (let i = 0; i < TODOS; i++) {
    const json = { contents: `${i} buy milk, bread and coffee` };
    await service.call("POST", "/todos", { token, json });
  }
  const headers = { authorization: `Bearer ${token}` };
  return {
    port: Number(new URL(service.url).port),
    token,
    /** Microseconds for each request. */
    async time(path: string): Promise<number> {
      const before = performance.now();
      for (let i = 0; i < BATCH; i++) {
        const answer = await service.app.fetch(new Request(`http://localhost${path}`, { headers }));
        await answer.text();
      }
      return (1000 * (performance.now() - before)) / BATCH;
    },
  };
}

/** The first quartile: other work on the machine can only make a time longer. */
const lowerQuartile = (values: number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 2] ?? Number.NaN;

const off = await start({});
const on = await start(JSON.parse(settings));
const costs = [];
for (const path of paths) {
  const times = { off: [] as number[], on: [] as number[] };
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    // Each of the two goes first equally often.
    for (const name of round % 2 ? (["off", "on"] as const) : (["on", "off"] as const)) {
      const time = await (name === "on" ? on : off).time(path);
      if (round >= WARM_UP) times[name].push(time);
    }
  }
  costs.push({ off: lowerQuartile(times.off), on: lowerQuartile(times.on) });
}
process.stdout.write(`${JSON.stringify({ costs, port: off.port, token: off.token })}\n`);
