/** Type-checks and runs the README's program for the client, as it stands, against a started service. */
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

test("the README's program for the client type-checks, and prints what the README says", async () => {
  const readme = await Bun.file(join(ROOT, "README.md")).text();
  const [, program = ""] = /^## The client$.*?^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  const [, says = ""] = /; \/\/ (.*)\n$/.exec(program) ?? [];
  expect(says).toMatch(/\w/);

  using folder = temporaryFolder();
  const service = await startService();
  try {
    symlinkSync(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
    const config = {
      extends: join(ROOT, "tsconfig.json"),
      compilerOptions: { paths: { "todo-service/client": [join(ROOT, "src/client.ts")] } },
      files: ["program.ts", join(ROOT, "src/assets.d.ts")],
      include: [],
    };
    writeFileSync(join(folder.path, "tsconfig.json"), JSON.stringify(config));
    const mine = program.replace("http://localhost:3000", service.url);
    writeFileSync(join(folder.path, "program.ts"), mine);
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const checked = await run(folder.path, "node", compiler, "--project", ".");
    expect(checked).toEqual({ stdout: "", stderr: "", code: 0 });
    const ran = await run(folder.path, process.execPath, "program.ts");
    expect(ran).toEqual({ stdout: `${says}\n`, stderr: "", code: 0 });
  } finally {
    await service.stop();
  }
});
