/** The file of common passwords, and what makes it. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../process.ts";

const root = join(import.meta.dir, "../..");

test("the file is what `bun run common-passwords` makes of the package", async () => {
  using folder = temporaryFolder();
  const made = join(folder.path, "made.txt");
  const child = Bun.spawn([process.execPath, "scripts/common-passwords.ts", made], { cwd: root });
  expect(await child.exited).toBe(0);
  const text = await Bun.file(made).text();
  expect(await Bun.file(join(root, "src/auth/common-passwords.txt")).text()).toBe(text);
  // The service searches it for a whole line, in lower case.
  expect(text).toMatch(/^\n([^\sA-Z]{8,}\n){10000,}$/);
});
