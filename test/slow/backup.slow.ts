/** A rehearsal: run the service, back up during writes, and restore in another place. */
import { expect, test } from "bun:test";
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { openLocal } from "../../src/database/local.ts";
import { startProcess, temporaryFolder } from "../process.ts";

const MAIN = join(import.meta.dir, "../../src/main.bun.ts");

/** The characters before each drawing of a terminal's line: back to its start, and clear it (ECMA-48 EL). */
const REDRAWN = "\r\x1b[K";

const backUp = (folder: string, ...args: string[]) => command(folder, {}, "backup", ...args);
const restore = (folder: string, ...args: string[]) => command(folder, {}, "restore", ...args);

async function command(folder: string, env: Record<string, string>, ...args: string[]) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: folder,
    env,
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
  expect(backup).toEqual({
    exitCode: 0,
    stdout:
      "Backed up to backup.db\n" +
      "Tokens are signed with the secret in data/jwt-secret. Keep a copy of it too.\n",
    stderr: "",
  });
  isWriting = false;
  await Promise.all(writers);
  expect(acknowledged.length).toBeGreaterThan(before.length);
  expect(statSync(join(folder.path, "backup.db")).mode & 0o777).toBe(0o600);

  using elsewhere = temporaryFolder();
  const restored = join(elsewhere.path, "data/todos.db");
  expect(await restore(elsewhere.path, join(folder.path, "backup.db"))).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Restored .+backup\.db to data\/todos\.db\n$/),
  });
  const client = openLocal(restored);
  const integrity = await client.execute("PRAGMA integrity_check");
  expect(integrity.rows[0]?.[0]).toBe("ok");
  const rows = await client.execute("SELECT contents FROM todos");
  client.close();
  const contents = new Set(rows.rows.map((row) => row.contents));
  expect(before.filter((each) => !contents.has(each))).toEqual([]);
  // A libSQL server takes no smaller pages.
  const copy = new Database(join(folder.path, "backup.db"));
  expect(copy.prepare("PRAGMA page_size").raw().all()).toEqual([[4096]]);
  copy.close();

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
  expect(await backUp(folder.path, "nowhere/backup.db")).toMatchObject({
    exitCode: 1,
    stderr: "There is no folder nowhere\n",
  });
});

test("a restore keeps what was there, and begins only once the service has stopped", async () => {
  using folder = temporaryFolder();
  const data = join(folder.path, "data");
  await using first = await startProcess(folder.path);
  const { username, token } = await first.user("mina");
  await first.call("POST", "/todos", { token, json: { contents: "in the backup" } });
  expect(await backUp(folder.path, "backup.db")).toMatchObject({ exitCode: 0 });
  const after = { token, json: { contents: "after it" } };
  const lost = await (await first.call("POST", "/todos", after)).json();
  const { next } = await (await first.call("GET", "/todos/changes", { token })).json();

  expect(await restore(folder.path, "backup.db")).toEqual({
    exitCode: 1,
    stdout: "",
    stderr: "data/todos.db is in use. Stop the service first\n",
  });
  expect((await (await first.call("GET", "/todos", { token })).json()).todos).toHaveLength(2);
  expect(await first.stop()).toBe(0);

  const restored = await restore(folder.path, "backup.db");
  expect(restored).toMatchObject({ exitCode: 0, stderr: "" });
  const [, kept = ""] = /What was there before is now (.+)\n/.exec(restored.stdout) ?? [];
  const former = openLocal(join(folder.path, kept));
  const { rows } = await former.execute("SELECT contents FROM todos ORDER BY id");
  expect(rows.map(({ contents }) => contents)).toEqual(["in the backup", "after it"]);
  former.close();
  expect(readdirSync(data).filter((name) => name.includes("restoring"))).toEqual([]);

  await using second = await startProcess(folder.path);
  const again = await second.logIn(username);
  const { todos } = await (await second.call("GET", "/todos", { token: again.token })).json();
  expect(todos).toMatchObject([{ contents: "in the backup" }]);

  // The lost todo's id, revision and tag never belong to another one, and a client that has it has to begin anew.
  const added = { token: again.token, json: { contents: "after the restore" } };
  const todo = await (await second.call("POST", "/todos", added)).json();
  expect(todo.id).toBeGreaterThan(lost.id);
  const headers = { "if-match": '"2"' };
  const changed = { token: again.token, headers, json: { is_done: true } };
  expect((await second.call("PATCH", `/todos/${todo.id}`, changed)).status).toBe(412);
  const since = await second.call("GET", `/todos/changes?since=${next}`, { token: again.token });
  expect(since.status).toBe(410);
});

