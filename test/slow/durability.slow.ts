/** An acknowledged write is stored, whatever happens to the file: locks, killed processes, and a second process. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import Database from "libsql";
import { openLocal } from "../../src/database/local.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";

const SECOND_PROCESS = join(import.meta.dir, "../database/local.child.ts");

test("while another process holds the write lock, reads go on and no acknowledged write is lost", async () => {
  using folder = temporaryFolder();
  await using service = await startProcess(folder.path);
  const { token } = await service.user();

  const command = [process.execPath, SECOND_PROCESS, "hold", databaseIn(folder.path)];
  await using holder = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  await holder.stdout.getReader().read();
  let answered = 0;
  const writes = Array.from({ length: 50 }, async (_, i) => {
    const contents = `todo ${i}`;
    const response = await service.call("POST", "/todos", { token, json: { contents } });
    answered++;
    return { contents, status: response.status };
  });
  const releaseAt = Date.now() + 1000;
  while (Date.now() < releaseAt) {
    for (const path of ["/todos", "/users/me", "/health/ready"]) {
      expect((await service.call("GET", path, { token })).status).toBe(200);
    }
  }
  // The reads were answered while the writes waited.
  expect(answered).toBe(0);
  await holder.stdin.end();

  const answers = await Promise.all(writes);
  expect(answers.filter(({ status }) => status !== 201 && status !== 503)).toEqual([]);
  const acknowledged = answers.filter(({ status }) => status === 201);
  const present = await todosOf(service, token);
  expect(present.toSorted()).toEqual(acknowledged.map(({ contents }) => contents).toSorted());
  expect(await service.stop()).toBe(0);
});

test("killed amid writes, twenty times over, it has lost no acknowledged todo", async () => {
  using folder = temporaryFolder();
  const acknowledged: string[] = [];
  let token: string | undefined;
  for (let round = 0; round < 20; round++) {
    await using service = await startProcess(folder.path);
    expect(integrityOf(folder.path)).toBe("ok");
    token ??= (await service.user()).token;
    const { written, stopped } = writeUntilRefused(service, token, `round ${round}`);
    // Each round ends at another point of the writes.
    const before = 10 + 40 * Math.random();
    while (written.length < before) await Bun.sleep(1);
    service.kill("SIGKILL");
    expect(await stopped).toEqual(Array(8).fill(null));
    acknowledged.push(...written);
  }
  await using service = await startProcess(folder.path);
  expect(integrityOf(folder.path)).toBe("ok");
  const present = new Set(await todosOf(service, token));
  expect(acknowledged.length).toBeGreaterThan(20 * 10);
  expect(acknowledged.filter((contents) => !present.has(contents))).toEqual([]);
});

test("killed under 64 parallel writers, a hundred times over, it has lost no acknowledged write and keeps no half", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "test.db");
  const database = openLocal(path);
  await database.migrate([
    "CREATE TABLE notes (id TEXT PRIMARY KEY)",
    "CREATE TABLE copies (id TEXT)",
  ]);
  let total = 0;
  for (let round = 0; round < 100; round++) {
    const command = [process.execPath, SECOND_PROCESS, "write", path, `${round}`, "64"];
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    let output = "";
    for await (const chunk of child.stdout) {
      // Counted from its first write, so each round ends at another point of the writes.
      if (output === "") setTimeout(() => child.kill("SIGKILL"), 20 + 180 * Math.random());
      output += new TextDecoder().decode(chunk);
    }
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    const acknowledged = output.split("\n").slice(0, -1);
    expect(acknowledged.length).toBeGreaterThan(0);
    const [notes, copies] = await database.batch(
      ["notes", "copies"].map((table) => ({
        sql: `SELECT id FROM ${table} WHERE id LIKE ? ORDER BY id`,
        args: [`${round}-%`],
      })),
    );
    const present = new Set(notes?.rows.map(({ id }) => id));
    expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
    expect(copies?.rows.map(({ id }) => id)).toEqual([...present]);
    total += present.size;
  }
  const [stored] = (await database.execute("SELECT count(*) AS count FROM notes")).rows;
  expect(stored?.count).toBe(total);
  const [integrity] = (await database.execute("PRAGMA integrity_check")).rows;
  expect(integrity?.[0]).toBe("ok");
  database.close();
});

test("two processes that start at once on one new file share todos and sessions, and lose nothing", async () => {
  using folder = temporaryFolder();
  const [one, other] = await Promise.all([startProcess(folder.path), startProcess(folder.path)]);
  await using _one = one;
  await using _other = other;
  const here = await one.user("somebody");
  const there = await other.logIn("somebody");

  // Each process uses the token from the other one.
  const writers = [
    writeUntilRefused(one, there.token, "one"),
    writeUntilRefused(other, here.token, "other"),
  ];
  while (writers.some(({ written }) => written.length < 300)) await Bun.sleep(10);
  // A session that ends in one process ends in the other with the very next request, also during writes.
  for (const [service, token, elsewhere] of [
    [one, here.token, other],
    [other, there.token, one],
  ] as const) {
    expect((await service.call("POST", "/users/log-out", { token })).status).toBe(204);
    expect((await elsewhere.call("GET", "/todos", { token })).status).toBe(401);
  }
  const results = await Promise.all(writers.map(({ stopped }) => stopped));
  expect(results.flat()).toEqual(Array(16).fill(401));

  const { token } = await one.logIn("somebody");
  const written = writers.flatMap((writer) => writer.written);
  for (const service of [one, other]) {
    expect((await todosOf(service, token)).toSorted()).toEqual(written.toSorted());
    expect(await service.stop()).toBe(0);
  }
  expect(integrityOf(folder.path)).toBe("ok");
});

const databaseIn = (folder: string) => join(folder, "data/todos.db");

/**
 * Eight clients that add todos without pause, until an answer is not 201. Each returns this status, or null for no
 * answer.
 */
function writeUntilRefused(service: ServiceProcess, token: string, label: string) {
  const written: string[] = [];
  const client = async (_: unknown, number: number) => {
    for (let i = 0; ; i++) {
      const contents = `${label}, client ${number}, todo ${i}`;
      const status = await service.call("POST", "/todos", { token, json: { contents } }).then(
        (response) => response.status,
        () => null,
      );
      if (status !== 201) return status;
      written.push(contents);
    }
  };
  return { written, stopped: Promise.all(Array.from({ length: 8 }, client)) };
}

/** The contents of all of a user's todos, page by page. */
async function todosOf(service: ServiceProcess, token: string | undefined): Promise<string[]> {
  const all: string[] = [];
  for (let path: string | undefined = "/todos?limit=100"; path; ) {
    const response: Response = await service.call("GET", path, { ...(token && { token }) });
    expect(response.status).toBe(200);
    const { todos } = await response.json();
    all.push(...todos.map(({ contents }: { contents: string }) => contents));
    path = /<(.+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
  }
  return all;
}

function integrityOf(folder: string): unknown {
  const database = new Database(databaseIn(folder));
  try {
    const [row] = database.prepare("PRAGMA integrity_check").raw().all() as unknown[][];
    return row?.[0];
  } finally {
    database.close();
  }
}
