/** An interactive transaction on a connection where BEGIN has been run, cut after a time limit. */
import { LibsqlError, type Transaction } from "@libsql/core/api";
import { type Connection, executeAll } from "./local.connection.ts";

/**
 * Wraps the open transaction of `connection` as libSQL's `Transaction`, and calls `release` once, when it
 * has ended in whatever way.
 *
 * After `timeLimit` milliseconds it is rolled back, so that a forgotten one cannot keep all other
 * writes waiting; calls on it then reject with LibsqlError TRANSACTION_TIMEOUT. On one that has
 * ended otherwise they reject with TRANSACTION_CLOSED, but `rollback` and `close` do nothing.
 */
export function openTransaction(
  connection: Connection,
  timeLimit: number,
  release: () => void,
): Transaction {
  let ended: LibsqlError | undefined;
  const timer = setTimeout(() => {
    end(new LibsqlError(`Transaction was open for ${timeLimit} ms`, "TRANSACTION_TIMEOUT"));
  }, timeLimit);

  function end(reason = new LibsqlError("The transaction is closed", "TRANSACTION_CLOSED")): void {
    if (ended !== undefined) return;
    ended = reason;
    clearTimeout(timer);
    try {
      connection.rollback();
    } finally {
      release();
    }
  }

  async function run<T>(work: () => T): Promise<T> {
    if (ended !== undefined) throw ended;
    try {
      return work();
    } finally {
      // SQLite rolls back by itself after SQLITE_FULL, SQLITE_IOERR and ON CONFLICT ROLLBACK.
      if (!connection.inTransaction()) end();
    }
  }

  return {
    get closed() {
      return ended !== undefined;
    },
    execute: (statement) => run(() => connection.execute(statement)),
    batch: (statements) => run(() => executeAll(connection, statements)),
    executeMultiple: (sql) => run(() => connection.exec(sql)),
    async commit() {
      try {
        await run(() => connection.exec("COMMIT"));
      } finally {
        end();
      }
    },
    async rollback() {
      end();
    },
    close() {
      end();
    },
  };
}
