/** openLocal with real files: an acknowledged write is stored, whatever other processes, full disks and crashes do. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Client,
  type InArgs,
  type InValue,
  LibsqlError,
  type ResultSet,
} from "@libsql/core/api";
import { relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql/web";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import Database from "libsql";
import { type LocalOptions, openLocal } from "../../src/database/local.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

let folder = "";
let path = "";
let clients: Client[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "local-"));
  path = join(folder, "test.db");
  clients = [];
  await open().migrate([
    "CREATE TABLE notes (id TEXT PRIMARY KEY, size INTEGER) STRICT",
    "CREATE TABLE copies (id TEXT PRIMARY KEY)",
  ]);
});

afterEach(() => {
  for (const client of clients) client.close();
  rmSync(folder, { recursive: true });
});

function open(options?: LocalOptions): Client {
  const client = openLocal(path, options);
  clients.push(client);
  return client;
}

const insertion = (id: string) => ({ sql: "INSERT INTO notes (id) VALUES (?)", args: [id] });
const insert = (client: Client, id: string) => client.execute(insertion(id));

/** A turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const column = (result: ResultSet | undefined) => result?.rows.map((row) => row[0]);

/** All ids, as a new connection reads them. */
async function idsInFile(table = "notes"): Promise<unknown[] | undefined> {
  return column(await open().execute(`SELECT id FROM ${table} ORDER BY id`));
}

async function failure(promise: Promise<unknown>): Promise<LibsqlError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof LibsqlError) return error;
  throw new Error(`expected a LibsqlError, got ${error}`);
}

function spawn(...args: string[]) {
  const script = join(import.meta.dir, "local.child.ts");
  return Bun.spawn([process.execPath, script, ...args], { stdin: "pipe", stderr: "inherit" });
}

/** A second process that holds the write lock until `release` is called. */
async function holdLock() {
  const child = spawn("hold", path);
  await child.stdout.getReader().read();
  return {
    async release() {
      await child.stdin.end();
      await child.exited;
    },
  };
}

/** Kills `child` after it has printed `count` lines, and returns all its lines. */
async function killAfter(child: ReturnType<typeof spawn>, count: number): Promise<string[]> {
  let output = "";
  for await (const chunk of child.stdout) {
    output += new TextDecoder().decode(chunk);
    if (output.split("\n").length > count) child.kill("SIGKILL");
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return output.split("\n").slice(0, -1);
}

/**
 * Makes `count` writes with `pause` ms between them. Returns the ids of the acknowledged ones and the errors of the
 * others.
 */
async function writeMany(client: Client, count: number, pause = 0) {
  const acknowledged: string[] = [];
  const errors: LibsqlError[] = [];
  const writes: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    const id = `n${String(i).padStart(4, "0")}`;
    const record = () => acknowledged.push(id);
    writes.push(insert(client, id).then(record, (error) => errors.push(error)));
    if (pause > 0) await Bun.sleep(pause);
  }
  await Promise.all(writes);
  return { acknowledged: acknowledged.sort(), errors };
}

describe("while another process holds the write lock", () => {
  test("reads are answered, and writes wait for it", async () => {
    const client = open();
    const lock = await holdLock();
    const writes = writeMany(client, 50);
    for (let i = 0; i < 10; i++) {
      // The lock is released only after these reads, so they cannot have waited for it.
      expect(column(await client.execute("SELECT count(*) FROM notes"))).toEqual([0]);
      expect(await client.batch(["SELECT 1", "SELECT 2"])).toHaveLength(2);
      await Bun.sleep(20);
    }
    await lock.release();
    const { acknowledged, errors } = await writes;
    expect(errors).toEqual([]);
    expect(acknowledged).toHaveLength(50);
    expect(await idsInFile()).toEqual(acknowledged);
  });

  test("writes are rejected after busyTimeout, and nothing of them is stored", async () => {
    const client = open({ busyTimeout: 100 });
    const lock = await holdLock();
    const { acknowledged, errors } = await writeMany(client, 50);
    const batch = await failure(client.batch([insertion("batch")]));
    const migration = await failure(client.migrate(["CREATE TABLE more (id)"]));
    await lock.release();
    expect(acknowledged).toEqual([]);
    expect(errors).toHaveLength(50);
    for (const error of [...errors, batch, migration]) expect(error.code).toBe("SQLITE_BUSY");
    expect(await idsInFile()).toEqual([]);
    await insert(client, "after");
    expect(await idsInFile()).toEqual(["after"]);
  });

  test("exactly the acknowledged writes are stored when the lock is released midway", async () => {
    const client = open({ busyTimeout: 100 });
    const lock = await holdLock();
    const writes = writeMany(client, 100, 5);
    await Bun.sleep(250);
    await lock.release();
    const { acknowledged, errors } = await writes;
    expect(acknowledged).not.toEqual([]);
    expect(errors.map((error) => error.code)).toContain("SQLITE_BUSY");
    expect(acknowledged.length + errors.length).toBe(100);
    expect(await idsInFile()).toEqual(acknowledged);
    await insert(client, "z-after");
    expect(await idsInFile()).toEqual([...acknowledged, "z-after"]);
  });
});

