/** Brings a database's schema up to date with the migrations under `drizzle/`. */
import { getLogger } from "@logtape/logtape";
import type { Database } from "./drizzle.ts";
import { migrations } from "./migrations.ts";
import { lastMigration } from "./schema-version.ts";

// The table of Drizzle's own migrator. That migrator looks for missing migrations in one step, and applies them in
// another. If two services started on a new file at the same time, one of them would fail. The unique index prevents
// this.
const JOURNAL = [
  `CREATE TABLE IF NOT EXISTS __drizzle_migrations (
    id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC
  )`,
  `CREATE UNIQUE INDEX IF NOT EXISTS __drizzle_migrations_created_at
    ON __drizzle_migrations (created_at)`,
];

const logger = getLogger(["todos", "database"]);

/**
 * Applies the missing migrations, each in a separate transaction. Logs how long each one took, unless the database is
 * new. Several processes may do this at the same time.
 * @param tell called before each migration with the number of migrations that are already applied, and their total
 */
export async function migrate(
  database: Database,
  tell?: (done: number, total: number) => void,
): Promise<void> {
  await database.$client.batch(JOURNAL, "write");
  const isNew = (await lastMigration(database)) === 0;
  for (const [i, { tag, createdAt, text, statements }] of migrations.entries()) {
    tell?.(i, migrations.length);
    if ((await lastMigration(database)) >= createdAt) continue;
    // A large table takes long, and the service answers nothing until it is done.
    if (!isNew) logger.info("migration {tag} begins", { tag });
    const startedAt = performance.now();
    try {
      await database.$client.migrate([
        {
          sql: "INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)",
          args: [await sha256(text), createdAt],
        },
        ...statements,
      ]);
      const ms = Math.round(performance.now() - startedAt);
      if (!isNew) logger.info("migration {tag} applied in {ms} ms", { tag, ms });
    } catch (error) {
      // Another process was faster. The index above has refused the row, and so the whole migration.
      if ((await lastMigration(database)) < createdAt) throw error;
    }
  }
}

/** The hash that Drizzle's own migrator stores in its table. */
async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
