/**
 * Writes `dist/`: the client in one file of JavaScript, with Eden in it, and its types. `dist/` has a `package.json`
 * without dependencies, so it is a package by itself: `npm pack ./dist`.
 */
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { assertSameTypes, declarationsOf } from "./declarations.ts";
import { readNotes } from "./notes.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const entry = join(root, "src/client/client.ts");
const types = join(dist, "client.d.ts");

rmSync(dist, { recursive: true, force: true });

await Bun.build({
  entrypoints: [entry],
  outdir: dist,
  target: "browser",
  minify: { syntax: true },
});

writeFileSync(types, declarationsOf(entry, await readNotes()));
assertSameTypes(entry, types);

const { name, version, license, type } = manifest;
const exports = { "./client": { types: "./client.d.ts", default: "./client.js" } };
const published = { name, version, license, type, sideEffects: false, exports };
writeFileSync(join(dist, "package.json"), `${JSON.stringify(published, null, 2)}\n`);

copyFileSync(join(root, "src/client/README.md"), join(dist, "README.md"));
copyFileSync(join(root, "LICENSE"), join(dist, "LICENSE"));
// Eden's licence asks to go wherever Eden's code goes.
copyFileSync(join(root, "node_modules/@elysiajs/eden/LICENSE"), join(dist, "LICENSE-eden"));
