/** Type-checks the client's programs in the READMEs, unchanged, and runs them with a running service. */
import { expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../process.ts";
import { startService } from "../service.ts";

const ROOT = join(import.meta.dir, "../..");

async function run(folder: string, ...command: string[]) {
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, code: await child.exited };
}

const READMES = [
  ["README.md", /^## The client$.*?^```ts\n(.*?)^```$/ms],
  ["src/client/README.md", /^```ts\n(.*?)^```$/ms],
] as const;

test.each(READMES)(
  "%s: the program type-checks, and prints what is written there",
  async (path, pattern) => {
    const readme = await Bun.file(join(ROOT, path)).text();
    const [, program = ""] = pattern.exec(readme) ?? [];
    const [, says = ""] = /; \/\/ (.*)\n$/.exec(program) ?? [];
    expect(says).toMatch(/\w/);

    using folder = temporaryFolder();
    const service = await startService();
    try {
      await check(folder.path, program);
      const mine = program.replace("http://localhost:3000", service.url);
      writeFileSync(join(folder.path, "program.ts"), mine);
      const ran = await run(folder.path, process.execPath, "program.ts");
      expect(ran).toEqual({ stdout: `${says}\n`, stderr: "", code: 0 });
    } finally {
      await service.stop();
    }
  },
);

test("the other programs of the client's README type-check", async () => {
  const readme = await Bun.file(join(ROOT, "src/client/README.md")).text();
  const programs = Array.from(
    readme.matchAll(/^```ts\n(.*?)^```$/gms),
    ([, program = ""]) => program,
  );
  expect(programs.length).toBe(3);
  for (const program of programs) {
    using folder = temporaryFolder();
    await check(folder.path, program);
  }
});

/** Type-checks `program` in `folder`. The package's names lead to the source files here. Afterwards it can be run. */
async function check(folder: string, program: string) {
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const paths = {
    "todo-service/client": [join(ROOT, "src/client/client.ts")],
    "todo-service/sync": [join(ROOT, "src/client/sync.ts")],
  };
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: { paths },
    files: ["program.ts", join(ROOT, "src/assets.d.ts")],
    include: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  writeFileSync(join(folder, "program.ts"), program);
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const checked = await run(folder, "node", compiler, "--project", ".");
  expect(checked).toEqual({ stdout: "", stderr: "", code: 0 });
}
