/**
 * Starts the service as its operator does, on any runtime and with any kind of database. The tests are the same as
 * those that otherwise run it in their own process. `TODOS_TARGET` chooses: see `test/slow/matrix.slow.ts`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "../src/database/migrate.ts";
import { openDatabase } from "../src/database/open.ts";
import { startProcess, temporaryFolder } from "./process.ts";
import { serverToken, startPrimary, startReplica } from "./sqld.ts";

export const RUNTIMES = ["bun", "deno", "workerd"] as const;
export const DATABASES = ["file", "primary", "replica", "embedded-replica"] as const;
export type Runtime = (typeof RUNTIMES)[number];
export type DatabaseKind = (typeof DATABASES)[number];

/** The kinds of database that a runtime supports. workerd has no files. */
export function databasesOf(runtime: Runtime): readonly DatabaseKind[] {
  return runtime === "workerd" ? ["primary", "replica"] : DATABASES;
}

const ROOT = join(import.meta.dir, "..");

/**
 * The Deno executable itself. Its package unpacks it at the first start, and the package's starter does not forward
 * signals.
 */
function denoPath(): string {
  const folder = join(ROOT, "node_modules/deno");
  Bun.spawnSync([process.execPath, join(folder, "bin.cjs"), "--version"]);
  return join(folder, process.platform === "win32" ? "deno.exe" : "deno");
}

/**
 * The command of a task in `deno.json`, as arguments, so that it works in any folder: paths of this project become
 * absolute. (`deno task` itself would not forward signals to the service.)
 */
export function denoTask(name: string): string[] {
  const { tasks } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const [deno, run, ...args]: string[] = tasks[name].command.split(" ");
  if (deno !== "deno" || run !== "run") throw new Error(`${name} does not run Deno`);
  return [
    denoPath(),
    run,
    `--config=${join(ROOT, "deno.json")}`,
    ...args.map((each) => each.replaceAll(/(?<=^|[=,])(?=(node_modules|src)\/)/g, `${ROOT}/`)),
  ];
}

/** Builds the service for workerd, in `build/workerd`. */
export function buildWorkerd(): void {
  const { success, stderr } = Bun.spawnSync([process.execPath, "scripts/build-workerd.ts"], {
    cwd: ROOT,
  });
  if (!success) throw new Error(stderr.toString());
}

/** workerd with the build of `buildWorkerd`, on any free port. It prints the port as a line of JSON. */
export function workerdCommand(config = join(ROOT, "build/workerd/config.capnp")): string[] {
  // Not the package's own script: a signal would end the script, and leave workerd running.
  const machine = `${process.platform}-${process.arch === "x64" ? "64" : process.arch}`;
  const workerd = join(ROOT, `node_modules/@cloudflare/workerd-${machine}/bin/workerd`);
  return [workerd, "serve", config, "--socket-addr=http=127.0.0.1:0", "--control-fd=1"];
}

function commandFor(runtime: Runtime, kind: DatabaseKind): string[] {
  if (runtime === "workerd") return workerdCommand();
  if (runtime === "bun") return [process.execPath, join(ROOT, "src/main.bun.ts")];
  if (kind === "file") return denoTask("start");
  return denoTask(kind === "embedded-replica" ? "start:replica" : "start:edge");
}

/** A proxy for the libSQL server at `url`, which counts the requests. */
function countRequests(url: string) {
  let count = 0;
  const upkeep = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const body = await request.text();
      // The requests of the outbox do not belong to the answers.
      if (!/"sql":"(update|delete from) \\"outbox\\"/.test(body)) count++;
      const { method, headers } = request;
      // The other headers are only for one of the two connections.
      const authorization = headers.get("authorization") ?? "";
      const type = headers.get("content-type") ?? "";
      const { pathname } = new URL(request.url);
      const answer = await fetch(`${url}${pathname}`, {
        method,
        headers: { authorization, "content-type": type },
        body,
      });
      const bytes = await answer.arrayBuffer();
      // This is the last statement of the upkeep.
      if (body.includes("contents_folded IS NULL")) upkeep.resolve();
      return new Response(bytes, {
        status: answer.status,
        headers: { "content-type": answer.headers.get("content-type") ?? "" },
      });
    },
  });
  return {
    url: server.url.href.replace(/\/$/, ""),
    trips: () => count,
    /** Resolves after the first upkeep, which begins a moment after the start. */
    upkeep: upkeep.promise,
    stop: () => server.stop(true),
  };
}

