/** openLocal on real files: what is acknowledged is present, whatever other processes and crashes do. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, type InValue, LibsqlError, type ResultSet } from "@libsql/core/api";
import { relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { migrate } from "drizzle-orm/libsql/migrator";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { type LocalOptions, openLocal } from "../../src/database/local.ts";

let folder = "";
let path = "";
let clients: Client[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "local-"));
  path = join(folder, "test.db");
  clients = [];
  await open().execute("CREATE TABLE notes (id TEXT PRIMARY KEY, size INTEGER) STRICT");
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

const insert = (client: Client, id: string) =>
  client.execute("INSERT INTO notes (id) VALUES (?)", [id]);

const column = (result: ResultSet) => result.rows.map((row) => row[0]);

/** All ids, as a new connection sees them. */
async function idsInFile(): Promise<unknown[]> {
  return column(await open().execute("SELECT id FROM notes ORDER BY id"));
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

/** Makes `count` writes, `pause` ms apart, and gives the ids of those acknowledged and the errors of the others. */
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
      // The lock is released only after these: they cannot have waited for it.
      expect(column(await client.execute("SELECT count(*) FROM notes"))).toEqual([0]);
      expect(await client.batch(["SELECT 1", "SELECT 2"], "read")).toHaveLength(2);
      await Bun.sleep(50);
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
    const batch = await failure(client.batch(["INSERT INTO notes (id) VALUES ('batch')"]));
    const transaction = await failure(client.transaction());
    const migration = await failure(client.migrate(["CREATE TABLE more (id)"]));
    await lock.release();
    expect(acknowledged).toEqual([]);
    expect(errors).toHaveLength(50);
    for (const error of [...errors, batch, transaction, migration]) {
      expect(error.code).toBe("SQLITE_BUSY");
    }
    expect(await idsInFile()).toEqual([]);
    await insert(client, "after");
    expect(await idsInFile()).toEqual(["after"]);
  });

  test("exactly the acknowledged writes are stored when the lock is released midway", async () => {
    const client = open({ busyTimeout: 100 });
    const lock = await holdLock();
    const writes = writeMany(client, 100, 10);
    await Bun.sleep(400);
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

test("acknowledged writes outlive kill -9, and the file stays sound", async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < 20; round++) {
    const child = spawn("write", path, `round${round}`);
    let output = "";
    // Each round is killed at another moment: after so many writes, and in the midst of one.
    for await (const chunk of child.stdout) {
      output += new TextDecoder().decode(chunk);
      if (output.split("\n").length > 3 * round + 1) child.kill("SIGKILL");
    }
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    acknowledged.push(...output.split("\n").slice(0, -1));

    const client = open();
    expect(column(await client.execute("PRAGMA integrity_check"))).toEqual(["ok"]);
    const present = new Set(column(await client.execute("SELECT id FROM notes")));
    expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
    client.close();
  }
  expect(acknowledged.length).toBeGreaterThan(20);
}, 60_000);

test("two processes that write at once lose nothing", async () => {
  const children = [spawn("write", path, "a", "300"), spawn("write", path, "b", "300")];
  const outputs = await Promise.all(children.map((child) => new Response(child.stdout).text()));
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0]);
  const acknowledged = outputs.join("").trim().split("\n").sort();
  expect(acknowledged).toHaveLength(600);
  expect(await idsInFile()).toEqual(acknowledged);
}, 60_000);

test("writes are flushed to the disk at each commit, and foreign keys are enforced", async () => {
  const client = open();
  const pragma = async (name: string) => column(await client.execute(`PRAGMA ${name}`));
  expect(await pragma("synchronous")).toEqual([2]);
  expect(await pragma("journal_mode")).toEqual(["wal"]);
  expect(await pragma("foreign_keys")).toEqual([1]);
});

