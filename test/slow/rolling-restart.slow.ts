/**
 * A rolling restart: the service as it was before todos had lists, due dates and revisions runs at the same time as
 * this version, on one file. The former version comes from the repository's own history, so a shallow clone is not
 * enough.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { openLocal } from "../../src/database/local.ts";
import { output } from "../command.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { contentsOf, idsOf, newUser, type Todo, type User } from "../todos/actions.ts";

const ROOT = join(import.meta.dir, "../..");
/** This file came with the new fields. The former version is the last commit without it. */
const MIGRATION = "drizzle/0002_todos_to_live_with.sql";

const SETTINGS = { JWT_SECRET: "a secret that both versions have, long enough" };

let former: ReturnType<typeof temporaryFolder>;

beforeAll(async () => {
  former = temporaryFolder();
  const git = (...words: string[]) => output(ROOT, ["git", ...words]);
  const added = await git("log", "--diff-filter=A", "--format=%H", "--", MIGRATION);
  const first = added.trim().split("\n").at(-1);
  if (!first) throw new Error("This clone has no history: git fetch --unshallow");
  const archive = join(former.path, "former.tar");
  await git("archive", "--output", archive, `${first}^`);
  await output(former.path, ["tar", "-xf", archive]);
  await output(former.path, [process.execPath, "install", "--frozen-lockfile"]);
}, 120_000);
afterAll(() => former[Symbol.dispose]());

const startFormer = (folder: string) =>
  startProcess(folder, SETTINGS, [process.execPath, join(former.path, "src/main.bun.ts")]);
const startNew = (folder: string) => startProcess(folder, SETTINGS);

/** The same user in another process. */
async function on(service: ServiceProcess, { id, username }: { id: number; username: string }) {
  const { logIn, call } = service;
  return newUser({
    call,
    logIn,
    user: async () => ({ id, username, ...(await logIn(username)) }),
  });
}

const inbox = (user: User) => user.walk("sort=position&list_id=inbox", 100);

test("an existing database of 100,000 todos keeps everything where it was, in a time that the log tells", async () => {
  using folder = temporaryFolder();
  const before = await startFormer(folder.path);
  const users = [await before.user(), await before.user()];
  const [first, second] = users;
  await before.stop();
  const database = openLocal(join(folder.path, "data/todos.db"));
  await database.execute({
    sql: `WITH RECURSIVE counter (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n + 1 < 100000)
      INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
      SELECT iif(n % 50, ?, ?), iif(n % 3, 'Todo ', '할 일 ') || n, n % 7 = 0, n, n FROM counter`,
    args: [first?.id ?? 0, second?.id ?? 0],
  });
  const read = async () =>
    (
      await database.execute(
        "SELECT id, user_id, contents, is_done, created_at, updated_at FROM todos",
      )
    ).rows;
  const rows = JSON.stringify(await read());
  database.close();

  await using service = await startNew(folder.path);
  await service.line(/migration 0002_todos_to_live_with applied in \d+ ms/);
  const again = openLocal(join(folder.path, "data/todos.db"));
  const found = await again.execute(
    "SELECT id, user_id, contents, is_done, created_at, updated_at FROM todos ORDER BY position",
  );
  expect(JSON.stringify(found.rows)).toBe(rows);
  const user = await on(service, { id: second?.id ?? 0, username: second?.username ?? "" });
  const todos = await inbox(user);
  expect(todos).toHaveLength(2000);
  expect(idsOf(todos)).toEqual(idsOf(await user.walk("", 100)));
  // In both scripts, while the texts of one of them are still being folded.
  expect(contentsOf(await user.walk("q=TODO%2050", 100))).toContain("Todo 50");
  expect(contentsOf(await user.walk("q=%ED%95%A0", 100))).toContain("할 일 0");
  again.close();
}, 120_000);

