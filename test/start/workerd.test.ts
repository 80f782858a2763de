/** The service on workerd: the content of its build, its start, and its answers. See also `slow/workerd.slow.ts`. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { buildWorkerd, workerdCommand } from "../elsewhere.ts";
import { launch, startProcess, temporaryFolder } from "../process.ts";
import { SECRET } from "../service.ts";
import { serverToken, startPrimary } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const ROOT = join(import.meta.dir, "../..");
const OUT = join(ROOT, "build/workerd");
const CONFIG = "config.capnp";

const namesIn = (text: string, pattern: RegExp) =>
  Array.from(text.matchAll(pattern), ([, name = ""]) => name).toSorted();

beforeAll(buildWorkerd);

const files = () => readdirSync(OUT).filter((name) => !name.endsWith(".capnp"));

test("the build is under 1 MiB gzipped", () => {
  const sizes = files().map((file) => Bun.gzipSync(readFileSync(join(OUT, file))).length);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(1024 * 1024);
});

// The build itself refuses the native packages by their names.
test("nothing native can be reached from it", () => {
  const imported = new Set(
    files()
      .filter((name) => name.endsWith(".js"))
      .map((name) => readFileSync(join(OUT, name), "utf8"))
      .flatMap((code) =>
        namesIn(code, /\b(?:from|import|import\(|require\()\s*["']([\w@.:/-]+)["']/g),
      ),
  );
  const unknown = Array.from(imported).filter(
    (name) => !name.startsWith("./") && !name.startsWith("node:"),
  );
  expect(unknown).toEqual(["cloudflare:workers"]);
});

const notStarting: [string, Record<string, string>, string[]][] = [
  [
    "without any setting",
    {},
    ["DATABASE_URL must be the URL of a libSQL server", "JWT_SECRET must be set"],
  ],
  [
    "with everything wrong",
    {
      NODE_ENV: "production",
      DATABASE_URL: "file:todos.db",
      DATABASE_SYNC_URL: "http://127.0.0.1:1",
      JWT_SECRET: "short",
      OTP_TTL: "soon",
    },
    [
      "DATABASE_URL must be",
      "DATABASE_SYNC_URL must not be set",
      "JWT_SECRET must be at least 32 bytes",
      "OTP_TTL must be an integer",
      "MAIL_URL must be set",
      "MAIL_FROM must be set",
    ],
  ],
  [
    "with migrations at the start, or a port for metrics",
    {
      DATABASE_URL: "http://127.0.0.1:1",
      JWT_SECRET: SECRET,
      MIGRATE_ON_START: "true",
      METRICS_PORT: "9464",
    },
    ["MIGRATE_ON_START must be false", "METRICS_PORT must not be set"],
  ],
];
test.each(notStarting)(
  "%s it does not start, and names every fault",
  async (_, environment, faults) => {
    await using service = launch(ROOT, environment, workerdCommand());
    expect(await service.ended).toBe(1);
    const told = service.stderr.join("\n");
    expect(faults.filter((fault) => !told.includes(fault))).toEqual([]);
    expect(told).not.toContain("short");
  },
);

test("it warns about a name that is probably misspelt, and never logs its value", async () => {
  using folder = temporaryFolder();
  const config = readFileSync(join(OUT, CONFIG), "utf8");
  const binding = '(name = "MAIL_FORM", text = "zq7canary"),';
  // In the folder of the modules, because it names them by relative paths.
  const misspelt = join(OUT, "misspelt.capnp");
  writeFileSync(misspelt, config.replace("bindings = [", `bindings = [${binding}`));
  try {
    const settings = { DATABASE_URL: "http://127.0.0.1:1", JWT_SECRET: SECRET };
    await using service = launch(folder.path, settings, workerdCommand(misspelt));
    const { input } = await service.line(/there is no setting/);
    const expected = { level: "WARN", name: "MAIL_FORM", meant: "MAIL_FROM" };
    expect(JSON.parse(input)).toMatchObject(expected);
    expect(service.stdout.join()).not.toContain("zq7canary");
  } finally {
    rmSync(misspelt);
  }
});

test("it answers, keeps what it is told, and logs each request as a line of JSON", async () => {
  using folder = temporaryFolder();
  const primary = await startPrimary(folder.path);
  const settings = { DATABASE_URL: primary.url, DATABASE_AUTH_TOKEN: serverToken() };
  const database = await openDatabase(primary.url, { databaseAuthToken: serverToken() });
  try {
    const environment = { ...settings, JWT_SECRET: SECRET };
    await using service = await startProcess(folder.path, environment, workerdCommand());
    expect((await service.call("GET", "/health/ready")).status).toBe(503);
    await migrate(database);
    expect((await service.call("GET", "/health/ready")).status).toBe(200);

    const { id, token } = await service.user();
    const json = { contents: "우유 사기" };
    const added = await service.call("POST", "/todos", { token, json });
    expect(added.status).toBe(201);
    const listed = await (await service.call("GET", "/todos", { token })).json();
    expect(listed.todos).toMatchObject([json]);

    const { paths } = await (await service.call("GET", "/swagger/json")).json();
    expect(Object.keys(paths)).toContain("/todos/{id}");
    // Compressed only once: `fetch` decompresses it once.
    const page = await service.call("GET", "/swagger");
    expect(page.headers.get("content-encoding")).toBe("gzip");
    const [, script = ""] = /src="([^"]*swagger-ui[^"]*)"/.exec(await page.text()) ?? [];
    expect(await (await service.call("GET", script)).text()).toContain("SwaggerUIBundle");
    const common = { username: "newcomer", password: "password1" };
    expect((await service.call("POST", "/users/sign-up", { json: common })).status).toBe(422);

    await service.line(/POST \/users\/sign-up 422/);
    const line = service.stdout.find((each) => each.includes("POST /todos 201"));
    expect(JSON.parse(line ?? "")).toMatchObject({
      level: "INFO",
      logger: "todos.http",
      route: "/todos",
      user_id: id,
    });
  } finally {
    database.$client.close();
    await primary.kill();
  }
});
