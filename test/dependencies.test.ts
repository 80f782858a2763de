/** Installing the dependencies only copies files, and runs none of their scripts. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { dirname, join } from "node:path";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const ROOT = join(import.meta.dir, "..");
/** The scripts that a package manager may run at installation (https://docs.npmjs.com/cli/using-npm/scripts). */
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];

/** The folders of the installed packages with such a script, relative to the project's folder. */
async function packagesWithScripts(): Promise<string[]> {
  const folders: string[] = [];
  const manifests = new Bun.Glob("node_modules/**/package.json");
  for await (const path of manifests.scan({ cwd: ROOT, dot: true })) {
    // The folder of a package itself, not a folder inside it.
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
