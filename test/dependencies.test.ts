/** What installing the dependencies does: it puts files in place and runs nothing of theirs. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { dirname, join } from "node:path";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const ROOT = join(import.meta.dir, "..");
/** What a package may have run when it is installed (https://docs.npmjs.com/cli/using-npm/scripts). */
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];

/** The folders of the installed packages that have such a script, relative to the project's. */
async function packagesWithScripts(): Promise<string[]> {
  const folders: string[] = [];
  const manifests = new Bun.Glob("node_modules/**/package.json");
  for await (const path of manifests.scan({ cwd: ROOT, dot: true })) {
    // A package's own folder, and not one within it.
    if (!/node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path)) continue;
    const { scripts = {} } = await Bun.file(join(ROOT, path)).json();
    if (INSTALL_SCRIPTS.some((name) => name in scripts)) folders.push(dirname(path));
  }
  return folders;
}

test("no dependency's install script is run", async () => {
  const withScripts = await packagesWithScripts();
  expect(withScripts).toContain("node_modules/@scarf/scarf");
  const { stdout } = Bun.spawnSync([process.execPath, "pm", "untrusted"], { cwd: ROOT });
  const blocked = Array.from(stdout.toString().matchAll(/^\.\/(\S+) @/gm), ([, path]) => path);
  expect(blocked.toSorted()).toEqual(withScripts.toSorted());
});
