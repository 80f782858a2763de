/**
 * `bun run migrate`: brings the database that the service's environment names up to date. Safe when two do it at once.
 */
import { ConfigError, faultOf, readConfig } from "../config.ts";
import { migrate, missingMigrations } from "../database/migrate.ts";
import { openConfigured } from "./platform.ts";

async function main(): Promise<void> {
  const database = await openConfigured(readConfig(process.env));
  try {
    const missing = await missingMigrations(database);
    await migrate(database);
    const done = missing === 0 ? "up to date already" : `${missing} applied`;
    process.stdout.write(`Migrations: ${done}\n`);
  } catch (error) {
    throw faultOf("Cannot bring the database up to date (DATABASE_URL)", error);
  } finally {
    database.$client.close();
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.faults.join("\n")}\n`);
  process.exit(1);
}
