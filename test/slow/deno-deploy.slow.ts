/**
 * The file for Deno Deploy, on Deno Deploy's version of Deno and on this project's version: it starts, serves, and
 * stops in time.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { denoTask } from "../elsewhere.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { SECRET } from "../service.ts";
import { type LibsqlServer, serverToken, startPrimary } from "../sqld.ts";

const ROOT = join(import.meta.dir, "../..");
/** https://docs.deno.com/deploy/reference/runtime/: Deno 2.5, with all permissions and no other flags. */
const DEPLOYED = "deno@2.5.7";
const FLAGS = ["run", "--no-prompt", "--allow-all", join(ROOT, "build/deno/todos.js")];

const folder = temporaryFolder();
let primary: LibsqlServer;
let environment: Record<string, string>;
let deployed: string[];

beforeAll(async () => {
  run([process.execPath, "scripts/build-deno.ts"]);
  const bin = run([
    "npx",
    "--yes",
    `--package=${DEPLOYED}`,
    "-c",
    "deno --version; command -v deno",
  ]);
  // The package's starter does not forward signals.
  const starter = realpathSync(bin.trim().split("\n").at(-1) ?? "");
  deployed = [join(dirname(starter), "deno"), ...FLAGS];

  primary = await startPrimary(folder.path);
  const token = serverToken();
  const database = await openDatabase(primary.url, { databaseAuthToken: token });
  await migrate(database);
  database.$client.close();
  environment = {
    NO_COLOR: "1",
    HOME: folder.path,
    DATABASE_URL: primary.url,
    DATABASE_AUTH_TOKEN: token,
    JWT_SECRET: SECRET,
  };
}, 300_000);
afterAll(async () => {
  await primary.kill();
  folder[Symbol.dispose]();
});

function run(command: string[]): string {
  const { stdout, stderr, success } = Bun.spawnSync(command, { cwd: ROOT });
  if (!success) throw new Error(stderr.toString());
  return stdout.toString();
}

test("it serves there as on this project's own Deno, and each knows the other's passwords", async () => {
  const [deno = ""] = denoTask("start");
  await using there = await startProcess(folder.path, environment, deployed);
  await using here = await startProcess(folder.path, environment, [deno, ...FLAGS]);
  const walks: [ServiceProcess, ServiceProcess, string][] = [
    [there, here, "there"],
    [here, there, "here"],
  ];
  for (const [one, other, username] of walks) {
    const { token } = await one.user(username);
    const json = {
      contents: "우유 사기",
      due: { date: "2026-12-01", zone: "Asia/Seoul", time: "10:00" },
    };
    const added = await one.call("POST", "/todos", { token, json });
    expect((await added.json()).due.at).toBe("2026-12-01T01:00:00.000Z");
    expect(await other.logIn(username)).toHaveProperty("token");
    const { paths } = await (await one.call("GET", "/swagger/json")).json();
    expect(Object.keys(paths)).toContain("/todos/{id}");
  }
  expect(there.stderr).toEqual([]);
});

test("without its settings it does not start, and names every fault", async () => {
  const starting = startProcess(folder.path, { NO_COLOR: "1", OTP_TTL: "soon" }, deployed);
  const told = await starting.then(
    () => "",
    (error: Error) => error.message,
  );
  expect(told).toContain("DATABASE_URL must be the URL of a libSQL server");
  expect(told).toContain("JWT_SECRET must be set");
  expect(told).toContain("OTP_TTL must be an integer");
});

test("after SIGINT it waits less than 5 seconds for a request that does not end", async () => {
  /** Milliseconds from the signal to the end. */
  async function stop(settings: Record<string, string>): Promise<number> {
    await using service = await startProcess(
      folder.path,
      { ...environment, NODE_ENV: "production", MAIL_FROM: "a@b.example", ...settings },
      deployed,
    );
    const { token } = await service.user(`stopping-${settings.SHUTDOWN_TIMEOUT ?? "default"}`);
    const socket = connect(service.port, "127.0.0.1");
    const head = ["POST /todos HTTP/1.1", "Host: localhost", `Authorization: Bearer ${token}`];
    const begun = new Promise((resolve) => socket.once("data", resolve));
    socket.on("error", () => undefined);
    const rest = ["Content-Type: application/json", "Content-Length: 99", "Expect: 100-continue"];
    socket.write(`${[...head, ...rest].join("\r\n")}\r\n\r\n`);
    await begun;
    const start = performance.now();
    service.kill("SIGINT");
    expect(await service.ended).toBe(0);
    socket.destroy();
    return performance.now() - start;
  }
  const mail = { MAIL_URL: "smtp://127.0.0.1:1" };
  const [ownTime, tenSeconds] = await Promise.all([
    stop(mail),
    stop({ ...mail, SHUTDOWN_TIMEOUT: "10" }),
  ]);
  expect(ownTime).toBeLessThan(tenSeconds / 2);
});
