/**
 * Synchronizes an embedded replica with its server, in a separate thread. libSQL's client blocks its thread as long as
 * the server takes, and forever if the connection is dead. It also cannot be opened while the server is unreachable.
 */
import { chmodSync, closeSync, openSync } from "node:fs";
import { type Client, createClient } from "@libsql/client/sqlite3";

/** The first message to the thread. */
export interface Following {
  path: string;
  syncUrl: string;
  authToken: string | undefined;
}

/** The messages to the thread. */
export type Order = Following | "sync" | "stop";

/** The thread's message after each sync: empty, or the reason why it failed. */
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
  // The file holds password hashes, but libSQL's client would make it readable for everyone. SQLite gives its -wal and
  // -shm files the same mode. The order matters: libSQL's client refuses a file without an index.
  for (const file of [`${path}-client_wal_index`, path]) makePrivate(file);
  const url = `file:${path}`;
  return createClient({ url, syncUrl, ...(authToken !== undefined && { authToken }) });
}

function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch {
    // The file exists, or it cannot be made. In the second case the next line throws the reason.
    chmodSync(file, 0o600);
  }
}

// The thread ends itself between two syncs. To terminate it inside the native library would end the whole process.
function stop(): void {
  client?.close();
  close();
}

addEventListener("message", async ({ data }: MessageEvent<Order>) => {
  if (data === "stop") stop();
  else if (data === "sync") postMessage(await sync());
  else following = data;
});
