/** Makes sure that the names in a folder survive a power cut. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** A new name is on the disk only when its folder was synced. Call this after a file at `path` was made or renamed. */
export function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