describe("after kill -9", () => {
  test("acknowledged writes are there, and none is there by half", async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 8; round++) {
      acknowledged.push(
        ...(await killAfter(spawn("write", path, `${round}`, "8"), 20 * round + 1)),
      );
      const client = open();
      expect(column(await client.execute("PRAGMA integrity_check"))).toEqual(["ok"]);
      const notes = await idsInFile();
      expect(await idsInFile("copies")).toEqual(notes);
      expect(acknowledged.filter((id) => !notes?.includes(id))).toEqual([]);
    }
    expect(acknowledged.length).toBeGreaterThan(100);
  }, 60_000);

  test("of writes that share a commit, all are there or none", async () => {
    for (let round = 0; round < 5; round++) {
      const groups = await killAfter(spawn("groups", path, `${round}`, "16"), 10 * round + 1);
      const { rows } = await open().execute({
        sql: `SELECT substr(id, 1, length(id) - instr(substr(id, 3), '-')) AS name, count(*) AS count
          FROM (SELECT rtrim(rtrim(id, '0123456789'), '-') AS id FROM notes WHERE id LIKE ?) GROUP BY id`,
        args: [`${round}-%`],
      });
      expect(rows.length).toBeGreaterThanOrEqual(groups.length);
      expect(rows.filter(({ count }) => count !== 16)).toEqual([]);
    }
  }, 60_000);
});

test("two processes that write at once lose nothing", async () => {
  const children = ["a", "b"].map((name) => spawn("write", path, name, "8", "100"));
  const outputs = await Promise.all(children.map((child) => new Response(child.stdout).text()));
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0]);
  const acknowledged = outputs.join("").trim().split("\n").sort();
  expect(acknowledged).toHaveLength(1600);
  expect(await idsInFile()).toEqual(acknowledged);
  expect(await idsInFile("copies")).toEqual(acknowledged);
}, 60_000);

