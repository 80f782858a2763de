/** `/health/ready`: the version and the schema in its answer, and how a service stops. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import packageJson from "../../package.json" with { type: "json" };
import { createApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { migrate } from "../../src/database/migrate.ts";
import { migrations } from "../../src/database/migrations.ts";
import { createServices } from "../../src/services.ts";
import { nativePlatform } from "../../src/start/platform.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { PASSWORD, SECRET } from "../service.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

/** A service whose database has no tables yet. */
async function openUnmigrated() {
  const folder = temporaryFolder();
  const config = readConfig({
    DATABASE_URL: `file:${join(folder.path, "todos.db")}`,
    JWT_SECRET: SECRET,
  });
  const services = await createServices(
    config,
    nativePlatform(() => null),
  );
  const app = createApp(services);
  return {
    services,
    ready: () => app.fetch(new Request("http://localhost/health/ready")),
    signUp: () =>
      app.fetch(
        new Request("http://localhost/users/sign-up", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ username: "mina", password: PASSWORD }),
        }),
      ),
    token: () =>
      app.fetch(
        new Request("http://localhost/token", {
          method: "POST",
          body: new URLSearchParams({ username: "mina", password: PASSWORD }),
        }),
      ),
    async close() {
      await services.outbox.stop();
      services.database.$client.close();
      folder[Symbol.dispose]();
    },
  };
}

test("an unmigrated database answers 503 until it is migrated, and then serves", async () => {
  const { services, ready, signUp, token, close } = await openUnmigrated();
  const logged: LogRecord[] = [];
  configureSync({
    reset: true,
    sinks: { memory: (record) => logged.push(record) },
    loggers: [
      { category: ["todos", "database"], lowestLevel: "info", sinks: ["memory"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
  });
  // As the start does it, and then again and again until the schema is current.
  await services.schema.look();
  await services.schema.look();
  try {
    for (const answer of [await ready(), await signUp()]) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(await answer.json()).toMatchObject({ code: "unavailable" });
    }
    const refused = await token();
    expect([refused.status, refused.headers.get("content-type")]).toEqual([
      503,
      "application/json",
    ]);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect((await refused.json()).error).toBe("temporarily_unavailable");
    await migrate(services.database);
    while ((await signUp()).status === 503) await Bun.sleep(50);
    const answer = await ready();
    expect(await answer.json()).toEqual({
      status: "ok",
      version: packageJson.version,
      schema: migrations.at(-1)?.tag,
    });
    expect([...answer.headers.keys()].join()).not.toContain("version");
    // The log has the reason once.
    expect(logged.map(({ level, message }) => [level, message[0]])).toEqual([
      ["error", "the schema is behind by "],
      ["info", "the schema is up to date"],
    ]);
  } finally {
    resetSync();
    await close();
  }
}, 30_000);

test("when nothing could be asked at the start, the first requests find that it is unmigrated", async () => {
  const { services, signUp, close } = await openUnmigrated();
  try {
    while ((await signUp()).status !== 503) await Bun.sleep(10);
    await migrate(services.database);
    while ((await signUp()).status !== 201) await Bun.sleep(50);
  } finally {
    await close();
  }
}, 30_000);

test("after SIGTERM it is 503 while requests are still served, for DRAIN_DELAY seconds", async () => {
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path, { DRAIN_DELAY: "2" });
  const status = async (path: string) => (await service.call("GET", path)).status;
  expect(await status("/health/ready")).toBe(200);
  service.kill("SIGTERM");
  while ((await status("/health/ready")) === 200) await Bun.sleep(10);
  expect(await status("/health/ready")).toBe(503);
  expect(await status("/")).toBe(200);
  expect(await service.ended).toBe(0);
}, 30_000);
