/** The files that the service makes: no other user of the machine can read them, not even for a moment. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { backupCommand } from "../../src/start/backup.ts";
import { migrateCommand } from "../../src/start/migrate.ts";
import { restoreCommand } from "../../src/start/restore.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { SECRET } from "../service.ts";
import { startPrimary } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

/** Collects the modes of a folder and its files, as they appear, until it is stopped. */
function watchModes(folder: string) {
  const modes = new Map<string, Set<string>>();
  const look = () => {
    try {
      for (const name of [".", ...readdirSync(folder)]) {
        const mode = (statSync(join(folder, name)).mode & 0o777).toString(8);
        modes.set(name, (modes.get(name) ?? new Set()).add(mode));
      }
    } catch {
      // The folder or one of its files does not exist yet, or not any more.
    }
  };
  const timer = setInterval(look, 1);
  return {
    stop() {
      clearInterval(timer);
      look();
      return Object.fromEntries([...modes].map(([name, seen]) => [name, [...seen]]));
    },
  };
}

test.each(["a file", "an embedded replica"])("are private, with %s", async (kind) => {
  using folder = temporaryFolder();
  const primary = await startPrimary(folder.path);
  const watch = watchModes(join(folder.path, "data"));
  try {
    const replica = {
      DATABASE_SYNC_URL: primary.url,
      DATABASE_AUTH_TOKEN: primary.token,
      MIGRATE_ON_START: "true",
      JWT_SECRET: SECRET,
    };
    await using service = await startProcess(folder.path, kind === "a file" ? {} : replica);
    await service.user("mina");
    if (kind !== "a file") await service.line(/in sync/);
    const { ".": ofFolder, ...ofFiles } = watch.stop();
    expect(ofFolder).toEqual(["700"]);
    expect(Object.keys(ofFiles)).toContain("todos.db");
    expect(Object.values(ofFiles)).toEqual(Object.values(ofFiles).map(() => ["600"]));
  } finally {
    watch.stop();
    await primary.kill();
  }
});

test("are private after a restore, even if the umask lets others read new files", async () => {
  using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const backup = join(folder.path, "kept.db");
  const watch = watchModes(data);
  const former = process.umask(0o022);
  // In this process, because on Bun a separate process of the service sets a stricter umask.
  const command = (...args: string[]) => ({
    args,
    environment: { DATABASE_URL: `file:${data}/todos.db` },
    print() {},
    progress: { tell() {}, clear() {}, end() {} },
    readInput: async () => "",
  });
  try {
    await migrateCommand(command());
    await backupCommand(command(backup));
    rmSync(data, { recursive: true });
    await restoreCommand(command(backup));
    expect(watch.stop()).toMatchObject({ ".": ["700"], "todos.db": ["600"] });
    expect(statSync(backup).mode & 0o777).toBe(0o600);
  } finally {
    watch.stop();
    process.umask(former);
  }
});