describe("a batch", () => {
  const insertSql = "INSERT INTO notes (id) VALUES (?)";

  test("is stored whole or not at all", async () => {
    const client = open();
    await client.batch([{ sql: insertSql, args: ["a"] }]);
    const error = await failure(
      client.batch([
        { sql: insertSql, args: ["b"] },
        [insertSql, ["a"]],
        { sql: insertSql, args: ["c"] },
      ]),
    );
    expect(error).toMatchObject({
      name: "LibsqlBatchError",
      message: "SQLITE_CONSTRAINT: UNIQUE constraint failed: notes.id",
      statementIndex: 1,
      code: "SQLITE_CONSTRAINT",
      extendedCode: "SQLITE_CONSTRAINT_PRIMARYKEY",
      rawCode: 1555,
    });
    expect(await idsInFile()).toEqual(["a"]);
    await client.batch([[insertSql, ["b"]], "DELETE FROM notes WHERE id = 'a'"], "deferred");
    expect(await idsInFile()).toEqual(["b"]);
  });

  test("is rolled back when its commit fails", async () => {
    const client = open();
    await client.executeMultiple(
      "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    const error = await failure(
      client.batch([[insertSql, ["a"]], "INSERT INTO c VALUES (1)", "SELECT 1"]),
    );
    expect(error).toMatchObject({
      name: "LibsqlError",
      extendedCode: "SQLITE_CONSTRAINT_FOREIGNKEY",
    });
    expect(await idsInFile()).toEqual([]);
    await insert(client, "b");
    expect(await idsInFile()).toEqual(["b"]);
  });

  test("may not end its transaction by itself", async () => {
    const client = open();
    for (const end of ["COMMIT", "ROLLBACK", "end transaction", "/* */ Begin"]) {
      const error = await failure(client.batch([[insertSql, ["a"]], end, [insertSql, ["b"]]]));
      expect(error).toMatchObject({ code: "SQL_INPUT_ERROR", statementIndex: 1 });
    }
    expect(await idsInFile()).toEqual([]);
  });

  test("for reading sees one snapshot and cannot write", async () => {
    const client = open();
    const error = await failure(client.batch(["SELECT 1", "DELETE FROM notes"], "read"));
    expect(error).toMatchObject({ code: "SQLITE_READONLY", statementIndex: 1 });
    await insert(client, "a");
    const [first, second] = await client.batch(["SELECT id FROM notes", "SELECT 2"], "read");
    expect(first?.rows).toMatchObject([{ id: "a" }]);
    expect(second?.rows).toMatchObject([{ 2: 2 }]);
  });
});

test("a full disk rejects the write, and the next one is stored once there is room", async () => {
  const client = open();
  const [pages] = column(await client.execute("PRAGMA page_count"));
  await client.execute(`PRAGMA max_page_count = ${pages}`);
  const insertLong = (id: string) => insert(client, id.padEnd(100_000, "x"));
  const batch = client.batch([
    "INSERT INTO notes (id) VALUES ('a')",
    ["INSERT INTO notes (id) VALUES (?)", ["x".repeat(100_000)]],
  ]);
  expect(await failure(batch)).toMatchObject({ code: "SQLITE_FULL", statementIndex: 1 });
  expect(await failure(insertLong("b"))).toMatchObject({ code: "SQLITE_FULL" });
  const transaction = await client.transaction();
  await transaction.execute("INSERT INTO notes (id) VALUES ('c')");
  const long = { sql: "INSERT INTO notes (id) VALUES (?)", args: ["c".repeat(100_000)] };
  expect(await failure(transaction.execute(long))).toMatchObject({ code: "SQLITE_FULL" });
  expect(transaction.closed).toBe(true);
  expect(await failure(transaction.commit())).toMatchObject({ code: "TRANSACTION_CLOSED" });
  expect(await idsInFile()).toEqual([]);
  await client.execute("PRAGMA max_page_count = 100000");
  await insertLong("d");
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
  const bytes = new Uint8Array([0, 1, 255]);

  test.each([
    [null, null, "null"],
    ["", "", "text"],
    ["it's 'é' 漢 🙂", "it's 'é' 漢 🙂", "text"],
    [0, 0, "integer"],
    [-0, 0, "integer"],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "integer"],
    [Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, "integer"],
    [1.5, 1.5, "real"],
    [2 ** 53, 2 ** 53, "real"],
    [12n, 12, "integer"],
    [true, 1, "integer"],
    [false, 0, "integer"],
    [new Date(1_700_000_000_123), 1_700_000_000_123, "integer"],
    [bytes, bytes.buffer, "blob"],
    [bytes.subarray(1), bytes.slice(1).buffer, "blob"],
    [bytes.buffer, bytes.buffer, "blob"],
    [new Uint8Array(0), new ArrayBuffer(0), "blob"],
  ] as const)("%p is read as %p", async (value, read, type) => {
    expect(await one(value)).toEqual([read, type]);
  });

  // `as never`: what TypeScript forbids may still come from outside it.
  test.each([
    ["undefined", undefined as never],
    ["an object", {} as never],
    ["a function", (() => 1) as never],
    ["a symbol", Symbol("s") as never],
    ["an array", [1] as never],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["an invalid date", new Date(Number.NaN)],
    ["more than 64 bits", 2n ** 63n],
    ["text with a NUL", "a\0b"],
    ["a lone surrogate", "a\ud800b"],
  ])("%s is refused", async (_name, value) => {
    expect(await failure(one(value))).toMatchObject({ code: "ARGS_INVALID" });
  });

  test("an integer that a number cannot hold is an error when read", async () => {
    expect(await failure(one(2n ** 63n - 1n))).toMatchObject({ code: "INTEGER_UNSAFE" });
  });
});

