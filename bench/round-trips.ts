/** What a far-away database costs: requests to a service whose every trip to a libSQL server takes 30 ms more. */
import { migrate } from "../src/database/migrate.ts";
import { openDatabase } from "../src/database/open.ts";
import { startProcess, temporaryFolder } from "../test/process.ts";
import { SECRET } from "../test/service.ts";
import { serverToken, startPrimary } from "../test/sqld.ts";

const ROUNDS = 200;
const WARM_UP = 20;
/** Milliseconds added to each trip. */
const DELAY = 30;

using folder = temporaryFolder();
const server = await startPrimary(folder.path);
const databaseAuthToken = serverToken();
const database = await openDatabase(server.url, { databaseAuthToken });
await migrate(database);
database.$client.close();

const farAway = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const body = await request.arrayBuffer();
    await Bun.sleep(DELAY);
    const { method } = request;
    const headers = {
      authorization: request.headers.get("authorization") ?? "",
      "content-type": "application/json",
    };
    const answer = await fetch(server.url + new URL(request.url).pathname, {
      method,
      headers,
      body,
    });
    return new Response(await answer.arrayBuffer(), { status: answer.status, headers });
  },
});

const service = await startProcess(folder.path, {
  DATABASE_URL: farAway.url.href,
  DATABASE_AUTH_TOKEN: databaseAuthToken,
  JWT_SECRET: SECRET,
});
const { token } = await service.user();
for (let i = 0; i < 50; i++) {
  await service.call("POST", "/todos", { token, json: { contents: `todo ${i}` } });
}

for (const [method, path, json] of [
  ["GET", "/todos", undefined],
  ["POST", "/todos", { contents: "one more" }],
  ["PATCH", "/todos/1", { is_done: true }],
] as const) {
  const times: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const startedAt = performance.now();
    const answer = await service.call(method, path, { token, json });
    await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
    if (round >= WARM_UP) times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? Number.NaN;
  process.stdout.write(`${method} ${path}: ${median.toFixed(1)} ms at the median\n`);
}

await service.stop();
await farAway.stop(true);
await server.kill();
