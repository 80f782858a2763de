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
  entrypoints: [`${import.meta.dir}/../src/main.bun.ts`],
  compile: { outfile },
  plugins: [
    {
      // Its loader requires the native package by a name that no bundler can know: here it is told.
      name: "native libSQL",
      setup(build) {
        build.onLoad({ filter: /[\\/]libsql[\\/]index\.js$/ }, async ({ path }) => {
          const source = await Bun.file(path).text();
          const dynamic = /require\(`@libsql\/\$\{target\}`\)/;
          if (!dynamic.test(source)) throw new Error(`${path} is not as this script knows it`);
          const contents = source.replace(dynamic, `require("${nativePackage()}")`);
          return { contents, loader: "js" };
        });
      },
    },
  ],
});
if (!result.success) throw new AggregateError(result.logs, "Compilation failed");
process.stdout.write(`${outfile}\n`);
