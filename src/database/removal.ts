/**
 * Removes the rows of deleted users in slices. A user may have a million rows. To delete them all in one statement
 * would block everybody else for seconds.
 */
import { getLogger } from "@logtape/logtape";
import { type SQL, sql } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { batch, type DrizzleStatement } from "./batch.ts";
import type { Database } from "./drizzle.ts";
import {
  deletions,
  kept_answers,
  lists,
  outbox,
  sessions,
  todos,
  trash,
  users,
  verifications,
} from "./schema.ts";

/** Every table whose rows belong to a user, with the key of its rows. */
export const OWNED: readonly { table: SQLiteTable; key: string }[] = [
  { table: sessions, key: "id" },
  { table: verifications, key: "user_id" },
  { table: outbox, key: "id" },
  { table: todos, key: "id" },
  { table: trash, key: "id" },
  { table: lists, key: "id" },
  { table: deletions, key: "user_id, rev, type, id" },
  { table: kept_answers, key: "user_id, key" },
];

/** Rows of each table in one slice. */
const SLICE = 250;
/** Minimum milliseconds between two slices. */
const PAUSE = 5;
/** Milliseconds until the next attempt, when the database could not answer. */
const RETRY_AFTER = 5_000;

const logger = getLogger(["todos", "database"]);

/**
 * The values in a deleted user's row until the row is removed. The user name and the address are free for others.
 * @param deleted_at RFC 3339
 */
export const deletedUser = (deleted_at: string) => ({
  username: "",
  // A name that a client sends never has a line break in it.
  username_key: sql`char(10) || ${users.id}`,
  password_hash: "",
  email: null,
  deleted_at,
});

/** The deleted user whose rows are removed next. NULL when there is none. */
const next = sql`(
  SELECT id FROM ${users} WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT 1
)`;

/**
 * The statements that remove one slice of a deleted user's rows and, when no row is left, the user.
 * @param user_id the user. Nothing happens to a user who is not deleted
 */
export function removalOf(db: Database, user_id: SQL): DrizzleStatement[] {
  const isDeleted = sql`(SELECT id FROM ${users} WHERE id = ${user_id} AND deleted_at IS NOT NULL)`;
  const slices = OWNED.map(({ table, key }) => {
    const columns = sql.raw(key);
    return db.run(sql`
      DELETE FROM ${table} WHERE (${columns}) IN (
        SELECT ${columns} FROM ${table} WHERE user_id = ${isDeleted} LIMIT ${SLICE}
      )`);
  });
  const isEmpty = sql.join(
    OWNED.map(({ table }) => sql`NOT EXISTS (SELECT 1 FROM ${table} WHERE user_id = ${isDeleted})`),
    sql` AND `,
  );
  return [...slices, db.run(sql`DELETE FROM ${users} WHERE id = ${isDeleted} AND ${isEmpty}`)];
}

/** The statement that asks whether there is any deleted user. */
export const findRemovable = (db: Database) =>
  db.all<{ id: number }>(sql`SELECT id FROM ${users} WHERE deleted_at IS NOT NULL LIMIT 1`);

/** Removes a slice. Returns whether rows are left. */
export async function removeSlice(db: Database): Promise<boolean> {
  // Each start asks, and usually nobody is deleted. Then the other statements are not even made.
  if ((await findRemovable(db)).length === 0) return false;
  const { left } = await batch(db, { slice: removalOf(db, next), left: findRemovable(db) });
  return left.length > 0;
}

export interface Removal {
  /**
   * Removes the remaining rows of deleted users. To be called at the start, and whenever a request finds a deleted
   * user. Returns at once.
   */
  wake(): void;
  /** Starts no further slice, and resolves when the current one is done. The next start of the service continues. */
  stop(): Promise<void>;
}

/** Several processes may do this at the same time: each slice is one transaction. */
export function createRemoval(db: Database): Removal {
  let work: Promise<void> | undefined;
  let isStopped = false;
  let endPause = () => {};

  const pause = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      // The timer does not keep the process alive.
      timer.unref?.();
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  /** Never rejects. */
  async function removeAll(): Promise<void> {
    for (let isLeft = true; isLeft && !isStopped; ) {
      const began = performance.now();
      let rest = PAUSE;
      try {
        isLeft = await removeSlice(db);
      } catch (error) {
        logger.warn("cannot remove the rows of deleted users: {error}", { error });
        rest = RETRY_AFTER;
      }
      // The pause is at least as long as the slice took, so that at most half of the time is spent on removal.
      if (isLeft && !isStopped) await pause(Math.max(rest, performance.now() - began));
    }
  }

  return {
    wake() {
      work ??= removeAll().finally(() => {
        work = undefined;
      });
    },
    async stop() {
      isStopped = true;
      endPause();
      await work;
    },
  };
}
