/** Dates, repetition and search give the same answers on Bun and Deno, with their own Temporal and with the polyfill. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { denoTask } from "../elsewhere.ts";

const ROOT = join(import.meta.dir, "../..");
const ANSWERS = join(ROOT, "test/todos/answers.ts");
const [deno = ""] = denoTask("start");
const BUN = [process.execPath, ANSWERS];
// Without any permission: the code here reads no file, clock or environment.
const DENO = [deno, "run", "--no-prompt", `--config=${join(ROOT, "deno.json")}`, ANSWERS];

function answers(command: string[]): string[] {
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, { cwd: ROOT });
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.toString().split("\n");
}

test("the answers are the same everywhere", () => {
  const expected = answers(BUN);
  expect(expected.length).toBeGreaterThan(40_000);
  for (const command of [[...BUN, "polyfill"], DENO, [...DENO, "polyfill"]]) {
    const lines = answers(command);
    const differences = expected.flatMap((line, i) =>
      line === lines[i] ? [] : [[line, lines[i]]],
    );
    expect(differences).toEqual([]);
    expect(lines.length).toBe(expected.length);
  }
});
