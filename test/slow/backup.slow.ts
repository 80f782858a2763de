/** A rehearsal: serve, back up under writes, restore elsewhere. */
import { expect, test } from "bun:test";
import { mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { openLocal } from "../../src/database/local.ts";
import { startProcess, temporaryFolder } from "../process.ts";

const BACKUP = join(import.meta.dir, "../../src/start/backup.ts");

async function backUp(folder: string, ...args: string[]) {
  const child = Bun.spawn([process.execPath, BACKUP, ...args], {
    cwd: folder,
    env: {},
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout, stderr };
}

test("a backup taken under writes has all that was acknowledged before it began", async () => {
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path);
  const { token, username } = await service.user("mina");
  const acknowledged: string[] = [];
  let isWriting = true;
  const write = async (writer: number) => {
    for (let i = 0; isWriting; i++) {
      const contents = `${writer}-${i}`;
      const { status } = await service.call("POST", "/todos", { token, json: { contents } });
      if (status === 201) acknowledged.push(contents);
    }
  };
  const writers = [write(1), write(2), write(3), write(4)];
  while (acknowledged.length < 200) await Bun.sleep(10);

  const before = acknowledged.slice();
  const backup = await backUp(folder.path, "backup.db");
  expect(backup).toEqual({ exitCode: 0, stdout: "Backed up to backup.db\n", stderr: "" });
  isWriting = false;
  await Promise.all(writers);
  expect(acknowledged.length).toBeGreaterThan(before.length);
  expect(statSync(join(folder.path, "backup.db")).mode & 0o777).toBe(0o600);

  using elsewhere = temporaryFolder();
  mkdirSync(join(elsewhere.path, "data"));
  const restored = join(elsewhere.path, "data/todos.db");
  renameSync(join(folder.path, "backup.db"), restored);
  const client = openLocal(restored);
  const integrity = await client.execute("PRAGMA integrity_check");
  expect(integrity.rows[0]?.[0]).toBe("ok");
  const rows = await client.execute("SELECT contents FROM todos");
  client.close();
  const contents = new Set(rows.rows.map((row) => row.contents));
  expect(before.filter((each) => !contents.has(each))).toEqual([]);

  await using second = await startProcess(elsewhere.path);
  const again = await second.logIn(username);
  const todos = await second.call("GET", "/todos?limit=1", { token: again.token });
  expect(todos.status).toBe(200);
});

test("a backup never replaces a file, nor makes a database where there is none", async () => {
  using folder = temporaryFolder();
  expect(await backUp(folder.path, "backup.db")).toEqual({
    exitCode: 1,
    stdout: "",
    stderr: "There is no database at data/todos.db\n",
  });
  expect(await backUp(folder.path)).toMatchObject({ exitCode: 1, stdout: "" });
  await using service = await startProcess(folder.path);
  expect(await service.stop()).toBe(0);
  await Bun.write(join(folder.path, "backup.db"), "precious");
  expect(await backUp(folder.path, "backup.db")).toMatchObject({
    exitCode: 1,
    stderr: "backup.db exists already\n",
  });
  expect(await Bun.file(join(folder.path, "backup.db")).text()).toBe("precious");
});
