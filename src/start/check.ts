/** `todos check`: checks what a start needs: the settings, the database and the mail server. Changes no data. */
import { existsSync } from "node:fs";
import { type Config, isEmbedded, readConfig } from "../config.ts";
import { missingMigrations } from "../database/schema-version.ts";
import { reasonOf } from "../mail/failure.ts";
import { nearMisses } from "../near-misses.ts";
import { embeddedPath } from "./backup.ts";
import { type Command, UsageError } from "./command.ts";
import { nativePlatform, openConfigured } from "./platform.ts";

/**
 * Prints a line for each part that works.
 * @throws ConfigError, UsageError with a line for each part that does not work
 */
export async function checkCommand({ args, environment, print }: Command): Promise<void> {
  if (args.length > 0) throw new UsageError("Usage: todos check");
  const config = readConfig(environment);
  for (const { name, meant } of nearMisses(config)) {
    print(`There is no setting ${name}. Did you mean ${meant}?`);
  }
  print("The settings are sound.");
  const faults: string[] = [];
  for (const look of [lookAtDatabase, lookAtMails]) {
    try {
      print(await look(config));
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (faults.length > 0) throw new UsageError(faults.join("\n"));
}

async function lookAtDatabase(config: Config): Promise<string> {
  const isMissing = isEmbedded(config) && !existsSync(embeddedPath(config));
  if (isMissing) return "There is no database yet. The start makes it.";
  const database = await openConfigured(withoutReplica(config));
  try {
    const missing = await missingMigrations(database);
    if (missing === 0) return "The database answers, and its schema is up to date.";
    const lacks = `The database lacks ${missing} of its migrations`;
    if (isEmbedded(config) || config.migrateOnStart) return `${lacks}. The start applies them.`;
    throw new Error(`${lacks}: todos migrate applies them`);
  } catch (error) {
    throw new Error(`The database: ${error instanceof Error ? error.message : error}`);
  } finally {
    database.$client.close();
  }
}

/** Names the server instead of its replica. A replica would create its file and begin to sync. */
function withoutReplica(config: Config): Config {
  const { databaseSyncUrl } = config;
  if (databaseSyncUrl === undefined) return config;
  return { ...config, databaseUrl: databaseSyncUrl, databaseSyncUrl: undefined };
}

async function lookAtMails(config: Config): Promise<string> {
  if (config.mailUrl === "log:") return "Mails are printed, and not sent (MAIL_URL).";
  const transport = nativePlatform(() => null).openTransport(config);
  try {
    await transport.check();
    return "The mail server answers, and accepts the credentials.";
  } catch (error) {
    const reason = reasonOf(error instanceof Error ? error : new Error(String(error)));
    throw new Error(`The mail server (MAIL_URL): ${reason}`);
  } finally {
    transport.close();
  }
}
