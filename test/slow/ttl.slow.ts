/**
 * A million short-lived entries, of which a thousand are alive at any time: the size of the table depends on the live
 * ones.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { migrate } from "../../src/database/migrate.ts";
import { openDatabase } from "../../src/database/open.ts";
import { ttlTable } from "../../src/database/ttl.ts";

test("a million entries leave a table of thousands, swept by nothing but the writes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "todos-ttl-"));
  const db = await openDatabase(`file:${join(folder, "todos.db")}`);
  try {
    await migrate(db);
    const ttl = ttlTable(db);
    const perBatch = 10;
    const lifetime = 1000;
    let now = 1_800_000_000_000;
    let most = 0;
    for (let written = 0; written < 1_000_000; written += perBatch) {
      // Ten entries every ten milliseconds, each for one second: a thousand are alive.
      now += 10;
      const set = (i: number) =>
        ttl.set({ kind: "reset_code", key: `key-${written + i}`, lifetime }, "value", now);
      const [first, ...rest] = Array.from({ length: perBatch }, (_, i) => set(i));
      if (first) await db.batch([first, ...rest, ttl.sweep(now)]);
      if (written % 50_000 === 0) {
        const [count] = await db.all<{ rows: number }>(sql`SELECT count(*) AS rows FROM ttl`);
        most = Math.max(most, count?.rows ?? 0);
      }
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(2000);
  } finally {
    db.$client.close();
    rmSync(folder, { recursive: true });
  }
});
