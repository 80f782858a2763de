/** The embedded database: libSQL's `Client` over one SQLite file, where an acknowledged write is on the disk. */
import {
  type Client,
  type InArgs,
  type InStatement,
  LibsqlError,
  type ResultSet,
  type Transaction,
} from "@libsql/core/api";
import {
  type BatchStatement,
  type Connection,
  commit,
  connect,
  executeAll,
} from "./local.connection.ts";
import { startsWithSelect } from "./local.sql.ts";
import { openTransaction } from "./local.transaction.ts";

/** How long things may take. */
export interface LocalOptions {
  /** Milliseconds, from when it was asked for, that a call waits for another process's lock (5000). */
  busyTimeout?: number;
  /** Milliseconds after which an open interactive transaction is rolled back (5000, like a libSQL server). */
  transactionTimeout?: number;
}

interface Connections {
  writer: Connection;
  /** Missing after it met SQLITE_BUSY, until the next read. */
  reader: Connection | undefined;
}

// busy_timeout=0: SQLite would wait by blocking the event loop.
// synchronous=FULL, and fullfsync for macOS: an acknowledged write outlives a power cut.
// secure_delete=ON: what is deleted, such as a mail with its one-time password, can't be read in free pages.
const everyConnection =
  "PRAGMA busy_timeout=0; PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA secure_delete=ON;";
// query_only: a write taken for a read is an error, and not a write outside the queue.
const readOnly = `${everyConnection} PRAGMA query_only=ON;`;
// SQLite's way to alter tables (https://sqlite.org/lang_altertable.html#otheralter) begins so.
const migrating = `${everyConnection} PRAGMA foreign_keys=OFF;`;

/**
 * Opens the SQLite file at `path`, made with mode 0600 if it does not exist (its folder must).
 *
 * It stands in for `@libsql/client` in file mode, which after one SQLITE_BUSY acknowledges writes
 * that never commit (libsql-client-ts#352): there, a prepared statement that met SQLITE_BUSY stays
 * in progress and holds its connection's transaction open. Here a lock is only ever waited for by
 * `exec("BEGIN IMMEDIATE")`, which leaves nothing in progress.
 *
 * - A statement that starts with SELECT runs at once on a connection for reads; likewise a "read" batch.
 * - Everything else is a write. Writes wait their turn in one queue, each in a transaction of its
 *   own that is committed before the write is acknowledged, and rolled back whatever fails.
 *   A script given to `executeMultiple` is one transaction too.
 * - `VACUUM` (and `VACUUM INTO`, a backup) runs alone, since SQLite allows it in no transaction.
 *   It blocks the event loop for as long as it takes.
 *
 * Calls reject with LibsqlError: SQLITE_BUSY after `busyTimeout`, other codes of SQLite, CLIENT_CLOSED,
 * SQL_MANY_STATEMENTS, ARGS_INVALID, TRANSACTION_TIMEOUT, TRANSACTION_CLOSED. Opening throws
 * LibsqlError, and may block up to `busyTimeout`: SQLITE_CANTOPEN, SQLITE_NOTADB, SQLITE_BUSY.
 */