describe("writes that wait together", () => {
  /** The number of notes that another connection reads. */
  function watch() {
    const other = new Database(path);
    const count = other.prepare("SELECT count(*) FROM notes").raw();
    // `as`: the native types call a row unknown; in raw mode it is an array.
    return () => (count.all([]) as number[][])[0]?.[0] ?? 0;
  }

  test("share a commit with fewer when each has many statements, so that none holds up the reads for long", async () => {
    const commits: number[] = [];
    const meter = { writesWaiting() {}, committed: (writes: number) => void commits.push(writes) };
    const client = open({ meter });
    const long = (name: number) =>
      Array.from({ length: 400 }, (_, i) => insertion(`${name}, ${i}`));
    const short = Array.from({ length: 10 }, (_, i) => insert(client, `short ${i}`));
    const writes = Array.from({ length: 5 }, (_, i) => client.batch(long(i), "write"));
    // One write that alone has more statements than a commit may have.
    const longest = client.batch([...long(5), ...long(6), ...long(7)], "write");
    await Promise.all([...short, ...writes, longest]);
    expect(commits).toEqual([12, 2, 1, 1]);
    expect((await idsInFile())?.length).toBe(10 + 8 * 400);
  });

  test("share a commit, and each is acknowledged after it", async () => {
    const client = open();
    const visible = watch();
    const seen: number[] = [];
    const ids = Array.from({ length: 40 }, (_, i) => `n${i}`);
    await Promise.all(ids.map((id) => insert(client, id).then(() => seen.push(visible()))));
    expect(seen).toEqual(Array(40).fill(40));
    await insert(client, "alone");
    expect(visible()).toBe(41);
  });

  test("are run in the order of the calls, and see those before", async () => {
    const client = open();
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        client.execute({
          sql: "INSERT INTO notes (id, size) SELECT ?, count(*) FROM notes RETURNING size",
          args: [`n${i}`],
        }),
      ),
    );
    expect(results.map((result) => column(result)?.[0])).toEqual([...Array(200).keys()]);
  });

  test("are seen by no read before their commit, and by every read after", async () => {
    const client = open();
    const count = async () => column(await client.execute("SELECT count(*) FROM notes"))?.[0];
    const counts: unknown[] = [];
    let isWriting = true;
    const reading = (async () => {
      for (; isWriting; await turn()) counts.push(await count());
    })();
    for (let group = 1; group <= 20; group++) {
      const ids = Array.from({ length: 10 }, (_, i) => `n${group}-${i}`);
      await Promise.all(ids.map((id) => insert(client, id)));
      expect(await count()).toBe(10 * group);
    }
    isWriting = false;
    await reading;
    expect(counts.filter((seen) => Number(seen) % 10 !== 0)).toEqual([]);
  });

  test("let reads go on while their commit waits for the disk", async () => {
    const client = open();
    /** The number of reads during a write whose commit takes a tenth of a second or more. */
    async function readsDuring(write: Promise<unknown>): Promise<number> {
      let isWritten = false;
      const written = write.then(() => {
        isWritten = true;
      });
      let reads = 0;
      for (; !isWritten; await turn()) {
        await client.execute("SELECT count(*) FROM notes");
        reads++;
      }
      await written;
      return reads;
    }
    // Two or three reads happen before and after a commit that blocks them. On a busy machine there may be few at first.
    let reads = 0;
    for (let i = 0; reads <= 10 && i < 20; i++) {
      reads = await readsDuring(insert(client, `${i}${"x".repeat(20_000_000)}`));
    }
    expect(reads).toBeGreaterThan(10);
  });

  // Each one fails in another way: alone, with its own changes half done, after them, or with the whole transaction.
  test.each([
    ["a statement that fails", [insertion("a")], "SQLITE_CONSTRAINT"],
    ["a batch whose second statement fails", [insertion("x"), insertion("a")], "SQLITE_CONSTRAINT"],
    [
      "a result that cannot be read",
      ["INSERT INTO notes (id) VALUES ('x') RETURNING 9007199254740993"],
      "INTEGER_UNSAFE",
    ],
    [
      "one that rolls everything back",
      [insertion("x"), "INSERT OR ROLLBACK INTO notes (id) VALUES ('a')"],
      "SQLITE_CONSTRAINT",
    ],
    [
      "one that the commit refuses",
      [insertion("x"), "INSERT INTO c VALUES (1)"],
      "SQLITE_CONSTRAINT",
    ],
    ["one too large for the disk", [insertion("x".repeat(1_000_000))], "SQLITE_FULL"],
  ])("%s does not make other writes fail", async (_name, statements, code) => {
    const client = open();
    await client.migrate([
      `CREATE TABLE p (id INTEGER PRIMARY KEY);
       CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)`,
    ]);
    await insert(client, "a");
    await client.execute("PRAGMA max_page_count = 50");
    const others = ["b", "c", "d", "e"].map((id) => insert(client, id));
    const failing = failure(client.batch(statements));
    others.push(...["f", "g"].map((id) => insert(client, id)));
    expect(await failing).toMatchObject({ code });
    await Promise.all(others);
    expect(await idsInFile()).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
    await insert(client, "h");
    expect(await idsInFile()).toHaveLength(8);
  });
});

