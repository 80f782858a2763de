/** Compares openLocal with @libsql/client in file mode: point reads and single-row writes, interleaved. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { openLocal } from "../src/database/local.ts";

const rounds = 3000;
const folder = mkdtempSync(join(tmpdir(), "bench-"));
const stock = createClient({ url: `file:${join(folder, "stock.db")}`, concurrency: 1 });
// What openLocal sets by itself, so that both do the same work on the disk.
await stock.executeMultiple("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
const clients: Record<string, Client> = { local: openLocal(join(folder, "local.db")), stock };

const operations: Record<string, (client: Client, id: number) => Promise<unknown>> = {
  write: (client, id) =>
    client.execute({ sql: "INSERT INTO todos VALUES (?, ?, ?)", args: [id, "buy milk", 0] }),
  read: (client, id) =>
    client.execute({ sql: "SELECT id, contents, is_done FROM todos WHERE id = ?", args: [id] }),
};

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const client of Object.values(clients)) {
  await client.execute(
    "CREATE TABLE todos (id INTEGER PRIMARY KEY, contents TEXT, is_done INTEGER)",
  );
}
for (const [operation, run] of Object.entries(operations)) {
  const times = new Map(Object.keys(clients).map((name) => [name, [] as number[]]));
  for (let id = 1; id <= rounds; id++) {
    for (const [name, client] of Object.entries(clients)) {
      const start = performance.now();
      await run(client, id);
      times.get(name)?.push(1000 * (performance.now() - start));
    }
  }
  const local = median(times.get("local") ?? []);
  const other = median(times.get("stock") ?? []);
  const line = `${operation}: local ${local.toFixed(1)} µs, stock ${other.toFixed(1)} µs, ratio ${(other / local).toFixed(2)}`;
  process.stdout.write(`${line}\n`);
}
for (const client of Object.values(clients)) client.close();
rmSync(folder, { recursive: true });
