/**
 * `bun run compile [FILE]`: the service as a single executable file, for the operating system and processor of this
 * machine. It starts without Bun and node_modules.
 */
const [outfile = "todos"] = process.argv.slice(2);

/** The name of libSQL's native package for this machine. libSQL's loader would make this name at run time. */
function nativePackage(): string {
  const machine = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `@libsql/${machine}-msvc`;
  if (process.platform !== "linux") return `@libsql/${machine}`;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return `@libsql/${machine}-${header.glibcVersionRuntime ? "gnu" : "musl"}`;
}

const result = await Bun.build({
  entrypoints: [
    `${import.meta.dir}/../src/main.bun.ts`,
    // A thread needs its own entry file.
    `${import.meta.dir}/../src/database/replica.worker.ts`,
  ],
  compile: { outfile },
  // The code is compiled to bytecode, and a start reads only the parts that it needs. Together they halve its time.
  bytecode: true,
  splitting: true,
  format: "esm",
  plugins: [
    {
      // The loader requires the native package by a name that a bundler cannot know. This plugin writes the name into
      // it.
      name: "native libSQL",
      setup(build) {
        build.onLoad({ filter: /[\\/]libsql[\\/](index|promise)\.js$/ }, async ({ path }) => {
          const source = await Bun.file(path).text();
          const dynamic = /require\(`@libsql\/\$\{target\}`\)/;
          if (!dynamic.test(source))
            throw new Error(`${path} has changed, and this script does not know the new code`);
          const contents = source.replace(dynamic, `require("${nativePackage()}")`);
          return { contents, loader: "js" };
        });
      },
    },
    {
      // In the single file, all entry points are below one root, and they are JavaScript.
      name: "the replica's thread",
      setup(build) {
        build.onLoad({ filter: /[\\/]database[\\/]replica\.ts$/ }, async ({ path }) => {
          const source = await Bun.file(path).text();
          const written = `new URL("./replica.worker.ts", import.meta.url)`;
          if (!source.includes(written))
            throw new Error(`${path} has changed, and this script does not know the new code`);
          const contents = source.replace(written, `"./database/replica.worker.js"`);
          return { contents, loader: "ts" };
        });
      },
    },
  ],
});
if (!result.success) throw new AggregateError(result.logs, "Compilation failed");
process.stdout.write(`${outfile}\n`);
