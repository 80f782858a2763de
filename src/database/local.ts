/** The embedded database: libSQL's `Client` over one SQLite file. A write is acknowledged when it is on the disk. */
import { setImmediate } from "node:timers";
import {
  type Client,
  type InArgs,
  type InStatement,
  LibsqlError,
  type ResultSet,
} from "@libsql/core/api";
import { ResultSetImpl } from "@libsql/core/util";
import {
  type Connection,
  connect,
  runAll,
  type Statement,
  statementOf,
  unsupported,
} from "./local.connection.ts";
import { startsWithSelect } from "./sql.ts";

export interface LocalOptions {
  /** Milliseconds that a call waits for another process's lock, counted from the call (5000). */
  busyTimeout?: number;
}

/** A write that waits for its turn. */
interface Write {
  /** Runs it in the open transaction of the writer, and gives what acknowledges it. May be called again after a rollback. */
  run(): () => void;
  reject(error: unknown): void;
  /** When it stops waiting for another process's lock, on the clock of performance.now(). */
  deadline: number;
}

/** Writes that share a commit. They run without a pause, so this bounds how long they hold up everything else. */
const GROUP = 64;

// busy_timeout=0: SQLite itself would wait by blocking the event loop.
// synchronous=FULL, and fullfsync for macOS: an acknowledged write outlives a power cut.
// secure_delete=ON: what is deleted, such as a mail with a one-time password, is overwritten with zeros.
const EVERY_CONNECTION =
  "PRAGMA busy_timeout=0; PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA secure_delete=ON;";
// query_only: a write that is taken for a read fails, and cannot bypass the queue.
const READING = `${EVERY_CONNECTION} PRAGMA query_only=ON;`;
// A table is altered with foreign keys off (https://sqlite.org/lang_altertable.html#otheralter).
const MIGRATING = `${EVERY_CONNECTION} PRAGMA foreign_keys=OFF;`;

/**
 * Opens the SQLite file at `path`. A file that does not exist is made with mode 0600; its folder must exist.
 *
 * It replaces `@libsql/client` for files. After one SQLITE_BUSY, that client acknowledges writes that are never
 * committed (libsql-client-ts#352): a prepared statement that met SQLITE_BUSY stays in progress and keeps its
 * connection's transaction open. Here only `exec("BEGIN IMMEDIATE")` ever meets another process's lock, and `exec`
 * leaves nothing in progress.
 *
 * - A statement that starts with SELECT, and a batch of only these, is a read. It runs at once, on a connection of its
 *   own, and sees what is committed.
 * - Everything else is a write. Writes run in the order of the calls. Those that wait together share one transaction,
 *   each behind a savepoint, so that one that fails undoes nothing but its own changes. A call resolves after the
 *   commit that holds it. No other code runs between the statements of one call.
 * - `migrate` runs whole or not at all, with foreign keys off, and checks them at its end.
 *
 * Opening throws LibsqlError SQLITE_CANTOPEN, SQLITE_NOTADB or SQLITE_BUSY, the last after it has blocked for
 * `busyTimeout`. Calls reject with LibsqlError: SQLITE_BUSY after `busyTimeout`, SQLite's other codes, CLIENT_CLOSED,
 * ARGS_INVALID, INTEGER_UNSAFE, and NOT_SUPPORTED for what the service does not use, such as interactive transactions.
 */