test.each([
  ["in its first bytes", 0],
  ["in its content", 4096],
])("a database that is damaged %s is replaced, and kept", async (_, from) => {
  using folder = temporaryFolder();
  await using first = await startProcess(folder.path);
  const { username, token } = await first.user("mina");
  for (let i = 0; i < 50; i++) {
    await first.call("POST", "/todos", { token, json: { contents: `in the backup: ${i}` } });
  }
  expect(await backUp(folder.path, "backup.db")).toMatchObject({ exitCode: 0 });
  await first.stop();
  const path = join(folder.path, "data/todos.db");
  const damaged = readFileSync(path).fill(0xaa, from);
  writeFileSync(path, damaged);

  const { exitCode, stdout, stderr } = await restore(folder.path, "backup.db");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  const [, kept = ""] = /What was there before is now (.+)\n/.exec(stdout) ?? [];
  expect(readFileSync(join(folder.path, kept)).equals(damaged)).toBe(true);
  await using second = await startProcess(folder.path);
  const again = await second.logIn(username);
  const { todos } = await (await second.call("GET", "/todos", { token: again.token })).json();
  expect(todos[0]).toMatchObject({ contents: "in the backup: 0" });
});

test("a lost database's -wal is not taken for the restored one's", async () => {
  using folder = temporaryFolder();
  const data = join(folder.path, "data");
  await using first = await startProcess(folder.path);
  const { username, token } = await first.user("mina");
  expect(await backUp(folder.path, "backup.db")).toMatchObject({ exitCode: 0 });
  await first.call("POST", "/todos", { token, json: { contents: "after it" } });
  await first.call("POST", "/lists", { token, json: { name: "After it" } });
  first.kill("SIGKILL");
  await first.ended;

  // The file alone, without its -wal, lacks the newest writes.
  renameSync(join(data, "todos.db"), join(folder.path, "alone.db"));
  cpSync(join(data, "todos.db-wal"), join(folder.path, "alone.db-wal"));
  expect(await restore(folder.path, "alone.db")).toEqual({
    exitCode: 1,
    stdout: "",
    stderr: "alone.db is no backup: its newest writes are in alone.db-wal\n",
  });

  expect(await restore(folder.path, "backup.db")).toMatchObject({ exitCode: 0, stderr: "" });
  await using second = await startProcess(folder.path);
  const again = await second.logIn(username);
  const page = await (await second.call("GET", "/todos", { token: again.token })).json();
  expect(page.todos).toEqual([]);
  // The backup had no todo and no list. Yet the ids of the lost ones are not given again.
  for (const [path, json] of [
    ["/todos", { contents: "new" }],
    ["/lists", { name: "New" }],
  ] as const) {
    const added = await second.call("POST", path, { token: again.token, json });
    expect((await added.json()).id).toBeGreaterThan(1);
  }
});