describe("reads that are asked for together", () => {
  test("see what was committed before they began", async () => {
    const client = open();
    const other = new Database(path);
    const add = other.prepare("INSERT INTO notes (id) VALUES (?)");
    for (let i = 0; i < 20; i++) {
      const reading = Array.from({ length: 3 }, () => client.execute("SELECT count(*) FROM notes"));
      add.run([`n${i}`]);
      for (const read of await Promise.all(reading)) expect(column(read)).toEqual([i + 1]);
    }
    other.close();
  });

  test("fail alone", async () => {
    const client = open();
    const [before, failed, after] = await Promise.allSettled([
      client.execute("SELECT 1"),
      client.batch(["SELECT 2", "SELECT json('no JSON')"], "read"),
      client.execute("SELECT 3"),
    ]);
    expect(failed).toMatchObject({ reason: { code: "SQLITE_ERROR", statementIndex: 1 } });
    for (const [read, value] of [
      [before, 1],
      [after, 3],
    ] as const) {
      expect(read.status === "fulfilled" && column(read.value)).toEqual([value]);
    }
  });

  test("let everything else have its turn when they take long", async () => {
    const client = open();
    const long =
      "SELECT * FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT max(i) FROM n)";
    let turns = 0;
    let isReading = true;
    const others = (async () => {
      for (; isReading; await turn()) turns++;
    })();
    await Promise.all(Array.from({ length: 20 }, () => client.execute(long)));
    isReading = false;
    await others;
    // Without a pause it would be two.
    expect(turns).toBeGreaterThan(10);
  });
});

test.each([
  ["a new file", 2048, () => {}],
  [
    "a file that exists",
    4096,
    () => {
      const former = new Database(join(folder, "other.db"));
      former.exec("PRAGMA page_size=4096; CREATE TABLE notes (id TEXT)");
      former.close();
    },
  ],
])("the pages of %s have %i bytes, and its -wal has 16 MiB", async (_, bytes, make) => {
  make();
  path = join(folder, "other.db");
  const client = open();
  await client.execute("CREATE TABLE IF NOT EXISTS notes (id TEXT)");
  expect(column(await client.execute("SELECT * FROM pragma_page_size"))).toEqual([bytes]);
  const size = () => statSync(`${path}-wal`).size / 1024 / 1024;
  const note = "x".repeat(500_000);
  for (let megabytes = 0; megabytes < 12; megabytes += 0.5) await insert(client, note);
  expect(size()).toBeGreaterThan(11);
  for (let megabytes = 0; megabytes < 12; megabytes += 0.5) await insert(client, note);
  expect(size()).toBeWithin(16, 17);
});

test("writes are flushed to the disk at each commit, and foreign keys are enforced", async () => {
  const client = open();
  const pragma = async (name: string) => column(await client.execute(`PRAGMA ${name}`));
  expect(await pragma("synchronous")).toEqual([2]);
  expect(await pragma("journal_mode")).toEqual(["wal"]);
  expect(await pragma("foreign_keys")).toEqual([1]);
});

test("what is deleted is in none of the files after close", async () => {
  const client = open();
  const secret = `one-time password ${"27182818 ".repeat(2000)}`;
  await client.batch([insertion(secret), insertion("kept")]);
  await client.execute("DELETE FROM notes WHERE id LIKE 'one-time%'");
  for (const each of clients) each.close();
  const files = [path, `${path}-wal`].filter((file) => statSync(file, { throwIfNoEntry: false }));
  const contents = files.map((file) => readFileSync(file, "latin1")).join("");
  expect([contents.includes("kept"), contents.includes("27182818")]).toEqual([true, false]);
});

describe("a batch", () => {
  test("is stored whole or not at all, and its error tells which statement failed", async () => {
    const client = open();
    await insert(client, "a");
    const statements = [insertion("b"), ["INSERT INTO notes (id) VALUES (?)", ["a"]], "SELECT 1"];
    // `as`: the pair is a tuple.
    const error = await failure(client.batch(statements as Parameters<Client["batch"]>[0]));
    expect(error).toMatchObject({
      name: "LibsqlBatchError",
      message: "SQLITE_CONSTRAINT: UNIQUE constraint failed: notes.id",
      statementIndex: 1,
      code: "SQLITE_CONSTRAINT",
      extendedCode: "SQLITE_CONSTRAINT_PRIMARYKEY",
      rawCode: 1555,
    });
    expect(await idsInFile()).toEqual(["a"]);
    await client.batch([insertion("b"), "DELETE FROM notes WHERE id = 'a'"], "deferred");
    expect(await idsInFile()).toEqual(["b"]);
    expect(await client.batch([])).toEqual([]);
  });

  test("may not end its transaction by itself", async () => {
    const client = open();
    for (const end of ["COMMIT", "ROLLBACK", "end transaction", "/* */ Begin", "savepoint a"]) {
      const error = await failure(client.batch([insertion("a"), end, insertion("b")]));
      expect(error).toMatchObject({ code: "NOT_SUPPORTED", statementIndex: 1 });
    }
    expect(await idsInFile()).toEqual([]);
  });

  test("for reading sees the database in one state, and cannot write", async () => {
    const client = open();
    const error = await failure(client.batch(["SELECT 1", "DELETE FROM notes"], "read"));
    expect(error).toMatchObject({ code: "SQLITE_READONLY", statementIndex: 1 });
    const other = new Database(path);
    const add = other.prepare("INSERT INTO notes (id) VALUES (?)");
    await insert(client, "a");
    const count = "SELECT count(*) AS count FROM notes";
    // The clock of the other connection. Each batch of reads runs without a pause, so no write can happen between its
    // statements.
    for (let i = 0; i < 20; i++) {
      const reading = client.batch([count, count], "read");
      add.run([`n${i}`]);
      const [first, second] = await reading;
      expect(first?.rows).toEqual(second?.rows ?? []);
    }
    other.close();
  });
});

