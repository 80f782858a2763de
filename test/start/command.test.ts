/** The command line, in a separate process. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import packageJson from "../../package.json" with { type: "json" };
import { startSmtp } from "../mail/smtp.ts";
import { launch, temporaryFolder } from "../process.ts";
import { startPrimary } from "../sqld.ts";

const MAIN = new URL("../../src/main.bun.ts", import.meta.url).pathname;

/** Milliseconds: a process takes long to start on a busy machine. */
const TIMEOUT = 30_000;

/** Runs a command to its end, in an empty folder. */
async function command(args: string[], environment: Record<string, string> = {}) {
  using folder = temporaryFolder();
  await using child = launch(folder.path, environment, [process.execPath, MAIN, ...args]);
  const exitCode = await child.ended;
  const files = readdirSync(folder.path);
  return { exitCode, stdout: child.stdout.join("\n"), stderr: child.stderr.join("\n"), files };
}

test(
  "--version prints the version",
  async () => {
    const { exitCode, stdout } = await command(["--version"]);
    expect([exitCode, stdout.trim()]).toEqual([0, packageJson.version]);
  },
  TIMEOUT,
);

test(
  "--help lists every command, and touches nothing",
  async () => {
    const { exitCode, stdout, files } = await command(["--help"]);
    expect(exitCode).toBe(0);
    for (const name of ["serve", "check", "migrate", "backup FILE", "restore FILE"]) {
      expect(stdout).toContain(`\n  ${name} `);
    }
    expect(files).toEqual([]);
  },
  TIMEOUT,
);

test(
  "migrate brings a new database up to date, and then finds nothing to do",
  async () => {
    using folder = temporaryFolder();
    const run = () => launch(folder.path, {}, [process.execPath, MAIN, "migrate"]);
    await using first = run();
    expect(await first.ended).toBe(0);
    expect(first.stdout).toContainEqual(expect.stringMatching(/^Applied \d+ migrations\.$/));
    await using second = run();
    expect(await second.ended).toBe(0);
    expect(second.stdout).toContain("The schema is up to date.");
  },
  TIMEOUT,
);

test.each([
  ["frobnicate", "There is no such command."],
  ["serve now", "There is no such command."],
  ["toString", "There is no such command."],
  ["--port=80", "There is no such command."],
  ["migrate now", "Usage: todos "],
  ["check data", "Usage: todos "],
  ["backup one two", "Usage: todos "],
  ["restore one two", "Usage: todos "],
])(
  "%s is an error: it starts no server, and touches nothing",
  async (line, fault) => {
    const { exitCode, stdout, stderr, files } = await command(line.split(" "));
    expect([exitCode, stdout, files]).toEqual([1, "", []]);
    expect(stderr).toStartWith(fault);
  },
  TIMEOUT,
);

test(
  "a command tells every fault of the settings",
  async () => {
    const { exitCode, stderr } = await command(["migrate"], { PORT: "x", LOG_LEVEL: "loud" });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("PORT must be");
    expect(stderr).toContain("LOG_LEVEL must be");
  },
  TIMEOUT,
);

test(
  "check looks at the settings, the database and the mail server, and changes nothing",
  async () => {
    const sound = await command(["check"]);
    expect(sound).toMatchObject({ exitCode: 0, stderr: "", files: [] });
    expect(sound.stdout.split("\n")).toEqual([
      "The settings are sound.",
      "There is no database yet. The start makes it.",
      "Mails are printed, and not sent (MAIL_URL).",
    ]);

    await using smtp = await startSmtp();
    const production = {
      NODE_ENV: "production",
      JWT_SECRET: "s".repeat(32),
      MAIL_URL: smtp.url,
      MAIL_FROM: "todos@example.com",
    };
    const ready = await command(["check"], production);
    expect([ready.exitCode, ready.stdout]).toEqual([
      0,
      expect.stringContaining("The mail server answers, and accepts the credentials."),
    ]);
    expect(smtp.received).toEqual([]);
  },
  TIMEOUT,
);

test(
  "check names each faulty part, and continues with the next one",
  async () => {
    const { exitCode, stdout, stderr } = await command(["check"], {
      JWT_SECRET: "s".repeat(32),
      DATABASE_URL: "http://127.0.0.1:1",
      MAIL_URL: "smtp://127.0.0.1:1",
      MAIL_FORM: "todos@example.com",
    });
    expect([exitCode, stdout]).toEqual([
      1,
      "There is no setting MAIL_FORM. Did you mean MAIL_FROM?\nThe settings are sound.",
    ]);
    expect(stderr.split("\n")).toEqual([
      expect.stringMatching(/^The database: \w/),
      "The mail server (MAIL_URL): ESOCKET ECONNREFUSED",
    ]);
    const unsound = await command(["check"], { PORT: "none" });
    expect([unsound.exitCode, unsound.stdout]).toEqual([1, ""]);
    expect(unsound.stderr).toStartWith("PORT must be");
  },
  TIMEOUT,
);

test(
  "check asks the server of an embedded replica, and makes no replica",
  async () => {
    using folder = temporaryFolder();
    const primary = await startPrimary(folder.path);
    const replica = {
      DATABASE_URL: "file:data/todos.db",
      DATABASE_SYNC_URL: primary.url,
      DATABASE_AUTH_TOKEN: primary.token,
      JWT_SECRET: "s".repeat(32),
    };
    try {
      const { exitCode, stderr, files } = await command(["check"], replica);
      expect([exitCode, files]).toEqual([1, []]);
      expect(stderr).toMatch(/^The database: The database lacks \d+ of its migrations/);
    } finally {
      await primary.kill();
    }
    const without = await command(["check"], replica);
    expect([without.exitCode, without.files]).toEqual([1, []]);
    expect(without.stderr).toMatch(/^The database: \w/);
  },
  TIMEOUT,
);

test(
  "check tells how many migrations the database lacks",
  async () => {
    using folder = temporaryFolder();
    const run = async (...args: string[]) => {
      await using child = launch(folder.path, {}, [process.execPath, MAIN, ...args]);
      expect(await child.ended).toBe(0);
      return child.stdout;
    };
    await run("migrate");
    expect(await run("check")).toContain("The database answers, and its schema is up to date.");
    const database = new Database(join(folder.path, "data/todos.db"));
    database.exec(
      "DELETE FROM __drizzle_migrations WHERE created_at = (SELECT max(created_at) FROM __drizzle_migrations)",
    );
    database.close();
    expect(await run("check")).toContain(
      "The database lacks 1 of its migrations. The start applies them.",
    );
  },
  TIMEOUT,
);

test(
  "the service warns of a name that is probably misspelt, and never tells its value",
  async () => {
    using folder = temporaryFolder();
    const environment = { DATABSE_URL: "file:zq7canary.db" };
    await using service = launch(folder.path, environment, [process.execPath, MAIN]);
    const { input } = await service.line(/there is no setting/);
    expect(JSON.parse(input)).toMatchObject({
      level: "WARN",
      name: "DATABSE_URL",
      meant: "DATABASE_URL",
    });
    await service.line(/listening/);
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
    expect(service.stdout.join()).not.toContain("zq7canary");
  },
  TIMEOUT,
);
