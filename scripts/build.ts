/**
 * Writes `dist/`: the client in one file of JavaScript, Eden included, and its types. With its own `package.json`,
 * which has no dependencies, `dist/` is a package by itself: `npm pack ./dist`.
 */
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { assertSameTypes, declarationsOf } from "./declarations.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const entry = join(root, "src/client.ts");
const types = join(dist, "client.d.ts");

rmSync(dist, { recursive: true, force: true });

await Bun.build({
  entrypoints: [entry],
  outdir: dist,
  target: "browser",
  minify: { syntax: true },
});

writeFileSync(types, declarationsOf(entry));
assertSameTypes(entry, types);

const { name, version, license, type } = manifest;
const exports = { "./client": { types: "./client.d.ts", default: "./client.js" } };
const published = { name, version, license, type, sideEffects: false, exports };
writeFileSync(join(dist, "package.json"), `${JSON.stringify(published, null, 2)}\n`);

copyFileSync(join(root, "LICENSE"), join(dist, "LICENSE"));
// Its licence wants to go wherever its code goes.
copyFileSync(join(root, "node_modules/@elysiajs/eden/LICENSE"), join(dist, "LICENSE-eden"));