export function openLocal(path: string, options: LocalOptions = {}): Client {
  const { busyTimeout = 5000, transactionTimeout = 5000 } = options;
  const transactions = new Set<Transaction>();
  let connections: Connections | undefined = openConnections(path, busyTimeout);
  let lastWrite: Promise<unknown> = Promise.resolve();

  function opened(): Connections {
    if (connections !== undefined) return connections;
    throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
  }

  async function read<T>(work: (reader: Connection) => T): Promise<T> {
    return whenNotBusy(performance.now() + busyTimeout, () => {
      const open = opened();
      open.reader ??= connect(path, readOnly);
      try {
        return work(open.reader);
      } catch (error) {
        // A statement in progress would pin all later reads to one old snapshot: give up the connection.
        if (isBusy(error)) {
          open.reader.close();
          open.reader = undefined;
        }
        throw error;
      }
    });
  }

  /** Runs `job` after all writes asked for before, on the connection that is open now. */
  async function enqueue<T>(job: (writer: Connection, deadline: number) => Promise<T>): Promise<T> {
    const { writer } = opened();
    const deadline = performance.now() + busyTimeout;
    const result = lastWrite.then(() => job(writer, deadline));
    lastWrite = result.catch(() => undefined);
    return result;
  }

  function write<T>(work: (writer: Connection) => T): Promise<T> {
    return enqueue(async (writer, deadline) => {
      await whenNotBusy(deadline, () => writer.exec("BEGIN IMMEDIATE"));
      return commit(writer, work);
    });
  }

  /** Runs `work` in the queue on a connection that is closed afterwards. */
  function writeAlone<T>(pragmas: string, work: (connection: Connection) => T): Promise<T> {
    return enqueue((_writer, deadline) =>
      whenNotBusy(deadline, () => {
        opened();
        const connection = connect(path, pragmas);
        try {
          return work(connection);
        } finally {
          connection.close();
        }
      }),
    );
  }

  function track(connection: Connection, release: () => void): Transaction {
    const transaction = openTransaction(connection, transactionTimeout, () => {
      transactions.delete(transaction);
      release();
    });
    transactions.add(transaction);
    return transaction;
  }

  async function readTransaction(): Promise<Transaction> {
    const connection = await whenNotBusy(performance.now() + busyTimeout, () => {
      opened();
      const own = connect(path, readOnly);
      try {
        // The first read takes the snapshot.
        own.exec("BEGIN; SELECT 1 FROM sqlite_schema");
        return own;
      } catch (error) {
        own.close();
        throw error;
      }
    });
    return track(connection, connection.close);
  }

  function writeTransaction(): Promise<Transaction> {
    return new Promise((resolve, reject) => {
      enqueue(async (writer, deadline) => {
        await whenNotBusy(deadline, () => writer.exec("BEGIN IMMEDIATE"));
        await new Promise<void>((release) => resolve(track(writer, release)));
      }).catch(reject);
    });
  }

  const client: Client = {
    protocol: "file",
    get closed() {
      return connections === undefined;
    },
    execute(statement: InStatement, args?: InArgs): Promise<ResultSet> {
      const sql = typeof statement === "string" ? statement : statement.sql;
      const given = typeof statement === "string" ? { sql, args: args ?? [] } : statement;
      if (startsWithSelect(sql)) return read((reader) => reader.execute(given));
      if (/^\s*vacuum\b/i.test(sql)) {
        return writeAlone(everyConnection, (connection) => connection.execute(given));
      }
      return write((writer) => writer.execute(given));
    },
    batch(statements: BatchStatement[], mode = "write") {
      if (mode !== "read") return write((writer) => executeAll(writer, statements));
      return read((reader) => {
        reader.exec("BEGIN");
        return commit(reader, () => executeAll(reader, statements));
      });
    },
    async migrate(statements) {
      // Drizzle asks for this at every start, and mostly with nothing to do.
      if (statements.length === 0) return [];
      return writeAlone(migrating, (connection) => {
        connection.exec("BEGIN IMMEDIATE");
        return commit(connection, () => {
          const results = executeAll(connection, statements);
          refuseDanglingKeys(connection);
          return results;
        });
      });
    },
    executeMultiple(sql) {
      return write((writer) => writer.exec(sql));
    },
    async transaction(mode = "write") {
      return mode === "read" ? readTransaction() : writeTransaction();
    },
    async sync() {
      throw new LibsqlError("A plain file has nothing to sync with", "SYNC_NOT_SUPPORTED");
    },
    reconnect() {
      client.close();
      connections = openConnections(path, busyTimeout);
    },
    close() {
      if (connections === undefined) return;
      const { writer, reader } = connections;
      connections = undefined;
      for (const transaction of transactions) transaction.close();
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
  return client;
}

function openConnections(path: string, busyTimeout: number): Connections {
  // Several processes may start at once. To block is harmless before anything is served.
  const writer = connect(path, `PRAGMA busy_timeout=${busyTimeout}`);
  try {
    // WAL lets reads go on beside a write. It is a property of the file, so once is enough.
    const [row] = writer.execute("PRAGMA journal_mode=WAL").rows;
    if (row?.[0] !== "wal") {
      throw new LibsqlError(`journal mode stays ${row?.[0]}, not wal`, "SQLITE_CANTOPEN");
    }
    writer.exec(everyConnection);
    return { writer, reader: connect(path, readOnly) };
  } catch (error) {
    writer.close();
    throw error;
  }
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

function refuseDanglingKeys(connection: Connection): void {
  const [row] = connection.execute("PRAGMA foreign_key_check").rows;
  if (row === undefined) return;
  const message = `migration leaves rows of ${row[0]} without their ${row[2]}`;
  throw new LibsqlError(message, "SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_FOREIGNKEY", 787);
}
