/**
 * `bun run build:workerd`: the service as modules for workerd, in `build/workerd`. Code that the start does not need is
 * in separate modules, because the start parses all code that it loads. Large texts are separate files, because parsing
 * them took half of the start.
 */
import { copyFile, mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BunPlugin } from "bun";
import { nothingNative } from "./nothing-native.ts";
import { workerdConfig } from "./workerd-config.ts";

const ROOT = join(import.meta.dir, "..");
const OUT = join(ROOT, "build/workerd");
const MAIN = "todos.js";

/** Texts and WebAssembly. They stay separate files. */
const files: BunPlugin = {
  name: "files",
  setup(build) {
    build.onResolve(
      { filter: /^swagger-ui-dist\/|\.wasm$|\.txt$/ },
      async ({ path, resolveDir }) => {
        const name = /\.(wasm|txt)$/.test(path) ? basename(path) : `${basename(path)}.txt`;
        await copyFile(Bun.resolveSync(path, resolveDir), join(OUT, name));
        return { path: `./${name}`, external: true };
      },
    );
  },
};

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
const { outputs } = await Bun.build({
  entrypoints: [join(ROOT, "src/main.workerd.ts")],
  outdir: OUT,
  naming: { entry: MAIN, chunk: "[name]-[hash].[ext]" },
  splitting: true,
  target: "browser",
  conditions: ["workerd", "worker"],
  format: "esm",
  minify: true,
  define: { "process.env.NODE_ENV": '"production"' },
  external: ["cloudflare:*", "node:*"],
  plugins: [nothingNative, files],
});

// In workerd, the configuration gives the type of a module. workerd does not know the import attribute for text.
for (const { path } of outputs) {
  const code = await Bun.file(path).text();
  await Bun.write(path, code.replaceAll(',{with:{type:"text"}}', ""));
}

const names = Array.from(new Bun.Glob("*").scanSync(OUT)).toSorted();
const others = names.filter((name) => name !== MAIN);
await Bun.write(join(OUT, "config.capnp"), await workerdConfig([MAIN, ...others]));

let total = 0;
for (const name of names) {
  const bytes = await Bun.file(join(OUT, name)).bytes();
  const kib = Math.ceil(Bun.gzipSync(bytes, { level: 9 }).length / 1024);
  total += kib;
  process.stdout.write(`build/workerd/${name}  ${kib} KiB gzipped\n`);
}
process.stdout.write(`${total} KiB in all\n`);
