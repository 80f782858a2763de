/**
 * Brings an embedded replica in step with its server, in a thread of its own: libSQL's client blocks its thread for as
 * long as the server takes, for ever if the line is dead, and can't be opened while the server is out of reach.
 */
import { chmodSync, closeSync, openSync } from "node:fs";
import { type Client, createClient } from "@libsql/client/sqlite3";

/** What the thread is started with. */
export interface Following {
  path: string;
  syncUrl: string;
  authToken: string | undefined;
}

/** What the thread is told. */
export type Order = Following | "sync" | "stop";

/** What it tells after each sync: nothing, or why it failed. */
export interface Synced {
  reason?: string;
}

let following: Following | undefined;
let client: Client | undefined;

async function sync(): Promise<Synced> {
  try {
    if (!following) throw new Error("Nothing to follow");
    client ??= open(following);
    await client.sync();
    return {};
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

function open({ path, syncUrl, authToken }: Following): Client {
  // The file holds password hashes, and libSQL's client would make it for everyone to read. SQLite gives its -wal and
  // -shm the same mode. In this order: libSQL's client refuses a file without an index.
  for (const file of [`${path}-client_wal_index`, path]) makePrivate(file);
  const url = `file:${path}`;
  return createClient({ url, syncUrl, ...(authToken !== undefined && { authToken }) });
}

function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch {
    // It exists, or cannot be made: then the next line says why.
    chmodSync(file, 0o600);
  }
}

// It ends by itself, between two syncs: to be terminated in one, inside the native library, would end the process.
function stop(): void {
  client?.close();
  close();
}

addEventListener("message", async ({ data }: MessageEvent<Order>) => {
  if (data === "stop") stop();
  else if (data === "sync") postMessage(await sync());
  else following = data;
});
