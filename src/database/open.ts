/** Opens the database that a URL names, with Drizzle in front. */
import type { Client } from "@libsql/core/api";
import type { WritesMeter } from "../instruments.ts";
import { type Database, withSchema } from "./drizzle.ts";
import type { RequestScope } from "./request-view.ts";

/** What a database on a server needs beside its URL. */
export interface ServerSettings {
  databaseAuthToken?: string | undefined;
  /** The primary of the server, when that is a replica. What is for the primary then goes there directly. */
  databasePrimaryUrl?: string | undefined;
  /** The server of which the file is a replica. */
  databaseSyncUrl?: string | undefined;
  /** Seconds between two syncs. */
  databaseSyncInterval?: number;
  /** Seconds for which a replica answers reads by itself without word from its primary. */
  databaseStaleReads?: number;
}

export interface DatabaseOptions {
  /** Told about waiting writes and commits. */
  meter?: WritesMeter | undefined;
  /** Knows what a request has seen. With it, replicas answer the reads of requests. */
  scope?: RequestScope | undefined;
}

/**
 * @param url `file:` and the path of an SQLite file, or the `libsql://`, `https://` or `http://` URL of a libSQL server
 * @throws LibsqlError when the file can't be opened or is no database; whether a server answers shows at first use
 */
export async function openDatabase(
  url: string,
  settings: ServerSettings = {},
  options: DatabaseOptions = {},
): Promise<Database> {
  return withSchema(await openClient(url, settings, options));
}

async function openClient(
  url: string,
  settings: ServerSettings,
  { meter, scope }: DatabaseOptions,
): Promise<Client> {
  const { databaseAuthToken: authToken, databaseSyncUrl: syncUrl } = settings;
  const { databaseSyncInterval = 10, databaseStaleReads = 0 } = settings;
  const path = url.startsWith("file:") ? url.slice("file:".length) : undefined;
  // Each loaded only where it is used: the native library is not there on the edge, nor may it be.
  if (path !== undefined && syncUrl === undefined) {
    const { openLocal } = await import("./local.ts");
    return openLocal(path, { meter });
  }
  const { openRemote } = await import("./remote.ts");
  const options = { authToken, staleReads: databaseStaleReads * 1000, scope, meter };
  if (path === undefined || syncUrl === undefined) {
    return openRemote(url, { ...options, primaryUrl: settings.databasePrimaryUrl });
  }
  const { openReplica } = await import("./replica.ts");
  const following = { path, syncUrl, authToken };
  const interval = databaseSyncInterval * 1000;
  return openRemote(syncUrl, {
    ...options,
    openReplica: (heard) => openReplica(following, interval, heard),
  });
}