/** A database of one kind: its settings, and a function that ends its processes. */
async function prepare(kind: DatabaseKind, folder: string) {
  const url = "file:data/todos.db";
  if (kind === "file") {
    const inspect = `file:${join(folder, "data/todos.db")}`;
    return { settings: { DATABASE_URL: url }, inspect, counting: undefined, async stop() {} };
  }
  const primary = await startPrimary(folder);
  const authToken = serverToken();
  const database = await openDatabase(primary.url, { databaseAuthToken: authToken });
  await migrate(database);
  database.$client.close();
  const replica =
    kind === "replica" ? await startReplica(folder, "replica", primary.grpc) : undefined;
  const counting = countRequests((replica ?? primary).url);
  const settings = {
    DATABASE_AUTH_TOKEN: authToken,
    ...(kind === "embedded-replica"
      ? { DATABASE_URL: url, DATABASE_SYNC_URL: primary.url, DATABASE_SYNC_INTERVAL: "1" }
      : { DATABASE_URL: counting.url }),
  };
  return {
    settings,
    inspect: primary.url,
    // An embedded replica syncs with requests of its own.
    counting: kind === "embedded-replica" ? undefined : counting,
    async stop() {
      await counting.stop();
      await replica?.kill();
      await primary.kill();
    },
  };
}

/** @param target a runtime and a kind of database, as in `deno replica` */
export async function startElsewhere(target: string, environment: Record<string, string>) {
  const runtime = RUNTIMES.find((each) => target.startsWith(`${each} `));
  const kind = DATABASES.find((each) => target.endsWith(` ${each}`));
  if (!runtime || !kind) throw new Error(`No such target: ${target}`);
  const folder = temporaryFolder();
  const database = await prepare(kind, folder.path);
  const service = await startProcess(
    folder.path,
    { NO_COLOR: "1", ...database.settings, ...environment },
    commandFor(runtime, kind),
  );
  // So that no test counts its requests. workerd does it when it is told to.
  if (runtime !== "workerd") await database.counting?.upkeep;
  return {
    url: service.url,
    /** Where the tests read the tables. */
    inspect: {
      DATABASE_URL: database.inspect,
      DATABASE_AUTH_TOKEN: serverToken(),
    },
    /** Requests that have reached the libSQL server so far. */
    trips: database.counting?.trips,
    async stop() {
      await service.stop();
      await database.stop();
      folder[Symbol.dispose]();
    },
  };
}

/**
 * Runs test files, except the tests whose names contain one of `left`.
 * @param where `TODOS_TARGET`, or `TODOS_COMMAND` for tests that start processes themselves (see `process.ts`)
 * @returns how many passed and how many were left out, and the lines of the failed ones, with their errors
 */
export async function runTests(where: Record<string, string>, files: string[], left: string[]) {
  // An empty list would leave out every test.
  const names = left.map((name) => RegExp.escape(name)).join("|") || "$^";
  const pattern = `^(?!.*(?:${names}))`;
  const child = Bun.spawn(
    [process.execPath, "test", "--timeout=120000", `--test-name-pattern=${pattern}`, ...files],
    {
      cwd: ROOT,
      env: { ...process.env, ...where },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const streams = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
  const output = (await Promise.all(streams)).join("\n");
  const code = await child.exited;
  const count = (what: string) =>
    Number(new RegExp(`^ *(\\d+) ${what}`, "m").exec(output)?.[1] ?? 0);
  return {
    code,
    passed: count("pass"),
    left: count("filtered out"),
    failures: failuresIn(output),
  };
}

/** The lines of the failed tests in what `bun test` has printed. The error of a test comes before its name. */
function failuresIn(output: string): string[] {
  const failures: string[] = [];
  let lines: string[] = [];
  for (const line of output.split("\n")) {
    lines.push(line);
    if (!/^\((pass|fail|skip)\)/.test(line)) continue;
    if (line.startsWith("(fail)")) failures.push(...lines.slice(-40));
    lines = [];
  }
  return failures;
}