test("a restore replaces the database behind a symbolic link", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "volume"));
  await using first = await startProcess(folder.path, { DATABASE_URL: "file:volume/todos.db" });
  const { username } = await first.user("mina");
  await first.stop();
  const settings = { DATABASE_URL: "file:link.db" };
  symlinkSync("volume/todos.db", join(folder.path, "link.db"));
  expect(await command(folder.path, settings, "backup", "backup.db")).toMatchObject({
    exitCode: 0,
  });
  expect(await command(folder.path, settings, "restore", "backup.db")).toMatchObject({
    exitCode: 0,
  });
  expect(lstatSync(join(folder.path, "link.db")).isSymbolicLink()).toBe(true);
  await using second = await startProcess(folder.path, { DATABASE_URL: "file:volume/todos.db" });
  await second.logIn(username);
  expect(readdirSync(join(folder.path, "volume")).some((name) => name.includes(".before-"))).toBe(
    true,
  );
});

test("a file that is damaged, foreign or of a later version is not restored", async () => {
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path);
  const { token } = await service.user();
  for (let i = 0; i < 50; i++) {
    const json = { contents: "x".repeat(1000) };
    await service.call("POST", "/todos", { token, json });
  }
  expect(await service.stop()).toBe(0);
  await backUp(folder.path, "backup.db");
  const path = (name: string) => join(folder.path, name);

  const bytes = readFileSync(path("backup.db"));
  bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 8192);
  await Bun.write(path("damaged.db"), bytes);
  await Bun.write(
    path("foreign.db"),
    "Not a database, but long enough to be read as one. ".repeat(99),
  );
  await Bun.write(path("later.db"), readFileSync(path("backup.db")));
  const later = openLocal(path("later.db"));
  await later.execute("UPDATE __drizzle_migrations SET created_at = created_at + 1e12");
  later.close();

  const refusals = {
    "damaged.db": /damaged\.db is (damaged|no backup of this service): /,
    "foreign.db": /foreign\.db is no backup of this service: /,
    "later.db": /later\.db was made by a later version of the service\n/,
    "missing.db": /There is no file missing\.db\n/,
  };
  const before = readFileSync(path("data/todos.db"));
  for (const [name, refusal] of Object.entries(refusals)) {
    const result = await restore(folder.path, name);
    expect(result).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(refusal) });
  }
  expect(readFileSync(path("data/todos.db")).equals(before)).toBe(true);
});

test("a backup and a restore of a large file show on a terminal how far they are", async () => {
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path);
  expect(await service.stop()).toBe(0);
  const database = new Database(join(folder.path, "data/todos.db"));
  // With an index, because the check of an index takes long.
  database.exec("CREATE TABLE ballast (text TEXT); CREATE INDEX ballast_text ON ballast (text)");
  const grow = (rows: number) =>
    database.exec(`
      WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < ${rows})
      INSERT INTO ballast SELECT hex(randomblob(200)) FROM counter`);
  const onTerminal = async (...args: string[]) => {
    const words = [process.execPath, MAIN, ...args].join(" ");
    // It runs the command in a terminal of its own, and prints the output of that terminal.
    const child = Bun.spawn(["script", "--quiet", "--return", "--command", words, "/dev/null"], {
      cwd: folder.path,
      env: { PATH: process.env.PATH ?? "" },
      stdin: "ignore",
    });
    const shown = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    return shown;
  };
  // Quick work shows nothing, so the file grows until this machine needs some time to copy it.
  let name = "";
  let backup = "";
  for (let rows = 100_000; !backup.includes(REDRAWN) && rows <= 1_600_000; rows *= 2) {
    grow(rows);
    name = `backup-${rows}.db`;
    backup = await onTerminal("backup", name);
  }
  database.close();
  expect(backup.split(REDRAWN)).toContainEqual(expect.stringMatching(/^Copying: \d+ %/));
  expect(backup).toContain(`${REDRAWN}Backed up to ${name}`);
  const restored = await onTerminal("restore", name);
  expect(restored.split(REDRAWN)).toContainEqual(expect.stringMatching(/^Checking: \d+ s$/));
  expect(restored).toContain(`${REDRAWN}Restored ${name}`);
}, 120_000);
