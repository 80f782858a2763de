/**
 * Keeps an embedded replica in step with its server, in a thread of its own: libSQL's client blocks its thread for as
 * long as the server takes, for ever if the line is dead, and can't be opened while the server is out of reach.
 */
import { chmodSync } from "node:fs";
import { type Client, createClient } from "@libsql/client/sqlite3";

/** What the thread is started with. */
export interface Following {
  path: string;
  syncUrl: string;
  authToken: string | undefined;
  /** Milliseconds from one sync to the next. */
  interval: number;
}

/** What the thread tells after each sync: how many milliseconds it took, or why it failed. */
export type Synced = { took: number } | { reason: string };

let client: Client | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

async function sync({ path, syncUrl, authToken }: Following): Promise<void> {
  client ??= createClient({
    url: `file:${path}`,
    syncUrl,
    ...(authToken !== undefined && { authToken }),
  });
  await client.sync();
  // It holds password hashes, and libSQL's client makes it for everyone to read.
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    try {
      chmodSync(file, 0o600);
    } catch {
      // There is none: SQLite will give it the mode of the first.
    }
  }
}

async function follow(following: Following): Promise<void> {
  const startedAt = performance.now();
  let synced: Synced;
  try {
    await sync(following);
    synced = { took: performance.now() - startedAt };
  } catch (error) {
    synced = { reason: error instanceof Error ? error.message : String(error) };
  }
  postMessage(synced);
  timer = setTimeout(follow, following.interval, following);
}

// It ends by itself, between two syncs: to be terminated in one, inside the native library, would end the process.
function stop(): void {
  clearTimeout(timer);
  client?.close();
  close();
}

addEventListener("message", ({ data }: MessageEvent<Following | "stop">) =>
  data === "stop" ? stop() : follow(data),
);
