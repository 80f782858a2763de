/**
 * `bun run backup FILE` copies the embedded database (DATABASE_URL) to FILE. It is safe while the service runs. To copy
 * the database's file alone is not: it lacks what is still in its -wal file.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import Database from "libsql";
import { isEmbedded, readConfig } from "../config.ts";

/** Milliseconds to wait while another process has the database locked. */
const BUSY_TIMEOUT = 5000;

const [target] = process.argv.slice(2);

function backUp(path: string, target: string): void {
  // SQLite would make an empty database where there is none, and back that up.
  if (!existsSync(path)) throw new Error(`There is no database at ${path}`);
  if (existsSync(target)) throw new Error(`${target} exists already`);
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { force: true });
  const database = new Database(path);
  try {
    // A copy is whole on the disk before it gets its name.
    database.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT}; PRAGMA synchronous=FULL`);
    database.prepare("VACUUM INTO ?").run(unfinished);
  } finally {
    database.close();
  }
  renameSync(unfinished, target);
}

try {
  if (!target) throw new Error("Usage: bun run backup FILE");
  // The copy holds password hashes, so only its owner may read it.
  process.umask(0o077);
  const config = readConfig(process.env);
  if (!isEmbedded(config))
    throw new Error("The database is on a server, which has backups of its own");
  backUp(config.databaseUrl.slice("file:".length), target);
  process.stdout.write(`Backed up to ${target}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
