/**
 * Writes `dist/`: the entries of the package, each as one JavaScript file with all its code, and their types. `dist/`
 * has a `package.json` without dependencies, so it is a complete package: `npm pack ./dist`.
 */
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { assertSameTypes, declarationsOf } from "./declarations.ts";
import { readNotes } from "./notes.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const entries = ["client", "sync"];

rmSync(dist, { recursive: true, force: true });

await Bun.build({
  entrypoints: entries.map((name) => join(root, `src/client/${name}.ts`)),
  outdir: dist,
  target: "browser",
  minify: { syntax: true },
});

const notes = await readNotes();
for (const name of entries) {
  const entry = join(root, `src/client/${name}.ts`);
  const types = join(dist, `${name}.d.ts`);
  writeFileSync(types, declarationsOf(entry, notes));
  assertSameTypes(entry, types);
}

const { name, version, license, type } = manifest;
const exports = Object.fromEntries(
  entries.map((name) => [`./${name}`, { types: `./${name}.d.ts`, default: `./${name}.js` }]),
);
const published = { name, version, license, type, sideEffects: false, exports };
writeFileSync(join(dist, "package.json"), `${JSON.stringify(published, null, 2)}\n`);

copyFileSync(join(root, "src/client/README.md"), join(dist, "README.md"));
copyFileSync(join(root, "LICENSE"), join(dist, "LICENSE"));
// Eden's license has to be distributed together with Eden's code.
copyFileSync(join(root, "node_modules/@elysiajs/eden/LICENSE"), join(dist, "LICENSE-eden"));
