/**
 * Deletes what has had its time: todos that are in the trash too long, and notes of deletions that every client has
 * heard of, or has to begin anew. A few rows go with each write, so on no runtime does it take a timer.
 */
import { sql } from "drizzle-orm";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Database } from "../database/drizzle.ts";
import { deletions, trash, users } from "../database/schema.ts";
import { type Bound, runBatch, statement } from "../database/statement.ts";
import { nextRevision } from "./revision.ts";

/** Rows of either kind that a batch takes along. More than one write can add, so what has expired cannot pile up. */
const A_FEW = 16;
/** Rows of either kind that one statement deletes when nothing else is to be done. */
const MANY = 500;

const expired = sql`
  SELECT id FROM ${trash} WHERE deleted_at <= ${sql.placeholder("trashed_before")}
  ORDER BY deleted_at, id LIMIT ${sql.placeholder("limit")}`;

const noteExpired = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT ${users.id}, ${nextRevision}, 'todo', ${trash.id}, ${sql.placeholder("now")}
  FROM ${trash} JOIN ${users} ON ${users.id} = ${trash.user_id}
  WHERE ${trash.id} IN (${expired})`);

const deleteExpired = statement<{ id: number }>(
  sql`DELETE FROM ${trash} WHERE id IN (${expired}) RETURNING id`,
);

const raiseTheirRevisions = statement(sql`
  UPDATE ${users} SET revision = revision + 1
  WHERE id IN (
    SELECT noted.user_id FROM ${deletions} AS noted
    JOIN ${users} AS theirs ON theirs.id = noted.user_id
    WHERE noted.created_at = ${sql.placeholder("now")} AND noted.rev > theirs.revision
  )`);

const forgetDeletions = statement<{ id: number }>(sql`
  DELETE FROM ${deletions} WHERE (user_id, rev, type, id) IN (
    SELECT user_id, rev, type, id FROM ${deletions}
    WHERE created_at <= ${sql.placeholder("noted_before")}
    ORDER BY created_at LIMIT ${sql.placeholder("limit")}
  ) RETURNING id`);

/** Since when what is there is there, in milliseconds since the epoch. */
interface Ages {
  trashed_at: number | null;
  noted_at: number | null;
}

const oldest = statement<Ages>(sql`
  SELECT (SELECT min(deleted_at) FROM ${trash}) AS trashed_at,
    (SELECT min(created_at) FROM ${deletions}) AS noted_at`);

/** What goes along with a write. */
export interface Ride {
  /** For the end of its batch, behind everything else. */
  statements: Bound<unknown>[];
  /** @param results those of the whole batch */
  learn(results: unknown[][]): void;
}

export interface Sweep {
  /** Nothing, as long as nothing can have expired. */
  ride(): Ride;
  /** Deletes all that has had its time. */
  all(): Promise<void>;
}

const NOTHING: Ride = { statements: [], learn() {} };

export function createSweep(database: Database, clock: Clock, config: Config): Sweep {
  const trashTtl = config.trashTtl * 1000;
  const changesTtl = config.changesTtl * 1000;
  /** Until then there is no need to look. Other processes' rows have all their time before them, too. */
  let nextExpiry = Number.NEGATIVE_INFINITY;

  function statements(now: number, limit: number) {
    const values = {
      now,
      limit,
      trashed_before: now - trashTtl,
      noted_before: now - changesTtl,
    };
    return [
      noteExpired(values),
      deleteExpired(values),
      raiseTheirRevisions(values),
      forgetDeletions(values),
      oldest(values),
    ] as const;
  }

  function learn(now: number, { trashed_at, noted_at }: Ages): void {
    nextExpiry = Math.min((trashed_at ?? now) + trashTtl, (noted_at ?? now) + changesTtl);
  }

  return {
    ride() {
      const now = clock();
      if (now < nextExpiry) return NOTHING;
      return {
        statements: [...statements(now, A_FEW)],
        learn(results) {
          const [ages] = results.at(-1) ?? [];
          // `as`: this is what the last of the statements returns.
          if (ages) learn(now, ages as Ages);
        },
      };
    },

    async all() {
      for (;;) {
        const now = clock();
        const [, deleted, , forgotten, [ages]] = await runBatch(database, [
          ...statements(now, MANY),
        ]);
        if (ages) learn(now, ages);
        if (deleted.length < MANY && forgotten.length < MANY) return;
      }
    },
  };
}
