/**
 * Fails when the tests run less than nine tenths of the lines of `src`. Its argument is the file that `bun test
 * --coverage --coverage-reporter=lcov` writes. A file that no test loads into its own process is missing there, and
 * counts as not run. So do the entries of the runtimes, because the tests start them as separate processes.
 */
import { join } from "node:path";

/** Per cent of the lines, over all files. */
const FLOOR = 90;

interface Lines {
  run: number;
  all: number;
}

const root = join(import.meta.dir, "..");
const report = await Bun.file(process.argv[2] ?? "coverage/lcov.info").text();

/** The files of the report, with their paths from the root. */
const reported = new Map<string, Lines>();
for (const record of report.split("end_of_record")) {
  const [, path] = /^SF:(.+)$/m.exec(record) ?? [];
  const value = (name: string) =>
    Number(new RegExp(`^${name}:(\\d+)$`, "m").exec(record)?.[1] ?? 0);
  if (path !== undefined) reported.set(path, { run: value("LH"), all: value("LF") });
}

const total: Lines = { run: 0, all: 0 };
const paths = await Array.fromAsync(new Bun.Glob("src/**/*.ts").scan(root));
for (const path of paths.filter((each) => !each.endsWith(".d.ts")).sort()) {
  const lines = reported.get(path) ?? {
    run: 0,
    all: countLines(await Bun.file(join(root, path)).text()),
  };
  total.run += lines.run;
  total.all += lines.all;
  if (isBelowFloor(lines)) print(path, lines);
}
print("src", total);
if (isBelowFloor(total)) {
  process.stdout.write(`Below the floor of ${FLOOR} %\n`);
  process.exitCode = 1;
}

function isBelowFloor({ run, all }: Lines): boolean {
  return 100 * run < FLOOR * all;
}

function print(path: string, { run, all }: Lines): void {
  const percent = ((100 * run) / all).toFixed(1);
  process.stdout.write(`${percent} % of ${all} lines: ${path}\n`);
}

/** Lines that are neither empty nor only a comment. */
function countLines(source: string): number {
  return source.split("\n").filter((line) => !/^\s*($|\/\/|\/\*|\*)/.test(line)).length;
}
