/** Brings a database's schema up to date with the migrations under `drizzle/`. */
import { readMigrationFiles } from "drizzle-orm/migrator";
import type { Database } from "./open.ts";

const migrations = readMigrationFiles({
  migrationsFolder: new URL("../../drizzle", import.meta.url).pathname,
});

// The table that Drizzle's own migrator keeps. That migrator looks what is missing in one step and applies it
// in another, so of two services that start at once on a new file one would fail; the unique index prevents it.
const JOURNAL = [
  `CREATE TABLE IF NOT EXISTS __drizzle_migrations (
    id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC
  )`,
  `CREATE UNIQUE INDEX IF NOT EXISTS __drizzle_migrations_created_at
    ON __drizzle_migrations (created_at)`,
];

/** Applies what is missing, each migration in a transaction of its own. Safe when several processes do it at once. */
export async function migrate(database: Database): Promise<void> {
  await database.$client.batch(JOURNAL, "write");
  for (const { folderMillis, hash, sql: statements } of migrations) {
    if ((await lastMigration(database)) >= folderMillis) continue;
    try {
      await database.$client.migrate([
        {
          sql: "INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)",
          args: [hash, folderMillis],
        },
        ...statements,
      ]);
    } catch (error) {
      // Another process was faster: the index above refused the row, and with it the whole migration.
      if ((await lastMigration(database)) < folderMillis) throw error;
    }
  }
}

/** Whether every migration has been applied; one round trip. */
export async function isMigrated(database: Database): Promise<boolean> {
  return (
    (await lastMigration(database)) >= Math.max(...migrations.map((each) => each.folderMillis))
  );
}

async function lastMigration(database: Database): Promise<number> {
  const { rows } = await database.$client.execute(
    "SELECT max(created_at) AS last FROM __drizzle_migrations",
  );
  return Number(rows[0]?.last ?? 0);
}
