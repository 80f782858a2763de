/**
 * `bun run compile [FILE]`: the service as a single file, for the kind of machine that this runs on. It needs neither
 * Bun nor node_modules to start.
 */
const [outfile = "todos"] = process.argv.slice(2);

/** libSQL's native package for this machine, by the name that its loader would put together at run time. */
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
    // A thread starts from a file of its own.
    `${import.meta.dir}/../src/database/replica.worker.ts`,
  ],
  compile: { outfile },
  // Parsed already, it starts in half the time.
  bytecode: true,
  format: "esm",
  plugins: [
    {
      // Its loader requires the native package by a name that no bundler can know: here it is told.
      name: "native libSQL",
      setup(build) {
        build.onLoad({ filter: /[\\/]libsql[\\/](index|promise)\.js$/ }, async ({ path }) => {
          const source = await Bun.file(path).text();
          const dynamic = /require\(`@libsql\/\$\{target\}`\)/;
          if (!dynamic.test(source)) throw new Error(`${path} is not as this script knows it`);
          const contents = source.replace(dynamic, `require("${nativePackage()}")`);
          return { contents, loader: "js" };
        });
      },
    },
    {
      // In the single file each entry point stands below its root, and is no longer TypeScript.
      name: "the replica's thread",
      setup(build) {
        build.onLoad({ filter: /[\\/]database[\\/]replica\.ts$/ }, async ({ path }) => {
          const source = await Bun.file(path).text();
          const written = `new URL("./replica.worker.ts", import.meta.url)`;
          if (!source.includes(written)) throw new Error(`${path} is not as this script knows it`);
          const contents = source.replace(written, `"./database/replica.worker.js"`);
          return { contents, loader: "ts" };
        });
      },
    },
  ],
});
if (!result.success) throw new AggregateError(result.logs, "Compilation failed");
process.stdout.write(`${outfile}\n`);
