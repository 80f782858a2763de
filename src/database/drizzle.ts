/** Drizzle, with this project's tables, in front of any libSQL client. */
import type { Client } from "@libsql/core/api";
// Drizzle's entry for any libSQL client. Its plain entry would load the stock native client as well.
import { drizzle } from "drizzle-orm/libsql/web";
import * as schema from "./schema.ts";

export function withSchema(client: Client) {
  return drizzle(client, { schema });
}

export type Database = ReturnType<typeof withSchema>;
