/**
 * Group commit: writes that wait together share one transaction, and so one wait for the disk. When one of them fails,
 * the transaction is rolled back, and each of them has one of its own.
 */
import { setImmediate } from "node:timers";
import { LibsqlError } from "@libsql/core/api";
import { silent, type WritesMeter } from "../instruments.ts";
import { takeGroup } from "./groups.ts";
import { type Connection, connect, EVERY_CONNECTION, whenNotBusy } from "./local.connection.ts";

/** A write that waits for its turn. */
interface Write {
  /** Runs it in the transaction that is open, and gives what acknowledges it. */
  run(): () => void;
  statements: number;
  reject(error: unknown): void;
  /** When it stops waiting for another process's lock, on the clock of performance.now(). */
  deadline: number;
}

/**
 * Bytes of a page, in a new file. Each commit writes whole pages, and most rows are small. With half of SQLite's default,
 * adding a todo costs a tenth less.
 */
const PAGE_SIZE = 2048;
/**
 * Bytes in the -wal file, after which its pages are moved into the database. It is four times SQLite's default. A page
 * that changes often is then moved less often, which makes a write a tenth cheaper.
 */
const WAL_SIZE = 16 * 1024 * 1024;
/** Writes that share a commit at most. They run without a pause, so this bounds how long they hold up everything else. */
const GROUP = 64;

export interface LocalWrites {
  /**
   * Runs `run` in a transaction, after all writes that were asked for before, and resolves once it is committed. After
   * a rollback `run` may be called again. Rejects with what `run` throws, or with SQLITE_BUSY after `busyTimeout`.
   * @param statements how many `run` runs
   */
  write<T>(run: (writer: Connection) => T, statements: number): Promise<T>;
  /** Closes the connection after the commit that is under way. What has not begun is rejected. */
  close(): void;
}

/**
 * Opens the connection that writes. While a group commits on another thread, the next one gathers.
 * @param busyTimeout milliseconds that a write waits for another process's lock
 * @throws LibsqlError SQLITE_CANTOPEN, SQLITE_NOTADB, or SQLITE_BUSY after it has blocked for `busyTimeout`
 */
export function openWrites(
  path: string,
  busyTimeout: number,
  meter: WritesMeter = silent,
): LocalWrites {
  const writer = openWriter(path, busyTimeout);
  const queue: Write[] = [];
  let isWriting = false;
  /** The commit that is under way on another thread. */
  let committing: Promise<void> | undefined;

  function write<T>(run: (writer: Connection) => T, statements: number): Promise<T> {
    return new Promise((resolve, reject) => {
      queue.push({
        run() {
          const result = run(writer);
          return () => resolve(result);
        },
        statements,
        reject,
        deadline: performance.now() + busyTimeout,
      });
      meter.writesWaiting(queue.length);
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
        meter.writesWaiting(queue.length);
        continue;
      }
      // What came while it waited for the lock, or for the last commit, comes along.
      const group = takeGroup(queue, GROUP, ({ statements }) => statements);
      meter.writesWaiting(queue.length);
      await (group.length === 1 ? commitOne(next) : commitGroup(group));
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

  async function commitOne(write: Write): Promise<void> {
    let acknowledge: () => void;
    try {
      acknowledge = write.run();
      await commit(1);
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
      answers = group.map((write) => write.run());
      await commit(group.length);
    } catch {
      // The whole transaction is lost, by the fault of one or of the disk. With one each, it shows whose. That happens
      // too seldom for a savepoint around each write: no statement of the service fails because of what a client sends.
      writer.rollback();
      for (const write of group) if (await begin(write)) await commitOne(write);
      return;
    }
    for (const answer of answers) answer();
  }

  async function commit(writes: number): Promise<void> {
    committing = writer.commit();
    try {
      await committing;
      meter.committed(writes);
    } finally {
      committing = undefined;
    }
  }

  function closeWriter(): void {
    try {
      // Moves everything into the file, which alone is then the whole database.
      writer.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Another process uses the file. Nothing is lost: what is in the -wal is read from there.
    }
    writer.close();
  }

  return {
    write,
    close() {
      // A connection cannot be closed in the middle of a commit.
      if (committing === undefined) closeWriter();
      else committing.then(closeWriter, closeWriter);
    },
  };
}

function openWriter(path: string, busyTimeout: number): Connection {
  // Several processes may start at once. To block is harmless before anything is served.
  const writer = connect(path, `PRAGMA busy_timeout=${busyTimeout}; PRAGMA page_size=${PAGE_SIZE}`);
  try {
    // In WAL mode reads go on beside a write. The mode is a property of the file.
    const [row] = writer.run("PRAGMA journal_mode=WAL").rows;
    if (row?.[0] !== "wal") {
      throw new LibsqlError(`journal mode stays ${row?.[0]}, not wal`, "SQLITE_CANTOPEN");
    }
    // A file that exists keeps the size of its pages.
    const [page] = writer.run("PRAGMA page_size").rows;
    const pages = WAL_SIZE / Number(page?.[0]);
    writer.exec(`${EVERY_CONNECTION} PRAGMA wal_autocheckpoint=${pages}`);
    return writer;
  } catch (error) {
    writer.close();
    throw error;
  }
}
