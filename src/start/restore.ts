/** `todos restore FILE` replaces the embedded database with a backup, and keeps the former database. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import Database from "libsql";
import AsyncDatabase from "libsql/promise";
import { readConfig } from "../config.ts";
import { schemaVersions } from "../database/schema-version.ts";
import { BEGIN_EPOCH } from "../sync/revision.ts";
import { embeddedPath } from "./backup.ts";
import { type Command, UsageError } from "./command.ts";
import type { Progress } from "./progress.ts";
import { syncFolderOf } from "./sync-folder.ts";

/** How the names of the files end that SQLite has beside a database. */
const BESIDE = ["-wal", "-shm", "-journal"];
/** Bytes that are copied at once. */
const CHUNK = 1024 * 1024;

/** @throws ConfigError, UsageError */
export async function restoreCommand({ args, environment, print, progress }: Command) {
  const [source, ...rest] = args;
  if (source === undefined || rest.length > 0) throw new UsageError("Usage: todos restore FILE");
  const named = embeddedPath(readConfig(environment));
  // The file may be on another volume, behind a link.
  const isLink = existsSync(named) && lstatSync(named).isSymbolicLink();
  const path = isLink ? realpathSync(named) : named;
  if (!existsSync(source)) throw new UsageError(`There is no file ${source}`);
  // It would be lost, because only the file itself is copied. A backup has none.
  if ((statSync(`${source}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new UsageError(`${source} is no backup: its newest writes are in ${source}-wal`);
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.restoring`;
  removeDatabase(draft);
  try {
    await copyFile(source, draft, progress);
    progress.tell("Checking");
    // The copy is checked, not the backup, because the copy will be served.
    await prepareCopy(draft, source);
    const kept = replaceDatabase(path, draft);
    print(`Restored ${source} to ${path}`);
    if (kept !== undefined) print(`What was there before is now ${kept}`);
  } finally {
    removeDatabase(draft);
  }
}

/** With the files that SQLite has beside it. It would move an old journal into a new database of the same name. */
function removeDatabase(path: string): void {
  for (const end of ["", ...BESIDE]) rmSync(`${path}${end}`, { force: true });
}

async function copyFile(source: string, target: string, progress: Progress): Promise<void> {
  const { size } = statSync(source);
  await using from = await open(source, "r");
  await using to = await open(target, "wx", 0o600);
  const chunk = new Uint8Array(CHUNK);
  for (let done = 0; ; ) {
    const { bytesRead } = await from.read(chunk, 0, CHUNK);
    if (bytesRead === 0) break;
    await to.writeFile(chunk.subarray(0, bytesRead));
    done += bytesRead;
    progress.tell("Copying", done, size);
  }
  await to.sync();
}

/**
 * Clients may still have changes for rows that came after the backup. So the ids of up to a million such rows in each
 * table are not given again. `docs/operating.md` has these statements too, for a database on a server. (A table whose
 * first row is still to come has no sequence.)
 */
const SKIP_IDS = `
  INSERT INTO sqlite_sequence (name, seq)
    SELECT name, 0 FROM sqlite_schema
    WHERE sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence);
  UPDATE sqlite_sequence SET seq = seq + 1000000`;

/**
 * Checks the copy of a backup, begins a new epoch in it, and skips ids.
 * @param name the name of the backup, for the messages
 * @throws UsageError
 */
async function prepareCopy(path: string, name: string): Promise<void> {
  // On another thread, because the check of a large file takes long, and the progress is shown meanwhile.
  const database = new AsyncDatabase(path, {});
  try {
    await checkCopy(database, name);
    // The first versions had no revisions.
    const column = "SELECT 1 FROM pragma_table_info('users') WHERE name = 'revision'";
    if ((await firstValue(database, column)) === undefined) return;
    const pragmas = "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL";
    await database.exec(`${pragmas}; ${BEGIN_EPOCH}; ${SKIP_IDS}`);
  } finally {
    database.close();
  }
}

/** @throws UsageError unless it is an undamaged database of this service, and not of a later version */
async function checkCopy(database: AsyncDatabase, name: string): Promise<void> {
  try {
    const integrity = await firstValue(database, "PRAGMA integrity_check(1)");
    if (integrity !== "ok") throw new UsageError(`${name} is damaged: ${integrity}`);
    const last = await firstValue(database, "SELECT max(created_at) FROM __drizzle_migrations");
    const newest = Math.max(...schemaVersions.map(({ createdAt }) => createdAt));
    if (Number(last) > newest) {
      throw new UsageError(`${name} was made by a later version of the service`);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${name} is no backup of this service: ${reasonOf(error)}`);
  }
}

async function firstValue(database: AsyncDatabase, query: string): Promise<unknown> {
  const statement = await database.prepare(query);
  const [row]: unknown[] = await statement.raw().all();
  return Array.isArray(row) ? row[0] : undefined;
}

/**
 * Puts `draft` in the place of the database at `path`. Returns the name that the former database has now.
 * @throws UsageError while another process has it open
 */
function replaceDatabase(path: string, draft: string): string | undefined {
  const kept = `${path}.before-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  const isThere = existsSync(path);
  const former = isThere ? lock(path) : undefined;
  try {
    // Only a damaged or a lost database still has these files. SQLite would take them for those of the new one.
    for (const end of BESIDE) if (existsSync(path + end)) renameSync(path + end, kept + end);
    if (isThere) addName(path, kept);
    renameSync(draft, path);
    syncFolderOf(path);
  } finally {
    former?.close();
  }
  return isThere ? kept : undefined;
}

/**
 * Locks a database until it is closed, and moves everything into its file. Undefined when it is damaged: then SQLite can
 * do neither, and its files are kept as they are.
 * @throws UsageError while another process has it open
 */
function lock(path: string): InstanceType<typeof Database> | undefined {
  const database = new Database(path);
  try {
    // SQLite leaves WAL mode only when this is the last connection.
    database.exec("PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE");
    const [mode] = database.prepare("PRAGMA journal_mode").raw().all() as unknown[][];
    if (mode?.[0] === "wal") throw new Error("database is locked");
    return database;
  } catch (error) {
    database.close();
    const reason = reasonOf(error);
    if (/locked|busy/i.test(reason))
      throw new UsageError(`${path} is in use. Stop the service first`);
    if (/malformed|not a database/i.test(reason)) return undefined;
    throw error;
  }
}

/** Gives a file a second name, so that there is a database under the first name even after a power cut. */
function addName(path: string, second: string): void {
  try {
    linkSync(path, second);
  } catch {
    // Some file systems have no hard links.
    renameSync(path, second);
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
