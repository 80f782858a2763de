/** Deno: with the tasks of `deno.json` it starts and stops as on Bun, and it needs every permission that it has. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { denoTask, runTests } from "../elsewhere.ts";
import { launch, temporaryFolder } from "../process.ts";
import { callsTo, PASSWORD, SECRET } from "../service.ts";

const ROOT = join(import.meta.dir, "../..");
const TASKS = ["start", "start:replica", "start:edge"];
/** No server listens there. A start and a stop do not need one. */
const NOBODY = "http://127.0.0.1:1";
const ignore = () => undefined;
const NEWCOMER = { username: "mina", password: PASSWORD };
/** Files that are loaded only when they are needed. */
const TELEMETRY = { METRICS_PORT: "0", OTEL_EXPORTER_OTLP_ENDPOINT: NOBODY };
const SETTINGS: Record<string, Record<string, string>> = {
  start: { NO_COLOR: "1", METRICS_PORT: "0" },
  "start:replica": {
    NO_COLOR: "1",
    ...TELEMETRY,
    JWT_SECRET: SECRET,
    DATABASE_SYNC_URL: NOBODY,
  },
  "start:edge": { NO_COLOR: "1", ...TELEMETRY, JWT_SECRET: SECRET, DATABASE_URL: NOBODY },
};

test("starts, logs and stops as on Bun", async () => {
  const where = { TODOS_COMMAND: JSON.stringify(denoTask("start")), NO_COLOR: "1" };
  const { failures, code, passed } = await runTests(where, ["test/main.test.ts"], ["nothing"]);
  expect({ failures, code }).toEqual({ failures: [], code: 0 });
  expect(passed).toBeGreaterThan(20);
});

// With a setting that ends it at once, because `deno task` does not forward SIGTERM.
test.each(TASKS)("`deno task %s` starts the service", async (task) => {
  const [deno = ""] = denoTask(task);
  const service = launch(ROOT, { ...SETTINGS[task], PORT: "none" }, [deno, "task", task]);
  expect(await service.ended).toBe(1);
  expect(service.stderr.at(-1)).toBe("PORT must be an integer from 0 to 65535");
});

test("the commands work as on Bun, with the permissions of the task", async () => {
  using folder = temporaryFolder();
  const expected: [words: string, code: number, line: RegExp][] = [
    ["--version", 0, /^\d+\.\d+\.\d+$/],
    ["migrate", 0, /^Applied \d+ migrations\.$/],
    ["check", 0, /^The database answers, and its schema is up to date\.$/],
    ["admin outbox", 0, /^None\.$/],
    ["admin user nobody", 1, /^There is no such user$/],
    ["backup data/backup.db", 0, /^Backed up to data\/backup\.db$/],
    ["restore data/backup.db", 0, /^Restored data\/backup\.db to data\/todos\.db$/],
    ["frobnicate", 1, /^There is no such command\.$/],
  ];
  for (const [words, code, line] of expected) {
    const args = [...denoTask("start"), ...words.split(" ")];
    await using run = launch(folder.path, SETTINGS.start, args);
    expect([words, await run.ended]).toEqual([words, code]);
    expect([...run.stdout, ...run.stderr]).toContainEqual(expect.stringMatching(line));
  }
});

describe.each(TASKS)("the permissions of %s", (task) => {
  const command = denoTask(task);
  const granted = command.filter((each) => each.startsWith("--allow-"));

  /** Whether it starts normally, without an unexpected line in the log. */
  async function starts(args: string[]): Promise<boolean> {
    using folder = temporaryFolder();
    await using service = launch(folder.path, SETTINGS[task], args);
    const listening = await service.line(/listening on (http:[^"]+)\//).catch(ignore);
    if (listening) {
      // Argon2 is loaded by the first password, or soon after the start. Without it, the process ends.
      const { call } = callsTo(String(listening[1]));
      await call("POST", "/users/sign-up", { json: NEWCOMER }).catch(ignore);
      // An error in the replica's thread appears in the log a moment later.
      if (task === "start:replica") await service.line(/the replica/).catch(ignore);
    }
    service.kill("SIGTERM");
    await service.ended;
    const printed = service.stdout.concat(service.stderr).join("\n");
    return listening !== undefined && !/Requires \w+ access/.test(printed);
  }

  test("are enough", async () => {
    expect(granted.some((each) => /^--allow-all|^-A/.test(each))).toBe(false);
    expect(await starts(command)).toBe(true);
  });

  const values = granted.flatMap((flag) => {
    const [name = "", list = ""] = flag.split("=");
    return list.split(",").map((value) => [flag, name, value] as const);
  });
  test.each(values)("are all needed: %s without %s %s", async (flag, name, value) => {
    const rest = flag
      .slice(name.length + 1)
      .split(",")
      .filter((each) => each !== value);
    const fewer = rest.length > 0 ? [`${name}=${rest}`] : [];
    expect(await starts(command.flatMap((each) => (each === flag ? fewer : each)))).toBe(false);
  });
});

test("the environment is read for the service's own settings and those of its libraries", () => {
  const { permissions } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const example = readFileSync(join(ROOT, ".env.example"), "utf8");
  const settings = Array.from(example.matchAll(/^([A-Z_]+)=/gm), ([, name]) => name ?? "");
  const names: string[] = permissions.service.env;
  expect(settings.filter((name) => !names.includes(name))).toEqual([]);
  const libraries = [
    ...["ELYSIA_AOT", "ENV", "LIBSQL_JS_DEV"],
    ...["ENFORCE_VERSION_CHECK", "FORCE_WASI", "NATIVE_LIBRARY_PATH", "WASI_FLAVOR"].map(
      (name) => `NAPI_RS_${name}`,
    ),
  ];
  expect(names.filter((name) => !settings.includes(name))).toEqual(libraries.sort());
});

test("the data may be in another folder, by two flags on the command line", async () => {
  using folder = temporaryFolder();
  using elsewhere = temporaryFolder();
  const environment = { DATABASE_URL: `file:${elsewhere.path}/todos.db` };
  const command = denoTask("start");
  const moved = command.map((each) => each.replace(/=data$/, `=${elsewhere.path}`));
  for (const [args, works] of [
    [command, false],
    [moved, true],
  ] as const) {
    await using service = launch(folder.path, environment, [...args]);
    const isUp = await service.line(/listening/).then(
      () => true,
      () => false,
    );
    expect(isUp).toBe(works);
  }
});
