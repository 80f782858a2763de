/** Reads that wait together share one snapshot, so SQLite locks its file only once. */
import { setImmediate } from "node:timers";
import {
  type Connection,
  clientClosed,
  connect,
  EVERY_CONNECTION,
  isBusy,
  whenNotBusy,
} from "./local.connection.ts";

/** A read that waits for its turn. */
interface Read {
  /** Runs it, and resolves its promise. */
  run(reader: Connection): void;
  /** Rejects its promise. After SQLITE_BUSY, the read is instead tried again on its own. */
  fail(error: unknown): void;
}

/** Milliseconds of reads without a pause. Then the other work of the process runs before the next reads. */
const SLICE = 5;

// query_only: a write that was given as a read by mistake fails. It cannot bypass the queue of writes.
const READING = `${EVERY_CONNECTION} PRAGMA query_only=ON;`;

export interface LocalReads {
  /**
   * Runs `run` in a snapshot of the committed data. Rejects with the error that `run` throws, or with SQLITE_BUSY after
   * `busyTimeout`. Until then, `run` may be called again.
   */
  read<T>(run: (reader: Connection) => T): Promise<T>;
  /** Closes the connection. Reads that have not begun are rejected. */
  close(): void;
}

/**
 * Reads run after all incoming requests were looked at, on one connection. For a server under load this halves the time
 * of a request: each snapshot costs two locks of the file, and code that runs many times in a row runs faster.
 * @param busyTimeout milliseconds that a read waits for another process's lock
 */
export function openReads(path: string, busyTimeout: number): LocalReads {
  const queue: Read[] = [];
  /** Opened by the first read, and by the next one after SQLITE_BUSY. */
  let reader: Connection | undefined;
  let isClosed = false;

  function read<T>(run: (reader: Connection) => T): Promise<T> {
    const deadline = performance.now() + busyTimeout;
    return new Promise((resolve, reject) => {
      queue.push({
        run: (reader) => resolve(run(reader)),
        fail(error) {
          if (!isBusy(error)) reject(error);
          else whenNotBusy(deadline, () => inSnapshot(run)).then(resolve, reject);
        },
      });
      if (queue.length === 1) setImmediate(runQueue);
    });
  }

  function runQueue(): void {
    const until = performance.now() + SLICE;
    try {
      inSnapshot((reader) => {
        for (let next = queue[0]; next !== undefined; next = queue[0]) {
          runOne(next, reader);
          queue.shift();
          if (performance.now() > until) break;
        }
      });
    } catch (error) {
      for (const waiting of queue.splice(0)) waiting.fail(error);
    }
    if (queue.length > 0) setImmediate(runQueue);
  }

  /** @throws LibsqlError SQLITE_BUSY, after which the other reads cannot use this connection either */
  function runOne(next: Read, reader: Connection): void {
    try {
      next.run(reader);
    } catch (error) {
      if (isBusy(error)) throw error;
      next.fail(error);
    }
  }

  function inSnapshot<T>(run: (reader: Connection) => T): T {
    if (isClosed) throw clientClosed();
    reader ??= connect(path, READING);
    try {
      reader.exec("BEGIN");
      return run(reader);
    } catch (error) {
      // The statement stays in progress, and all later reads would see the same old state. So give up the connection.
      if (isBusy(error)) {
        reader.close();
        reader = undefined;
      }
      throw error;
    } finally {
      reader?.rollback();
    }
  }

  return {
    read,
    close() {
      isClosed = true;
      reader?.close();
    },
  };
}
