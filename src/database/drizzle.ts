/** Drizzle with this project's tables, for any libSQL client. */
import type { Client } from "@libsql/core/api";
// All of Drizzle's entries for libSQL use this module. Each of those entries would also load one of libSQL's own
// clients.
import { construct } from "drizzle-orm/libsql/driver-core";
import * as schema from "./schema.ts";

declare module "drizzle-orm/libsql/driver-core" {
  /** The package exports it, but its types do not have it. */
  export function construct<Schema extends Record<string, unknown>>(
    client: Client,
    config: { schema: Schema },
  ): LibSQLDatabase<Schema> & { $client: Client };
}

export function withSchema(client: Client) {
  return construct(client, { schema });
}

export type Database = ReturnType<typeof withSchema>;
