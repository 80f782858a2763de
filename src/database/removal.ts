/**
 * Removes what deleted users leave, a slice at a time. A user may have a million rows. To delete them all at once would
 * hold up everybody else for seconds.
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

/** Rows of each table that one slice takes. */
const SLICE = 250;
/** Milliseconds between two slices at least. */
const PAUSE = 5;
/** Milliseconds until the next attempt, when the database could not answer. */
const RETRY_AFTER = 5_000;

const logger = getLogger(["todos", "database"]);

/**
 * What a deleted user's row holds until it is removed. The name and the address are free.
 * @param deleted_at RFC 3339
 */
export const deletedUser = (deleted_at: string) => ({
  username: "",
  // No name that a client can send has a line break in it.
  username_key: sql`char(10) || ${users.id}`,
  password_hash: "",
  email: null,
  deleted_at,
});

/** The deleted user whose turn it is; NULL when there is none. */
const next = sql`(
  SELECT id FROM ${users} WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT 1
)`;

/**
 * The statements that remove a slice of what a deleted user leaves and, when nothing is left, the user.
 * @param user_id which one; nothing happens to a user who is not deleted
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

/** The statement that tells whether there is any deleted user. */
export const findRemovable = (db: Database) =>
  db.all<{ id: number }>(sql`SELECT id FROM ${users} WHERE deleted_at IS NOT NULL LIMIT 1`);

/** Removes a slice: whether more is left. */
export async function removeSlice(db: Database): Promise<boolean> {
  const { left } = await batch(db, { slice: removalOf(db, next), left: findRemovable(db) });
  return left.length > 0;
}

export interface Removal {
  /** Removes what is left of deleted users. To be called at start, and whenever a request finds some. Returns at once. */
  wake(): void;
  /** Begins no other slice, and resolves when the last one is done. The next start goes on with the rest. */
  stop(): Promise<void>;
}

/** Several processes may do it at once: each slice is one transaction. */
export function createRemoval(db: Database): Removal {
  let work: Promise<void> | undefined;
  let isStopped = false;
  let endPause = () => {};

  const pause = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      // A process that has nothing else to do may end.
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
        logger.warn("can't remove what deleted users leave: {error}", { error });
        rest = RETRY_AFTER;
      }
      // At least as long as it took, so that half of the time at most is spent on it.
      if (isLeft) await pause(Math.max(rest, performance.now() - began));
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