describe("arguments", () => {
  test("are given by position or by name", async () => {
    const client = open();
    const select = async (statement: string, args: InValue[] | Record<string, InValue>) => {
      const { rows } = await client.execute(statement, args);
      return Array.from({ length: rows[0]?.length ?? 0 }, (_, i) => rows[0]?.[i]);
    };
    expect(
      await select("SELECT ?, ?2, ?1, '?', \"id\", [id] FROM (SELECT 9 AS id) -- ?", [1, 2]),
    ).toEqual([1, 2, 1, "?", 9, 9]);
    expect(await select("SELECT :a, $b, @c, :a", { a: 1, $b: 2, "@c": 3 })).toEqual([1, 2, 3, 1]);
    expect(await select("SELECT ?3, ?", [1, 2, 3, 4])).toEqual([3, 4]);
  });

  test.each([
    ["too few", "SELECT ?, ?", [1]],
    ["too many", "SELECT ?", [1, 2]],
    ["a missing name", "SELECT :a, :b", { a: 1 }],
    ["an unknown name", "SELECT :a", { a: 1, b: 2 }],
    ["names for a statement without", "SELECT ?", { a: 1 }],
  ])("%s are refused, also when the statement was run before", async (_name, statement, args) => {
    const client = open();
    const right = statement.includes(":") ? { a: 8, b: 9 } : [8, 9];
    await client.execute(statement, right).catch(() => undefined);
    expect(await failure(client.execute(statement, args))).toMatchObject({ code: "ARGS_INVALID" });
  });
});

describe("SQL text", () => {
  test.each([
    [
      "INSERT INTO notes (id) VALUES ('a'); INSERT INTO notes (id) VALUES ('b')",
      "SQL_MANY_STATEMENTS",
    ],
    ["SELECT 1; DELETE FROM notes", "SQL_MANY_STATEMENTS"],
    ["SELECT 1 /* ; */ ; -- ;\n DELETE FROM notes", "SQL_MANY_STATEMENTS"],
    ["CREATE TABLE trigger (id); DROP TABLE notes", "SQL_MANY_STATEMENTS"],
    [
      "CREATE TRIGGER t AFTER INSERT ON notes BEGIN SELECT 1; END; DROP TABLE notes",
      "SQL_MANY_STATEMENTS",
    ],
    ["", "SQL_NO_STATEMENT"],
    [" -- nothing", "SQL_NO_STATEMENT"],
    ["; SELECT 1", "SQL_NO_STATEMENT"],
    ["DELETE FROM notes\0 WHERE id = ''", "SQL_INPUT_ERROR"],
    ["SELECT nothing FROM nowhere", "SQLITE_ERROR"],
    ["SELECT 'open", "SQLITE_ERROR"],
  ])("%p is refused", async (statement, code) => {
    const client = open();
    await insert(client, "kept");
    expect(await failure(client.execute(statement))).toMatchObject({ code });
    expect(await idsInFile()).toEqual(["kept"]);
  });

  test.each([
    "SELECT ';' AS a;",
    ' /* ; */ SELECT ";" FROM (SELECT 1 AS ";") ; -- ;',
    "CREATE TEMP TRIGGER t AFTER INSERT ON notes BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 3; END;",
    "WITH x AS (SELECT 'b' AS id) INSERT INTO notes (id) SELECT id FROM x RETURNING id",
    "VALUES (1)",
    "EXPLAIN QUERY PLAN SELECT 1",
  ])("%p is one statement", async (statement) => {
    expect((await open().execute(statement)).rows).toBeArray();
  });

  test("that starts with WITH may write, and VACUUM runs outside a transaction", async () => {
    const client = open();
    await client.execute(
      "WITH x(id) AS (VALUES ('a'), ('b')) INSERT INTO notes (id) SELECT id FROM x",
    );
    expect(await idsInFile()).toEqual(["a", "b"]);
    const copy = join(folder, "copy.db");
    await client.execute("VACUUM INTO ?", [copy]);
    path = copy;
    expect(await idsInFile()).toEqual(["a", "b"]);
  });

  test("given to executeMultiple is run whole or not at all", async () => {
    const client = open();
    await client.executeMultiple(
      "INSERT INTO notes (id) VALUES ('a'); INSERT INTO notes (id) VALUES ('b')",
    );
    const script = "DELETE FROM notes; INSERT INTO nowhere VALUES (1)";
    expect(await failure(client.executeMultiple(script))).toMatchObject({ code: "SQLITE_ERROR" });
    expect(await idsInFile()).toEqual(["a", "b"]);
  });
});

