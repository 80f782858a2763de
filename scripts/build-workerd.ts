/**
 * `bun run build:workerd`: the service as modules for workerd, in `build/workerd`. What is only text is a module of its
 * own: as part of the code it would be parsed at each start, which took half of the time.
 */
import { copyFile, mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dictionary } from "@zxcvbn-ts/language-common";
import type { BunPlugin } from "bun";

const ROOT = join(import.meta.dir, "..");
const OUT = join(ROOT, "build/workerd");

const MAIN = "todos.js";

/** A password has at least eight characters, so shorter ones need not come along. */
const SHORTEST_PASSWORD = 8;
const PASSWORDS = "common-passwords.txt";

/** Modules that stay files of their own, under the names that `workerd.capnp` gives them. */
const separate: BunPlugin = {
  name: "separate modules",
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
      // In order of the alphabet they compress best.
      await Bun.write(join(OUT, PASSWORDS), passwords.toSorted().join("\n"));
      const contents = `import passwords from "./${PASSWORDS}";
        export const dictionary = { "passwords-common": passwords.split("\\n") };`;
      return { contents, loader: "js" };
    });
  },
};

/** What workerd does not have, so that whoever makes it reachable hears of it here. */
const refused: BunPlugin = {
  name: "nothing native",
  setup(build) {
    build.onResolve(
      { filter: /^(libsql$|@libsql\/(linux|darwin|win32)|@node-rs\/|bun:|bun$)/ },
      (found) => {
        throw new Error(`${found.path} is not for workerd: imported by ${found.importer}`);
      },
    );
    build.onResolve({ filter: /^(node:)?(fs|child_process|worker_threads)$/ }, (found) => {
      // It reads files and starts programs when it is told to, and `mail/smtp.ts` forbids it.
      if (found.importer.includes("/node_modules/nodemailer/")) return undefined;
      throw new Error(`${found.path} is not for workerd: imported by ${found.importer}`);
    });
  },
};

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
await Bun.build({
  entrypoints: [join(ROOT, "src/main.workerd.ts")],
  outdir: OUT,
  naming: MAIN,
  target: "browser",
  conditions: ["workerd", "worker"],
  format: "esm",
  minify: true,
  define: { "process.env.NODE_ENV": '"production"' },
  external: ["cloudflare:*", "node:*"],
  plugins: [refused, separate],
});

// What type a module has is said in `workerd.capnp`; of import attributes, workerd knows none of type "text".
const code = await Bun.file(join(OUT, MAIN)).text();
await Bun.write(join(OUT, MAIN), code.replaceAll(',{with:{type:"text"}}', ""));

let total = 0;
for (const name of new Bun.Glob("*").scanSync(OUT)) {
  const bytes = await Bun.file(join(OUT, name)).bytes();
  const kib = Math.ceil(Bun.gzipSync(bytes, { level: 9 }).length / 1024);
  total += kib;
  process.stdout.write(`build/workerd/${name}  ${kib} KiB gzipped\n`);
}
process.stdout.write(`${total} KiB in all\n`);