export function openLocal(path: string, { busyTimeout = 5000 }: LocalOptions = {}): Client {
  const writer = openWriter(path, busyTimeout);
  /** Missing after it met SQLITE_BUSY, until the next read. */
  let reader: Connection | undefined;
  let isClosed = false;
  const queue: Write[] = [];
  let isWriting = false;

  function read<T>(run: (reader: Connection) => T): Promise<T> {
    return whenNotBusy(performance.now() + busyTimeout, () => {
      refuseClosed();
      reader ??= connect(path, READING);
      try {
        return run(reader);
      } catch (error) {
        // The statement stays in progress, and would hold all later reads at one old state: give up the connection.
        if (isBusy(error)) {
          reader.close();
          reader = undefined;
        }
        throw error;
      }
    });
  }

  function write<T>(run: (writer: Connection) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      queue.push({
        run() {
          const result = run(writer);
          return () => resolve(result);
        },
        reject,
        deadline: performance.now() + busyTimeout,
      });
      if (isWriting) return;
      isWriting = true;
      // Not at once, so that requests that came in together share the first commit.
      setImmediate(commitQueue);
    });
  }

  async function commitQueue(): Promise<void> {
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      if (!(await begin(next))) {
        queue.shift();
        continue;
      }
      // Whatever came while it waited for the lock comes along.
      const group = queue.splice(0, GROUP);
      if (group.length === 1) commitOne(next);
      else await commitGroup(group);
      await new Promise((resolve) => setImmediate(resolve));
    }
    isWriting = false;
  }

  /** Begins the transaction for `write`, or rejects it. */
  async function begin(write: Write): Promise<boolean> {
    try {
      await whenNotBusy(write.deadline, () => writer.exec("BEGIN IMMEDIATE"));
      return true;
    } catch (error) {
      write.reject(error);
      return false;
    }
  }

  function commitOne(write: Write): void {
    let acknowledge: () => void;
    try {
      acknowledge = write.run();
      writer.exec("COMMIT");
    } catch (error) {
      writer.rollback();
      write.reject(error);
      return;
    }
    acknowledge();
  }

  async function commitGroup(group: Write[]): Promise<void> {
    let answers: (() => void)[];
    try {
      answers = group.map(runBehindSavepoint);
      writer.exec("COMMIT");
    } catch {
      // The whole transaction is lost, by the fault of one or of the disk. With one each, it shows whose.
      writer.rollback();
      for (const write of group) if (await begin(write)) commitOne(write);
      return;
    }
    for (const answer of answers) answer();
  }

  /** Runs `write` and gives what answers it after the commit. Throws when SQLite has ended the whole transaction. */
  function runBehindSavepoint(write: Write): () => void {
    writer.exec("SAVEPOINT one");
    try {
      const acknowledge = write.run();
      writer.exec("RELEASE one");
      return acknowledge;
    } catch (error) {
      // Fails when there is no transaction any more, as after SQLITE_FULL.
      writer.exec("ROLLBACK TO one; RELEASE one");
      return () => write.reject(error);
    }
  }

  function refuseClosed(): void {
    if (isClosed) throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
  }

  return {
    protocol: "file",
    get closed() {
      return isClosed;
    },
    execute(given: InStatement, args?: InArgs) {
      const statement = statementOf(args === undefined ? given : [String(given), args]);
      const run = (connection: Connection) => connection.run(statement.sql, statement.args);
      return isRead(statement) ? read(run) : write(run);
    },
    batch(given, mode) {
      const statements = given.map(statementOf);
      return mode === "read" || statements.every(isRead)
        ? read((reader) => runInSnapshot(reader, statements))
        : write((writer) => runAll(writer, statements));
    },
    async migrate(statements) {
      refuseClosed();
      const connection = connect(path, MIGRATING);
      try {
        const deadline = performance.now() + busyTimeout;
        await whenNotBusy(deadline, () => connection.exec("BEGIN IMMEDIATE"));
        const results = statements.map((statement) => migrateBy(connection, statement));
        refuseDanglingKeys(connection);
        connection.exec("COMMIT");
        return results;
      } finally {
        connection.close();
      }
    },
    async transaction(): Promise<never> {
      throw unsupported("interactive transactions");
    },
    async executeMultiple(): Promise<never> {
      throw unsupported("several statements in one text");
    },
    async sync(): Promise<never> {
      throw unsupported("sync");
    },
    reconnect(): never {
      throw unsupported("reconnect");
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      reader?.close();
      try {
        // Moves everything into the file, which alone is then the whole database.
        writer.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch {
        // Another process uses the file. Nothing is lost: what is in the -wal is read from there.
      }
      writer.close();
    },
  };
}

function openWriter(path: string, busyTimeout: number): Connection {
  // Several processes may start at once. To block is harmless before anything is served.
  const writer = connect(path, `PRAGMA busy_timeout=${busyTimeout}`);
  try {
    // In WAL mode reads go on beside a write. The mode is a property of the file.
    const [row] = writer.run("PRAGMA journal_mode=WAL").rows;
    if (row?.[0] !== "wal") {
      throw new LibsqlError(`journal mode stays ${row?.[0]}, not wal`, "SQLITE_CANTOPEN");
    }
    writer.exec(EVERY_CONNECTION);
    return writer;
  } catch (error) {
    writer.close();
    throw error;
  }
}

const isRead = ({ sql }: Statement) => startsWithSelect(sql);

/** All of them see the database in one state. */
function runInSnapshot(reader: Connection, statements: Statement[]): ResultSet[] {
  reader.exec("BEGIN");
  try {
    return runAll(reader, statements);
  } finally {
    reader.rollback();
  }
}

/** A migration's text may hold several statements, as a trigger does. */
function migrateBy(connection: Connection, statement: InStatement): ResultSet {
  if (typeof statement !== "string") return connection.run(statement.sql, statement.args);
  connection.exec(statement);
  return new ResultSetImpl([], [], [], 0, undefined);
}

function refuseDanglingKeys(connection: Connection): void {
  const [row] = connection.run("PRAGMA foreign_key_check").rows;
  if (row === undefined) return;
  const message = `migration leaves rows of ${row[0]} without their ${row[2]}`;
  throw new LibsqlError(message, "SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_FOREIGNKEY", 787);
}

/** Repeats `attempt` while it meets SQLITE_BUSY, until `deadline` on the clock of performance.now(). */
async function whenNotBusy<T>(deadline: number, attempt: () => T): Promise<T> {
  for (let longest = 2; ; longest = Math.min(2 * longest, 50)) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
    }
    // Random, so that processes that wait for each other do not go on colliding.
    const delay = Math.min(longest * Math.random(), deadline - performance.now());
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof LibsqlError && error.code === "SQLITE_BUSY";
}
