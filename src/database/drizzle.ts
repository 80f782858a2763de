/** Drizzle, with this project's tables, in front of any libSQL client. */
import type { Client } from "@libsql/core/api";
// What all of Drizzle's entries for libSQL come down to. Each of those would load one of libSQL's stock clients too.
import { construct } from "drizzle-orm/libsql/driver-core";
import * as schema from "./schema.ts";

declare module "drizzle-orm/libsql/driver-core" {
  /** Exported by the package, but missing in its types. */
  export function construct<Schema extends Record<string, unknown>>(
    client: Client,
    config: { schema: Schema },
  ): LibSQLDatabase<Schema> & { $client: Client };
}

export function withSchema(client: Client) {
  return construct(client, { schema });
}

export type Database = ReturnType<typeof withSchema>;
