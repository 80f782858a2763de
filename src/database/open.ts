/** Opens the database that a URL names, with Drizzle in front. */
import type { Client } from "@libsql/core/api";
import type { WritesMeter } from "../instruments.ts";
import { type Database, withSchema } from "./drizzle.ts";
import type { RequestScope } from "./request-view.ts";

/** Settings of a database on a server, besides its URL. */
export interface ServerSettings {
  databaseAuthToken?: string | undefined;
  /** The URL of the primary, when the server is a replica. Requests for the primary then go there directly. */
  databasePrimaryUrl?: string | undefined;
  /** The URL of the libSQL server that the file is a replica of. */
  databaseSyncUrl?: string | undefined;
  /** Seconds between two syncs. */
  databaseSyncInterval?: number;
  /** Seconds for which a replica may answer reads by itself after it last heard from its primary. */
  databaseStaleReads?: number;
}

export interface DatabaseOptions {
  /** Is told about waiting writes and commits. */
  meter?: WritesMeter | undefined;
  /** Knows how new the state is that a request has seen. With it, replicas answer the reads of requests. */
  scope?: RequestScope | undefined;
}

/**
 * @param url `file:` and the path of an SQLite file, or the `libsql://`, `https://` or `http://` URL of a libSQL server
 * @throws LibsqlError when the file cannot be opened or is not a database. A server is first contacted when it is used
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
  // Each module is loaded only where it is used. The native library does not exist on the edge, and must not be bundled
  // there.
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
