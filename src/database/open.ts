/** Opens the database that a URL names, with Drizzle in front. */
import type { Client } from "@libsql/core/api";
// Drizzle's entry for any libSQL client; its plain entry would load the stock native client as well.
import { drizzle } from "drizzle-orm/libsql/web";
import { openLocal } from "./local.ts";
import * as schema from "./schema.ts";

/**
 * @param url `file:` and the path of an SQLite file
 * @throws LibsqlError when the file can't be opened or is no database
 */
export function openDatabase(url: string) {
  return withSchema(openLocal(url.slice("file:".length)));
}

export function withSchema(client: Client) {
  return drizzle(client, { schema });
}

export type Database = ReturnType<typeof withSchema>;
