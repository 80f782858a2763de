/**
 * `bun run build:workerd`: the service as modules for workerd, in `build/workerd`. Code that the start does not need is
 * in separate modules, because the start parses all code that it loads. Large texts are separate files, because parsing
 * them took half of the start.
 */
import { copyFile, mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dictionary } from "@zxcvbn-ts/language-common";
import type { BunPlugin } from "bun";
import { nothingNative } from "./nothing-native.ts";
import { workerdConfig } from "./workerd-config.ts";

const ROOT = join(import.meta.dir, "..");
const OUT = join(ROOT, "build/workerd");
const MAIN = "todos.js";

/** A password has at least eight characters, so shorter entries are left out. */
const SHORTEST_PASSWORD = 8;
const PASSWORDS = "common-passwords.txt";

/** Texts and WebAssembly. They stay separate files. */
const files: BunPlugin = {
  name: "files",
  setup(build) {
    build.onResolve({ filter: /^swagger-ui-dist\/|\.wasm$/ }, async ({ path }) => {
      const name = path.endsWith(".wasm") ? basename(path) : `${basename(path)}.txt`;
      await copyFile(fileURLToPath(import.meta.resolve(path)), join(OUT, name));
      return { path: `./${name}`, external: true };
    });
    build.onResolve({ filter: /^\.\/common-passwords\.txt$/ }, ({ path }) => ({
      path,
      external: true,
    }));
    build.onLoad({ filter: /@zxcvbn-ts\/language-common\/.*index\.mjs$/ }, async () => {
      const passwords = dictionary["passwords-common"].filter(
        (password) => password.length >= SHORTEST_PASSWORD,
      );
      // Sorted by the alphabet, they compress best.
      await Bun.write(join(OUT, PASSWORDS), passwords.toSorted().join("\n"));
      const contents = `import passwords from "./${PASSWORDS}";
        export const dictionary = { "passwords-common": passwords.split("\\n") };`;
      return { contents, loader: "js" };
    });
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
