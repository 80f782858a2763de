/** `todos migrate`: brings the configured database's schema up to date. Safe when two processes do it at once. */
import { faultOf, readConfig } from "../config.ts";
import { migrate } from "../database/migrate.ts";
import { missingMigrations } from "../database/schema-version.ts";
import { type Command, UsageError } from "./command.ts";
import { openConfigured } from "./platform.ts";

/** @throws ConfigError, UsageError */
export async function migrateCommand({ args, environment, print, progress }: Command) {
  if (args.length > 0) throw new UsageError("Usage: todos migrate");
  const database = await openConfigured(readConfig(environment));
  try {
    const missing = await missingMigrations(database);
    await migrate(database, (done, total) => progress.tell("Migrating", done, total));
    print(missing === 0 ? "The schema is up to date." : `Applied ${missing} migrations.`);
  } catch (error) {
    throw faultOf("Cannot bring the database up to date (DATABASE_URL)", error);
  } finally {
    database.$client.close();
  }
}
