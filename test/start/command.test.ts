/** The command line, as a process of its own. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import packageJson from "../../package.json" with { type: "json" };
import { launch, temporaryFolder } from "../process.ts";

const MAIN = new URL("../../src/main.bun.ts", import.meta.url).pathname;

/** Milliseconds: a process takes its time to start on a busy machine. */
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
    for (const name of ["serve", "migrate", "backup FILE", "restore FILE"]) {
      expect(stdout).toContain(`\n  ${name} `);
    }
    expect(files).toEqual([]);
  },
  TIMEOUT,
);

test.each(["frobnicate", "serve now", "toString", "--port=80"])(
  "%s is an error, and no server",
  async (line) => {
    const { exitCode, stdout, stderr, files } = await command(line.split(" "));
    expect([exitCode, stdout, files]).toEqual([1, "", []]);
    expect(stderr).toStartWith("There is no such command.");
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
