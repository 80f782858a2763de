/** Which migrations there are, and which of them a database has. Their texts are in `migrations.ts`. */
import journal from "../../drizzle/meta/_journal.json" with { type: "json" };
import type { Database } from "./drizzle.ts";

export interface SchemaVersion {
  /** The migration's name, which is the name of its file. */
  tag: string;
  /** When it was generated, in milliseconds since the epoch. This is its place in the order. */
  createdAt: number;
}

/** A version of the schema for each migration under `drizzle/`, in order. */
export const schemaVersions: readonly SchemaVersion[] = journal.entries.map(({ tag, when }) => ({
  tag,
  createdAt: when,
}));

const LAST = "SELECT max(created_at) AS last FROM __drizzle_migrations";

/** The number of missing migrations. One round trip. A stale replica never answers it. */
export async function missingMigrations(database: Database): Promise<number> {
  const last = await lastMigration(database);
  return schemaVersions.filter(({ createdAt }) => createdAt > last).length;
}

/** When the newest applied migration was generated, in milliseconds since the epoch; 0 when there is none. */
export async function lastMigration(database: Database): Promise<number> {
  try {
    const [result] = await database.$client.batch([LAST], "read");
    return Number(result?.rows[0]?.last ?? 0);
  } catch (error) {
    if (error instanceof Error && error.message.includes("no such table")) return 0;
    throw error;
  }
}
