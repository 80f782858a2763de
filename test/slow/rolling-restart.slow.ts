/** Two instances on one file behind a plain proxy, restarted in turn under load: no request fails. */
import { expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { startProcess, temporaryFolder } from "../process.ts";
import { callsTo, SECRET } from "../service.ts";

type Instance = Awaited<ReturnType<typeof startProcess>>;

/** Seconds that an instance goes on serving. The proxy asks for its health each second. */
const DRAIN_DELAY = "3";

/** A balancer as plain as they come: it asks each second, and passes connections on in turn, without a second try. */
async function startProxy(instances: Instance[]) {
  let healthy: Instance[] = [];
  let turn = 0;
  const sockets = new Set<Socket>();
  const ask = async () => {
    const answers = await Promise.all(
      instances.map((instance) =>
        fetch(`${instance.url}/health/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
      ),
    );
    healthy = instances.filter((_, i) => answers[i]);
  };
  await ask();
  const timer = setInterval(ask, 1000);
  const server: Server = createServer((client) => {
    const target = healthy[turn++ % healthy.length];
    if (!target) return client.destroy();
    const upstream = connect(target.port, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    ask,
    isHealthy: (instance: Instance) => healthy.includes(instance),
    stop() {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("no request fails", async () => {
  using folder = temporaryFolder();
  const environment = {
    DATABASE_URL: `file:${join(folder.path, "todos.db")}`,
    JWT_SECRET: SECRET,
    DRAIN_DELAY,
  };
  const start = () => startProcess(folder.path, environment);
  const instances = [await start(), await start()];
  const proxy = await startProxy(instances);
  try {
    const calls = callsTo(proxy.url);
    const { call } = calls;
    const { token } = await calls.user("mina");
    const statuses: (number | string)[] = [];
    let isLoading = true;
    // Each request on a connection of its own: what a balancer does with kept ones is its own affair.
    const headers = { connection: "close" };
    const load = async (worker: number) => {
      for (let i = 0; isLoading; i++) {
        const json = { contents: `${worker}-${i}` };
        const answer = await (i % 2
          ? call("GET", "/todos?limit=1", { token, headers })
          : call("POST", "/todos", { token, headers, json })
        ).catch((error: Error) => error);
        statuses.push(answer instanceof Error ? answer.message : answer.status);
        if (answer instanceof Response) await answer.arrayBuffer();
      }
    };
    const workers = [1, 2, 3, 4].map(load);
    for (const [i, instance] of instances.entries()) {
      expect(await instance.stop()).toBe(0);
      const next = await start();
      instances[i] = next;
      while (!proxy.isHealthy(next)) await Bun.sleep(50);
    }
    isLoading = false;
    await Promise.all(workers);
    expect(statuses.length).toBeGreaterThan(200);
    expect(statuses.filter((status) => status !== 200 && status !== 201)).toEqual([]);
  } finally {
    proxy.stop();
    for (const instance of instances) await instance[Symbol.asyncDispose]();
  }
});
