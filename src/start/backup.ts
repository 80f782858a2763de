/**
 * `bun run backup FILE`: a sound copy of the embedded database (DATABASE_URL), safe while the service runs. A copy of
 * the file alone would lack what is still in its -wal.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { isEmbedded, readConfig } from "../config.ts";
import { openLocal } from "../database/local.ts";

const [target] = process.argv.slice(2);

async function backUp(path: string, target: string): Promise<void> {
  // SQLite would make an empty database where there is none, and back that up.
  if (!existsSync(path)) throw new Error(`There is no database at ${path}`);
  if (existsSync(target)) throw new Error(`${target} exists already`);
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { force: true });
  const client = openLocal(path);
  try {
    await client.execute({ sql: "VACUUM INTO ?", args: [unfinished] });
  } finally {
    client.close();
  }
  renameSync(unfinished, target);
}

try {
  if (!target) throw new Error("Usage: bun run backup FILE");
  // The copy holds what the database holds, password hashes too: for its owner alone to read.
  process.umask(0o077);
  const config = readConfig(process.env);
  if (!isEmbedded(config))
    throw new Error("The database is on a server, which has backups of its own");
  await backUp(config.databaseUrl.slice("file:".length), target);
  process.stdout.write(`Backed up to ${target}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