test("a full disk rejects the write, and the next one is stored once there is room", async () => {
  const client = open();
  const pages = column(await client.execute("PRAGMA page_count"))?.[0];
  await client.execute(`PRAGMA max_page_count = ${pages}`);
  const long = (id: string) => insertion(id.padEnd(100_000, "x"));
  expect(await failure(client.batch([insertion("a"), long("b")]))).toMatchObject({
    code: "SQLITE_FULL",
    statementIndex: 1,
  });
  expect(await failure(client.execute(long("b")))).toMatchObject({ code: "SQLITE_FULL" });
  expect(await idsInFile()).toEqual([]);
  await client.execute("PRAGMA max_page_count = 100000");
  await client.execute(long("d"));
  expect(await idsInFile()).toHaveLength(1);
});

describe("values", () => {
  const one = async (value: InValue) => {
    const client = open();
    await client.execute("CREATE TABLE IF NOT EXISTS v (value)");
    await client.execute("INSERT INTO v VALUES (?)", [value]);
    const { rows } = await client.execute("SELECT value, typeof(value) FROM v ORDER BY rowid DESC");
    return [rows[0]?.[0], rows[0]?.[1]];
  };

  test.each([
    [null, null, "null"],
    ["", "", "text"],
    ["it's 'é' 漢 🙂", "it's 'é' 漢 🙂", "text"],
    [0, 0, "integer"],
    [-0, 0, "integer"],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "integer"],
    [Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, "integer"],
    [1.5, 1.5, "real"],
    [12n, 12, "integer"],
    [true, 1, "integer"],
    [false, 0, "integer"],
  ] as const)("%p is read as %p", async (value, read, type) => {
    expect(await one(value)).toEqual([read, type]);
  });

  // `as never`: values that TypeScript forbids may still arrive from other code.
  test.each([
    ["undefined", undefined as never],
    ["an object", {} as never],
    ["a function", (() => 1) as never],
    ["a symbol", Symbol("s") as never],
    ["an array", [1] as never],
    ["bytes", new Uint8Array(1)],
    ["a date", new Date(0)],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["a number above 2^53 - 1", 2 ** 53],
    ["more than 64 bits", 2n ** 63n],
    ["text with a NUL", "a\0b"],
    ["a lone surrogate", "a\ud800b"],
  ])("%s is refused", async (_name, value) => {
    expect(await failure(one(value))).toMatchObject({ code: "ARGS_INVALID" });
  });

  test.each([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 2n ** 53n])(
    "the integer %p, which a number cannot hold, is an error when read",
    async (value) => {
      expect(await failure(one(value))).toMatchObject({ code: "INTEGER_UNSAFE" });
    },
  );
});

