/** The size of the package for those who load it. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../process.ts";

const SOURCES = join(import.meta.dir, "../../src/client");

const loads: [what: string, entry: string, names: string, bytes: number][] = [
  ["the client", "client.ts", "createClient", 5_500],
  ["syncing, with all stores", "sync.ts", "createSync, indexedDbStore, localStorageStore", 6_700],
  ["syncing, with IndexedDB", "sync.ts", "createSync, indexedDbStore", 6_600],
];

test.each(loads)("%s, minified and compressed, is small", async (_, entry, names, bytes) => {
  using folder = temporaryFolder();
  const app = join(folder.path, "app.ts");
  const source = JSON.stringify(join(SOURCES, entry));
  writeFileSync(app, `import { ${names} } from ${source};\nglobalThis.used = [${names}];\n`);
  const { outputs } = await Bun.build({ entrypoints: [app], minify: true, target: "browser" });
  const [code, ...others] = await Promise.all(outputs.map((output) => output.text()));
  expect(others).toEqual([]);
  // It contains nothing of the server, and it loads nothing else.
  expect(new Bun.Transpiler({ loader: "js" }).scanImports(code ?? "")).toEqual([]);
  expect(Bun.gzipSync(code ?? "", { level: 9 }).length).toBeLessThan(bytes);
});
