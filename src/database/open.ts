/** Opens the database that a URL names, with Drizzle in front. */
import type { Client } from "@libsql/core/api";
import type { WritesMeter } from "../instruments.ts";
import { type Database, withSchema } from "./drizzle.ts";

/** What a database on a server needs beside its URL. */
export interface ServerSettings {
  databaseAuthToken?: string | undefined;
  /** The server of which the file is a replica. */
  databaseSyncUrl?: string | undefined;
  /** Seconds between two syncs. */
  databaseSyncInterval?: number;
  /** Seconds for which a replica answers reads by itself when its primary is out of reach. */
  databaseStaleReads?: number;
}

/**
 * @param url `file:` and the path of an SQLite file, or the `libsql://`, `https://` or `http://` URL of a libSQL server
 * @param meter told about waiting writes and commits
 * @throws LibsqlError when the file can't be opened or is no database; whether a server answers shows at first use
 */
export async function openDatabase(
  url: string,
  settings: ServerSettings = {},
  meter?: WritesMeter,
): Promise<Database> {
  return withSchema(await openClient(url, settings, meter));
}

async function openClient(
  url: string,
  settings: ServerSettings,
  meter: WritesMeter | undefined,
): Promise<Client> {
  const { databaseAuthToken: authToken, databaseSyncUrl: syncUrl } = settings;
  const { databaseSyncInterval = 10, databaseStaleReads = 0 } = settings;
  const staleReads = databaseStaleReads * 1000;
  const path = url.startsWith("file:") ? url.slice("file:".length) : undefined;
  // Each loaded only where it is used: the native library is not there on the edge, nor may it be.
  if (path !== undefined && syncUrl === undefined) {
    const { openLocal } = await import("./local.ts");
    return openLocal(path, { meter });
  }
  const { openRemote, openServerCopy } = await import("./remote.ts");
  if (path !== undefined && syncUrl !== undefined) {
    const { openReplica } = await import("./replica.ts");
    const interval = databaseSyncInterval * 1000;
    const copy = openReplica({ path, syncUrl, authToken, interval }, staleReads);
    return openRemote(syncUrl, { authToken, copy, meter });
  }
  const copy = staleReads > 0 ? openServerCopy(url, authToken, staleReads) : undefined;
  return openRemote(url, { authToken, copy, meter });
}