describe("a statement", () => {
  test.each([
    ["SELECT ?, ?", [1]],
    ["SELECT ?", []],
    ["SELECT ?", [1, 2]],
    ["SELECT 'why?', ?", [1, 2]],
  ])("%p with arguments %p is refused, also when it was run before", async (statement, args) => {
    const client = open();
    const count = statement.replace(/'.*'/, "").split("?").length - 1;
    await client.execute(statement, Array(count).fill(9));
    expect(await failure(client.execute(statement, args))).toMatchObject({ code: "ARGS_INVALID" });
  });

  test("has no parameters in its strings, names and comments", async () => {
    const { rows } = await open().execute(
      `SELECT ?, 'it''s ?', "a?", [a?], \`a?\` /* ? */ FROM (SELECT 9 AS "a?") -- ?`,
      [1],
    );
    expect(Array.from(rows[0] as ArrayLike<unknown>)).toEqual([1, "it's ?", 9, 9, 9]);
  });

  test.each([
    ["INSERT INTO notes (id) VALUES ('a'); INSERT INTO notes (id) VALUES ('b')"],
    ["SELECT 1; DELETE FROM notes"],
    ["SELECT 1 /* ; */ ; -- ;\n DELETE FROM notes"],
    [""],
    [" -- nothing"],
    ["; SELECT 1"],
    ["DELETE FROM notes\0 WHERE id = ''"],
    ["/* \0 */ DELETE FROM notes"],
    ["SELECT ?1", [1]],
    ["SELECT :a", { a: 1 }],
    ["SELECT ?", { a: 1 }],
    ["COMMIT"],
  ] as [string, InArgs?][])("%p is refused", async (...[statement, args]) => {
    const client = open();
    await insert(client, "kept");
    expect(await failure(client.execute(statement, args))).toMatchObject({ code: "NOT_SUPPORTED" });
    expect(await idsInFile()).toEqual(["kept"]);
  });

  test.each(["SELECT nothing FROM nowhere", "SELECT 'open", "VACUUM"])(
    "%p fails with SQLite's code, and can be followed by others",
    async (statement) => {
      const client = open();
      expect(await failure(client.execute(statement))).toMatchObject({ code: "SQLITE_ERROR" });
      await insert(client, "a");
      expect(await idsInFile()).toEqual(["a"]);
    },
  );

  test("that starts with WITH may write, and a semicolon may end it or be in a string", async () => {
    const client = open();
    await client.execute(
      "WITH x(id) AS (VALUES ('a'), (';')) INSERT INTO notes (id) SELECT id FROM x; ",
    );
    expect(await idsInFile()).toEqual([";", "a"]);
  });

  test("has the present columns when another connection has changed the schema", async () => {
    const [client, other] = [open(), open()];
    await insert(client, "a");
    const all = () => client.execute("SELECT * FROM notes");
    expect((await all()).columns).toEqual(["id", "size"]);
    await other.execute("ALTER TABLE notes ADD COLUMN color TEXT");
    await other.execute("ALTER TABLE notes RENAME COLUMN size TO weight");
    const { columns, rows } = await all();
    expect(columns).toEqual(["id", "weight", "color"]);
    expect({ ...rows[0] }).toEqual({ id: "a", weight: null, color: null });
  });

  test("that is in use stays prepared, however many others are prepared and dropped", async () => {
    const client = open();
    const prepare = spyOn(Database.prototype, "prepare");
    try {
      for (let i = 0; i < 3000; i++) {
        await client.execute(`SELECT ${i}`);
        if (i % 100 === 0) await client.execute("SELECT 'in use'");
      }
      const prepared = prepare.mock.calls.map(([sql]) => sql);
      const count = prepared.filter((sql) => sql === "SELECT 'in use'").length;
      // It may be prepared once more, when the map is full for the first time.
      expect(count).toBeLessThanOrEqual(2);
      expect(count).toBeGreaterThan(0);
    } finally {
      prepare.mockRestore();
    }
  });

  test("is right however many others were prepared", async () => {
    const client = open();
    for (let i = 0; i < 1200; i++) {
      expect(column(await client.execute(`SELECT ? + ${i % 700}`, [1]))).toEqual([1 + (i % 700)]);
    }
  });
});

