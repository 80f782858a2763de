/**
 * `todos backup FILE` copies the embedded database to FILE. It is safe while the service runs. A copy of the database
 * file alone is not safe: the newest writes are in its -wal file.
 */
import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "libsql/promise";
import { type Config, isEmbedded, readConfig } from "../config.ts";
import { type Command, UsageError } from "./command.ts";
import type { Progress } from "./progress.ts";
import { syncFolderOf } from "./sync-folder.ts";

/** Milliseconds to wait while another process has the database locked. */
const BUSY_TIMEOUT = 5000;
/** Milliseconds between two looks at the progress of the copy. */
const LOOK_INTERVAL = 100;

/** @throws ConfigError, UsageError */
export async function backupCommand({ args, environment, print, progress }: Command) {
  const [target, ...rest] = args;
  if (target === undefined || rest.length > 0) throw new UsageError("Usage: todos backup FILE");
  const config = readConfig(environment);
  const path = embeddedPath(config);
  requireDatabase(path);
  if (existsSync(target)) throw new UsageError(`${target} exists already`);
  if (!existsSync(dirname(target))) throw new UsageError(`There is no folder ${dirname(target)}`);
  await copyDatabase(path, target, progress);
  print(`Backed up to ${target}`);
  const secret = join(dirname(path), "jwt-secret");
  if (config.jwtSecret === undefined && existsSync(secret)) {
    print(`Tokens are signed with the secret in ${secret}. Keep a copy of it too.`);
  }
}

/**
 * The path of the embedded database.
 * @throws UsageError when the database is on a server
 */
export function embeddedPath(config: Config): string {
  if (isEmbedded(config)) return config.databaseUrl.slice("file:".length);
  throw new UsageError("The database is on a server, which has backups of its own");
}

/**
 * SQLite would make an empty database where there is none.
 * @throws UsageError
 */
export function requireDatabase(path: string): void {
  if (!existsSync(path)) throw new UsageError(`There is no database at ${path}`);
}

async function copyDatabase(path: string, target: string, progress: Progress): Promise<void> {
  // Another process may make a backup of the same name.
  const unfinished = `${target}.unfinished-${process.pid}`;
  rmSync(unfinished, { force: true });
  // The copy contains password hashes, so only its owner may read it. SQLite uses an empty file as a new database.
  closeSync(openSync(unfinished, "wx", 0o600));
  const database = new Database(path, {});
  const watch = setInterval(() => {
    const { size } = statSync(unfinished, { throwIfNoEntry: false }) ?? { size: 0 };
    progress.tell("Copying", size, statSync(path).size);
  }, LOOK_INTERVAL);
  try {
    await database.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT}; PRAGMA synchronous=FULL`);
    // A libSQL server takes only files with pages of this size.
    await database.exec("PRAGMA page_size=4096");
    // The copy is complete on the disk before it gets its name.
    await database.exec(`VACUUM INTO '${unfinished.replaceAll("'", "''")}'`);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  } finally {
    clearInterval(watch);
    database.close();
  }
  chmodSync(unfinished, 0o600);
  renameSync(unfinished, target);
  syncFolderOf(target);
}