test("both versions serve one file, and each finds what the other writes", async () => {
  using folder = temporaryFolder();
  await using old = await startFormer(folder.path);
  const theOld = await newUser(old);
  for (const contents of ["Old MILK", "오래된 우유", "third"]) await theOld.add(contents);
  await using service = await startNew(folder.path);
  const theNew = await on(service, theOld);
  expect(contentsOf(await inbox(theNew))).toEqual(["Old MILK", "오래된 우유", "third"]);

  // A todo that the former version still writes has a place, is found, counts, and has a revision.
  const added: Todo = await theOld.add("둘째 우유");
  const seen = await theNew.read(added.id);
  expect(contentsOf(await inbox(theNew)).at(-1)).toBe("둘째 우유");
  expect(contentsOf(await theNew.walk("q=%EC%9A%B0%EC%9C%A0", 1))).toEqual([
    "오래된 우유",
    "둘째 우유",
  ]);
  await theOld.change(added.id, { contents: "Changed MILK", is_done: true });
  const changed = await theNew.read(added.id);
  expect(changed).toMatchObject({ contents: "Changed MILK", is_done: true });
  expect(changed.done_at).toBe(changed.updated_at);
  expect(changed.rev).toBe(seen.rev + 1);
  expect(contentsOf(await theNew.walk("q=milk", 100))).toEqual(["Old MILK", "Changed MILK"]);

  // A todo that this version writes is visible in the former one, and a todo that it deletes is not.
  const full = await theNew.add({
    contents: "New",
    notes: "with notes",
    due: { date: "2126-01-01" },
    repeat: { every: 1, unit: "day", from: "due" },
  });
  expect((await theOld.read(full.id)).contents).toBe("New");
  await theNew.remove(full.id);
  expect((await theOld.call("GET", `/todos/${full.id}`)).status).toBe(404);
  expect(contentsOf((await theOld.list()).todos)).not.toContain("New");
  await theNew.restore(full.id);
  expect((await theOld.read(full.id)).contents).toBe("New");
  expect(await theNew.read(full.id)).toMatchObject({ notes: "with notes", repeat: { every: 1 } });

  // A todo that the former version deletes is gone for both, and pages of its clients continue as before.
  const { next } = await (await theNew.call("GET", "/todos/changes")).json();
  await theOld.remove(added.id);
  expect((await theNew.call("GET", `/todos/${added.id}`)).status).toBe(404);
  const since = encodeURIComponent(next);
  const { changes } = await (await theNew.call("GET", `/todos/changes?since=${since}`)).json();
  expect(changes).toEqual([{ type: "todo", id: added.id, deleted: true }]);
  const moved = await theNew.move(full.id, { after: null });
  expect(contentsOf(await inbox(theNew))[0]).toBe("New");
  expect(moved.rev).toBeGreaterThan(full.rev);
}, 120_000);

test("nothing that either has acknowledged is lost while both write at once", async () => {
  using folder = temporaryFolder();
  await using old = await startFormer(folder.path);
  const theOld = await newUser(old);
  await using service = await startNew(folder.path);
  const theNew = await on(service, theOld);
  const acknowledged = new Set<string>();
  const deleted = new Set<number>();

  /** Adds, changes and deletes in turns. */
  async function write(user: User, writer: string): Promise<void> {
    for (let i = 0; i < 40; i++) {
      const contents = `${writer} ${i}`;
      const { id } = await user.add(contents);
      if (i % 4 === 1) {
        await user.change(id, { contents: `${contents} 우유`, is_done: true });
        acknowledged.add(`${contents} 우유`);
      } else if (i % 4 === 3) {
        await user.remove(id);
        deleted.add(id);
      } else {
        acknowledged.add(contents);
      }
    }
  }
  await Promise.all([
    ...["a", "b", "c"].map((writer) => write(theOld, writer)),
    ...["d", "e", "f"].map((writer) => write(theNew, writer)),
  ]);

  for (const user of [theOld, theNew]) {
    const todos = await user.walk("", 100);
    expect(new Set(contentsOf(todos))).toEqual(acknowledged);
    expect(todos).toHaveLength(acknowledged.size);
    for (const { id } of todos) expect(deleted.has(id)).toBe(false);
  }
  const todos = await inbox(theNew);
  expect(todos).toHaveLength(acknowledged.size);
  expect(new Set(todos.map(({ position }) => position)).size).toBe(todos.length);
  expect(new Set(contentsOf(await theNew.walk("q=%EC%9A%B0%EC%9C%A0", 100)))).toEqual(
    new Set([...acknowledged].filter((contents) => contents.endsWith("우유"))),
  );
  for (const { rev } of todos) expect(rev).toBeGreaterThan(0);

  // The counts match the rows, and one process continues alone.
  expect(await old.stop()).toBe(0);
  const database = openLocal(join(folder.path, "data/todos.db"));
  const { rows } = await database.execute(`
    SELECT todo_count, (SELECT count(*) FROM todos) + (SELECT count(*) FROM trash) AS counted,
      revision >= (SELECT max(rev) FROM todos) AS is_raised
    FROM users`);
  expect(
    rows.map(({ todo_count, counted, is_raised }) => [todo_count, is_raised, counted]),
  ).toEqual([[rows[0]?.counted, 1, rows[0]?.counted]] as never);
  database.close();
  await theNew.add("afterwards");
}, 120_000);