describe("a result", () => {
  test("has rows by index and by name, like other libSQL clients", async () => {
    const result = await open().execute("SELECT 1 AS a, 'x' AS b, 2 AS a, 3 AS length, 4");
    expect(result.columns).toEqual(["a", "b", "a", "length", "4"]);
    const [row] = result.rows;
    expect(Array.from(row as ArrayLike<unknown>)).toEqual([1, "x", 2, 3, 4]);
    expect({ ...row }).toEqual({ a: 1, b: "x" });
    expect(row?.length).toBe(5);
    expect(JSON.parse(JSON.stringify(result)).rows).toEqual([[1, "x", 2, 3, 4]]);
  });

  test("tells the changes of a write, with RETURNING too", async () => {
    const client = open();
    const plain = await client.execute("INSERT INTO notes (id) VALUES ('a'), ('b')");
    expect(plain).toMatchObject({ rowsAffected: 2, lastInsertRowid: 2n, rows: [] });
    const returning = await client.execute("UPDATE notes SET size = 1 RETURNING id, size");
    expect(returning).toMatchObject({
      rowsAffected: 2,
      columns: ["id", "size"],
      columnTypes: ["TEXT", "INTEGER"],
    });
    expect((await client.execute("DELETE FROM notes WHERE id = 'c'")).rowsAffected).toBe(0);
  });

  test("of a failed statement is an error with SQLite's codes, and the statement works again", async () => {
    const client = open();
    await insert(client, "a");
    expect(await failure(insert(client, "a"))).toMatchObject({
      code: "SQLITE_CONSTRAINT",
      extendedCode: "SQLITE_CONSTRAINT_PRIMARYKEY",
      rawCode: 1555,
      message: "SQLITE_CONSTRAINT: UNIQUE constraint failed: notes.id",
    });
    await insert(client, "b");
    expect(await idsInFile()).toEqual(["a", "b"]);
  });
});

describe("close", () => {
  test("leaves everything in the one file", async () => {
    const client = open();
    await writeMany(client, 20);
    for (const each of clients) each.close();
    client.close();
    const copy = join(folder, "copy.db");
    copyFileSync(path, copy);
    path = copy;
    expect(await idsInFile()).toHaveLength(20);
  });

  test("rejects what has not begun, and all that follows", async () => {
    const client = open();
    const queued = [insert(client, "a"), insert(client, "b"), client.execute("SELECT 1")].map(
      failure,
    );
    client.close();
    expect(client.closed).toBe(true);
    const calls = [
      insert(client, "c"),
      client.execute("SELECT 1"),
      client.batch([]),
      client.batch([insertion("d")]),
      client.migrate(["CREATE TABLE more (id)"]),
    ];
    for (const error of await Promise.all([...queued, ...calls.map(failure)])) {
      expect(error).toMatchObject({
        code: "CLIENT_CLOSED",
        message: "CLIENT_CLOSED: The client is closed",
      });
    }
    expect(await idsInFile()).toEqual([]);
  });

  test("amid a commit lets it end, and acknowledges it", async () => {
    const client = open();
    const writes = Array.from({ length: 10 }, (_, i) => insert(client, `n${i}`));
    // The queue is processed in the next turn of the event loop, and its commit then runs on another thread.
    await turn();
    const queued = failure(insert(client, "late"));
    client.close();
    await Promise.all(writes);
    expect(await queued).toMatchObject({ code: "CLIENT_CLOSED" });
    expect(await idsInFile()).toHaveLength(10);
    expect(statSync(`${path}-wal`).size).toBe(0);
  });
});