describe("a result", () => {
  test("has rows by index and by name, like other libSQL clients", async () => {
    const client = open();
    const result = await client.execute("SELECT 1 AS a, 'x' AS b, 2 AS a, x'ff' AS length");
    expect(result.columns).toEqual(["a", "b", "a", "length"]);
    const [row] = result.rows;
    expect([row?.[0], row?.[1], row?.[2]]).toEqual([1, "x", 2]);
    expect(row).toMatchObject({ a: 1, b: "x" });
    expect(row?.length).toBe(4);
    expect(Object.keys(row ?? {})).toEqual(["a", "b"]);
    expect(JSON.parse(JSON.stringify(result)).rows).toEqual([[1, "x", 2, "/w=="]]);
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

  test("has the present columns when the schema was changed by another connection", async () => {
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

  test("of a failed statement is an error with SQLite's codes, and the statement works again", async () => {
    const client = open();
    await insert(client, "a");
    expect(await failure(insert(client, "a"))).toMatchObject({
      extendedCode: "SQLITE_CONSTRAINT_PRIMARYKEY",
    });
    const wrongType = failure(client.execute("INSERT INTO notes (id, size) VALUES ('b', 'big')"));
    expect(await wrongType).toMatchObject({
      code: "SQLITE_CONSTRAINT",
      extendedCode: "SQLITE_CONSTRAINT",
      rawCode: 3091,
    });
    await insert(client, "b");
    expect(await idsInFile()).toEqual(["a", "b"]);
  });
});

describe("an interactive transaction", () => {
  const count = async (client: Pick<Client, "execute">) =>
    column(await client.execute("SELECT count(*) FROM notes"))[0];

  test("shows its changes to others only after commit, and lets other writes wait", async () => {
    const client = open();
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO notes (id) VALUES ('a')");
    let isWritten = false;
    const other = insert(client, "b").then(() => {
      isWritten = true;
    });
    expect(await count(transaction)).toBe(1);
    expect(await count(client)).toBe(0);
    await transaction.batch(["INSERT INTO notes (id) VALUES ('c')"]);
    await transaction.executeMultiple("UPDATE notes SET size = 1; UPDATE notes SET size = 2");
    await Bun.sleep(20);
    expect(isWritten).toBe(false);
    await transaction.commit();
    expect(transaction.closed).toBe(true);
    await other;
    expect(await idsInFile()).toEqual(["a", "b", "c"]);
    expect(await failure(transaction.execute("SELECT 1"))).toMatchObject({
      code: "TRANSACTION_CLOSED",
    });
  });

  test("is undone by rollback and by close, and goes on after a failed statement", async () => {
    const client = open();
    for (const end of ["rollback", "close"] as const) {
      const transaction = await client.transaction();
      await transaction.execute("INSERT INTO notes (id) VALUES ('a')");
      const again = transaction.batch(["SELECT 1", "INSERT INTO notes (id) VALUES ('a')"]);
      expect(await failure(again)).toMatchObject({ statementIndex: 1 });
      expect(await count(transaction)).toBe(1);
      await transaction[end]();
      await transaction.rollback();
      transaction.close();
    }
    await insert(client, "b");
    expect(await idsInFile()).toEqual(["b"]);
  });

  test("is rolled back after its time limit, and the waiting write goes on", async () => {
    const client = open({ transactionTimeout: 50 });
    const transaction = await client.transaction();
    await transaction.execute("INSERT INTO notes (id) VALUES ('a')");
    await insert(client, "b");
    expect(await idsInFile()).toEqual(["b"]);
    expect(await failure(transaction.commit())).toMatchObject({ code: "TRANSACTION_TIMEOUT" });
    await transaction.rollback();
  });

  test("for reading keeps its snapshot, makes no write wait and cannot write", async () => {
    const client = open();
    const transaction = await client.transaction("read");
    await insert(client, "a");
    expect(await count(transaction)).toBe(0);
    expect(await failure(transaction.execute("DELETE FROM notes"))).toMatchObject({
      code: "SQLITE_READONLY",
    });
    await transaction.commit();
    expect(await count(client)).toBe(1);
  });
});

describe("close", () => {
  test("leaves everything in the one file", async () => {
    const client = open();
    await writeMany(client, 20);
    client.close();
    client.close();
    const copy = join(folder, "copy.db");
    copyFileSync(path, copy);
    path = copy;
    expect(await idsInFile()).toHaveLength(20);
  });

  test("rejects what has not begun, and ends open transactions", async () => {
    const client = open();
    const transaction = await client.transaction();
    await transaction.execute("INSERT INTO notes (id) VALUES ('a')");
    const reading = await client.transaction("read");
    const queued = failure(insert(client, "b"));
    client.close();
    expect(client.closed).toBe(true);
    const calls = [
      insert(client, "c"),
      client.execute("SELECT 1"),
      client.batch([]),
      client.transaction(),
    ];
    for (const error of [await queued, ...(await Promise.all(calls.map(failure)))]) {
      expect(error).toMatchObject({
        code: "CLIENT_CLOSED",
        message: "CLIENT_CLOSED: The client is closed",
      });
    }
    expect([transaction.closed, reading.closed]).toEqual([true, true]);
    expect(await failure(transaction.commit())).toMatchObject({ code: "TRANSACTION_CLOSED" });
    expect(await idsInFile()).toEqual([]);
    client.reconnect();
    await insert(client, "d");
    expect(await idsInFile()).toEqual(["d"]);
  });
});

describe("opening", () => {
  test("makes a file that only its owner may read", () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  });

  test("fails clearly", () => {
    const opening = (file: string) => () => openLocal(file);
    writeFileSync(join(folder, "text"), "no database ".repeat(1000));
    expect(opening(join(folder, "text"))).toThrow("SQLITE_NOTADB");
    for (const file of [folder, join(folder, "missing", "a.db"), "", ":memory:", "a\0b"]) {
      expect(opening(file)).toThrow("SQLITE_CANTOPEN");
    }
  });

  test("gives a client of a plain file", async () => {
    const client = open();
    expect([client.protocol, client.closed]).toEqual(["file", false]);
    expect(await failure(client.sync())).toMatchObject({ code: "SYNC_NOT_SUPPORTED" });
  });
});

describe("Drizzle", () => {
  const authors = sqliteTable("authors", {
    id: integer().primaryKey(),
    name: text().notNull().unique(),
  });
  const books = sqliteTable("books", {
    id: integer().primaryKey(),
    authorId: integer()
      .notNull()
      .references(() => authors.id),
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
  const created = `CREATE TABLE authors (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
--> statement-breakpoint
CREATE TABLE books (id integer PRIMARY KEY, authorId integer NOT NULL REFERENCES authors(id),
  title text NOT NULL, isRead integer NOT NULL, addedAt integer NOT NULL);`;
  const rebuilt = `CREATE TABLE new (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
--> statement-breakpoint
INSERT INTO new SELECT id, name FROM authors;
--> statement-breakpoint
DROP TABLE authors;
--> statement-breakpoint
ALTER TABLE new RENAME TO authors;`;

  function writeMigrations(...migrations: string[]) {
    const entries = migrations.map((_, idx) => ({
      idx,
      version: "6",
      when: idx + 1,
      tag: `m${idx}`,
      breakpoints: true,
    }));
    const journal = JSON.stringify({ version: "7", dialect: "sqlite", entries });
    const meta = join(folder, "meta", "_journal.json");
    return Promise.all([
      Bun.write(meta, journal),
      ...migrations.map((text, i) => Bun.write(join(folder, `m${i}.sql`), text)),
    ]);
  }

  async function openDrizzle() {
    const database = drizzle(open(), { schema });
    await writeMigrations(created);
    await migrate(database, { migrationsFolder: folder });
    return database;
  }
  const book = { id: 1, authorId: 1, title: "Emma", isRead: true, addedAt: new Date(5) };

  test("queries relations, prepared and not", async () => {
    const database = await openDrizzle();
    const [author] = await database.insert(authors).values({ name: "Austen" }).returning();
    expect(author).toEqual({ id: 1, name: "Austen" });
    await database.insert(books).values(book);
    const expected = { id: 1, name: "Austen", books: [book] };
    expect(await database.query.authors.findFirst({ with: { books: true } })).toEqual(expected);
    const prepared = database.query.authors
      .findFirst({
        where: (table, { eq }) => eq(table.id, sql.placeholder("id")),
        with: { books: true },
      })
      .prepare();
    expect(await prepared.execute({ id: 1 })).toEqual(expected);
    expect(await prepared.execute({ id: 2 })).toBeUndefined();
    const joined = await database
      .select()
      .from(books)
      .innerJoin(authors, sql`${authors.id} = ${books.authorId}`);
    expect(joined).toEqual([{ books: book, authors: { id: 1, name: "Austen" } }]);
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

  test("runs transactions, nested ones too", async () => {
    const database = await openDrizzle();
    await database.transaction(async (outer) => {
      await outer.insert(authors).values({ name: "Austen" });
      const inner = outer.transaction(async (nested) => {
        await nested.insert(authors).values({ name: "Eliot" });
        throw new Error("undo");
      });
      expect(await inner.catch((error: Error) => error.message)).toBe("undo");
    });
    const outer = database.transaction(async (transaction) => {
      await transaction.insert(authors).values({ name: "Woolf" });
      throw new Error("undo");
    });
    expect(await outer.catch((error: Error) => error.message)).toBe("undo");
    expect(await database.select().from(authors)).toEqual([{ id: 1, name: "Austen" }]);
  });

  test("migrates step by step, and a table that others refer to can be rebuilt", async () => {
    const database = await openDrizzle();
    await database.insert(authors).values({ name: "Austen" });
    await database.insert(books).values(book);
    await writeMigrations(created, rebuilt);
    await migrate(database, { migrationsFolder: folder });
    await migrate(database, { migrationsFolder: folder });
    expect(await database.query.books.findFirst({ with: { author: true } })).toMatchObject({
      author: { name: "Austen" },
    });
    const orphan = database.insert(books).values({ ...book, id: 2, authorId: 9 });
    const error = await orphan.then(
      () => undefined,
      (reason: Error) => reason.cause,
    );
    expect(error).toMatchObject({ extendedCode: "SQLITE_CONSTRAINT_FOREIGNKEY" });
  });

  test("a failed migration leaves no trace, nor one that leaves rows without their parents", async () => {
    const database = await openDrizzle();
    await database.insert(authors).values({ name: "Austen" });
    await database.insert(books).values(book);
    for (const last of ["CREATE TABLE authors (id)", "DELETE FROM authors"]) {
      await writeMigrations(created, `CREATE TABLE extra (id);--> statement-breakpoint\n${last}`);
      expect(await failure(migrate(database, { migrationsFolder: folder }))).toBeInstanceOf(
        LibsqlError,
      );
    }
    expect(await database.$count(authors)).toBe(1);
    const tables = await database.$client.execute(
      "SELECT name FROM sqlite_schema WHERE name = 'extra'",
    );
    expect(tables.rows).toEqual([]);
  });
});
