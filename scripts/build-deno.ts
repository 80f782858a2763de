/** `bun run build:deno`: the service for Deno Deploy as one file and the WebAssembly of Argon2, in `build/deno`. */
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nothingNative } from "./nothing-native.ts";

const ROOT = join(import.meta.dir, "..");
const OUT = join(ROOT, "build/deno");

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
await Bun.build({
  entrypoints: [join(ROOT, "src/main.deno-deploy.ts")],
  outdir: OUT,
  naming: "todos.js",
  target: "browser",
  conditions: ["deno", "worker"],
  format: "esm",
  minify: { syntax: true, whitespace: true },
  external: ["node:*"],
  plugins: [nothingNative],
});
const wasm = fileURLToPath(import.meta.resolve("@phi-ag/argon2/argon2.wasm"));
await copyFile(wasm, join(OUT, "argon2.wasm"));
process.stdout.write("build/deno/todos.js\n");