describe("opening", () => {
  test("makes a file that only its owner may read", () => {
    for (const file of [path, `${path}-wal`, `${path}-shm`]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });

  test("fails clearly", () => {
    const opening = (file: string) => () => openLocal(file);
    writeFileSync(join(folder, "text"), "no database ".repeat(1000));
    expect(opening(join(folder, "text"))).toThrow("SQLITE_NOTADB");
    for (const file of [folder, join(folder, "missing", "a.db"), "", ":memory:", "a\0b"]) {
      expect(opening(file)).toThrow("SQLITE_CANTOPEN");
    }
  });

  test("gives a client that refuses what the service does not use", async () => {
    const client = open();
    expect([client.protocol, client.closed]).toEqual(["file", false]);
    const calls = [client.transaction(), client.executeMultiple("SELECT 1"), client.sync()];
    for (const error of await Promise.all(calls.map(failure))) {
      expect(error.code).toBe("NOT_SUPPORTED");
    }
    expect(() => client.reconnect()).toThrow("NOT_SUPPORTED");
  });
});

describe("a migration", () => {
  const parents = ["CREATE TABLE p (id INTEGER PRIMARY KEY)", "INSERT INTO p VALUES (1)"];
  const children = ["CREATE TABLE c (p REFERENCES p)", "INSERT INTO c VALUES (1)"];

  test("can rebuild a table that others refer to, and foreign keys hold afterwards", async () => {
    const client = open();
    await client.migrate([...parents, ...children]);
    await client.migrate([
      "CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO new SELECT id, 'a' FROM p",
      "DROP TABLE p",
      "ALTER TABLE new RENAME TO p",
    ]);
    expect(column(await client.execute("SELECT p FROM c"))).toEqual([1]);
    expect(await failure(client.execute("DELETE FROM p"))).toMatchObject({
      extendedCode: "SQLITE_CONSTRAINT_FOREIGNKEY",
    });
  });

  test("may hold a trigger and a statement with arguments", async () => {
    const client = open();
    await client.migrate([
      `CREATE TRIGGER copy AFTER INSERT ON notes
       BEGIN INSERT INTO copies VALUES (new.id); UPDATE copies SET id = id || '!'; END;`,
      insertion("a"),
    ]);
    expect(await idsInFile("copies")).toEqual(["a!"]);
  });

  test("leaves no trace when it fails, or leaves rows without their parents", async () => {
    const client = open();
    await client.migrate([...parents, ...children]);
    for (const last of ["CREATE TABLE p (id)", "DELETE FROM p", "SELECT nothing"]) {
      await failure(client.migrate(["CREATE TABLE extra (id)", last]));
      expect(await failure(client.execute("SELECT id FROM extra"))).toMatchObject({
        code: "SQLITE_ERROR",
      });
    }
    expect(column(await client.execute("SELECT id FROM p"))).toEqual([1]);
    await insert(client, "a");
  });
});

describe("Drizzle", () => {
  const authors = sqliteTable("authors", {
    id: integer().primaryKey(),
    name: text().notNull().unique(),
  });
  const books = sqliteTable("books", {
    id: integer().primaryKey(),
    authorId: integer().notNull(),
    title: text().notNull(),
    isRead: integer({ mode: "boolean" }).notNull(),
    addedAt: integer({ mode: "timestamp_ms" }).notNull(),
  });
  const schema = {
    authors,
    books,
    authorsRelations: relations(authors, ({ many }) => ({ books: many(books) })),
    booksRelations: relations(books, ({ one }) => ({
      author: one(authors, { fields: [books.authorId], references: [authors.id] }),
    })),
  };
  const book = { id: 1, authorId: 1, title: "Emma", isRead: true, addedAt: new Date(5) };

  async function openDrizzle() {
    const client = open();
    await client.migrate([
      "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
      "CREATE TABLE books (id INTEGER PRIMARY KEY, authorId INTEGER, title TEXT, isRead INTEGER, addedAt INTEGER)",
    ]);
    return drizzle(client, { schema });
  }

  test("queries relations, joins tables with columns of one name, and reads plain SQL", async () => {
    const database = await openDrizzle();
    const [author] = await database.insert(authors).values({ name: "Austen" }).returning();
    expect(author).toEqual({ id: 1, name: "Austen" });
    await database.insert(books).values(book);
    await database.insert(books).values({ ...book, id: 2 });
    const query = database.query.authors
      .findFirst({
        where: (table, { eq }) => eq(table.id, sql.placeholder("id")),
        with: { books: { limit: 1 } },
      })
      .prepare();
    expect(await query.execute({ id: 1 })).toEqual({ id: 1, name: "Austen", books: [book] });
    expect(await query.execute({ id: 2 })).toBeUndefined();
    const joined = await database
      .select()
      .from(books)
      .innerJoin(authors, sql`${authors.id} = ${books.authorId} AND ${books.id} = 2`);
    expect(joined).toEqual([{ books: { ...book, id: 2 }, authors: { id: 1, name: "Austen" } }]);
    expect(await database.all(sql`SELECT id, title FROM ${books} WHERE ${true}`)).toEqual([
      { id: 1, title: "Emma" },
      { id: 2, title: "Emma" },
    ]);
  });

  test("batches", async () => {
    const database = await openDrizzle();
    const [inserted, found] = await database.batch([
      database.insert(authors).values({ name: "Austen" }),
      database.select().from(authors),
    ]);
    expect([inserted.rowsAffected, found]).toEqual([1, [{ id: 1, name: "Austen" }]]);
    const twice = database.batch([
      database.insert(authors).values({ name: "Eliot" }),
      database.insert(authors).values({ name: "Eliot" }),
    ]);
    expect(await failure(twice)).toMatchObject({
      extendedCode: "SQLITE_CONSTRAINT_UNIQUE",
      statementIndex: 1,
    });
    expect(await database.$count(authors)).toBe(1);
  });
});
