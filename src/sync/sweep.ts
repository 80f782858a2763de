/**
 * Deletes expired rows: todos that were in the trash for too long, rows of `deletions` that are older than
 * CHANGES_TTL, stored answers that no request may ask for any more, and rows of the TTL table. Each write deletes a few
 * rows of each kind. `upkeep.ts` deletes the rest, wherever there is a timer.
 */
import { sql } from "drizzle-orm";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Database } from "../database/drizzle.ts";
import { deletions, kept_answers, trash, ttl, users } from "../database/schema.ts";
import { type RowsOf, runBatch, statement, type Values } from "../database/statement.ts";
import { nextRevision } from "./revision.ts";
import type { Watch } from "./watch.ts";

/** Rows of each kind that a write deletes. Most writes add fewer rows, so expired rows cannot accumulate. */
const A_FEW = 16;
/** Rows of each kind in one statement, when the service deletes them without a write. */
const MANY = 500;

const expired = sql`
  SELECT id FROM ${trash} WHERE deleted_at <= ${sql.placeholder("trashed_before")}
  ORDER BY deleted_at, id LIMIT ${sql.placeholder("limit")}`;

const noteExpired = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT ${users.id}, ${nextRevision}, 'todo', ${trash.id}, ${sql.placeholder("now")}
  FROM ${trash} JOIN ${users} ON ${users.id} = ${trash.user_id}
  WHERE ${trash.id} IN (${expired})`);

/** When a text is deleted for good, nothing of it may stay. */
const forgetTheirAnswers = statement(sql`
  DELETE FROM ${kept_answers} WHERE (user_id, todo_id) IN (
    SELECT ${trash.user_id}, ${trash.id} FROM ${trash} WHERE ${trash.id} IN (${expired})
  )`);

const deleteExpired = statement<{ id: number }>(
  sql`DELETE FROM ${trash} WHERE id IN (${expired}) RETURNING id`,
);

const raiseTheirRevisions = statement<{ id: number; revision: number }>(sql`
  UPDATE ${users} SET revision = revision + 1
  WHERE id IN (
    SELECT noted.user_id FROM ${deletions} AS noted
    JOIN ${users} AS theirs ON theirs.id = noted.user_id
    WHERE noted.created_at = ${sql.placeholder("now")} AND noted.rev > theirs.revision
  ) RETURNING id, revision`);

const forgetDeletions = statement<{ id: number }>(sql`
  DELETE FROM ${deletions} WHERE (user_id, rev, type, id) IN (
    SELECT user_id, rev, type, id FROM ${deletions}
    WHERE created_at <= ${sql.placeholder("noted_before")}
    ORDER BY created_at LIMIT ${sql.placeholder("limit")}
  ) RETURNING id`);

/** Deletes up to `limit` stored answers that have expired by `now`. */
export const forgetAnswers = statement<{ key: string }>(sql`
  DELETE FROM ${kept_answers} WHERE rowid IN (
    SELECT rowid FROM ${kept_answers} WHERE expires_at <= ${sql.placeholder("now")}
    ORDER BY expires_at LIMIT ${sql.placeholder("limit")}
  ) RETURNING key`);

/**
 * Each request with an `Idempotency-Key` adds a row to the TTL table, which expires with its stored answer. Log-ins and
 * mails have their own statements that delete expired rows, but there may be far fewer log-ins and mails than such
 * requests.
 */
const forgetTtlRows = statement<{ key: string }>(sql`
  DELETE FROM ${ttl} WHERE (kind, key) IN (
    SELECT kind, key FROM ${ttl} WHERE expires_at <= ${sql.placeholder("now")}
    ORDER BY expires_at LIMIT ${sql.placeholder("limit")}
  ) RETURNING key`);

/**
 * When the oldest row of each kind was made, and for answers when the first one expires. In milliseconds since the
 * epoch.
 */
interface Ages {
  trashed_at: number | null;
  noted_at: number | null;
  answers_expire_at: number | null;
}

const oldest = statement<Ages>(sql`
  SELECT (SELECT min(deleted_at) FROM ${trash}) AS trashed_at,
    (SELECT min(created_at) FROM ${deletions}) AS noted_at,
    (SELECT min(expires_at) FROM ${kept_answers}) AS answers_expire_at`);

/** The statements that are added to a write. They come at the end of its batch, after everything else. */
export interface Ride {
  statements: Sweeping | undefined;
  /** @param rows their rows */
  learn(rows: RowsOf<Sweeping> | undefined): void;
}

export interface Sweep {
  /** No statements, as long as no row can have expired. */
  ride(): Ride;
  /** Deletes all expired rows. */
  all(): Promise<void>;
}

type Sweeping = ReturnType<typeof sweeping>;

/** @param values the placeholders of all statements */
const sweeping = (values: Values) => ({
  noted: noteExpired(values),
  theirAnswers: forgetTheirAnswers(values),
  todos: deleteExpired(values),
  deletions: forgetDeletions(values),
  answers: forgetAnswers(values),
  ttlRows: forgetTtlRows(values),
  raised: raiseTheirRevisions(values),
  ages: oldest(values),
});

const NOTHING: Ride = { statements: undefined, learn() {} };

/** @param watch is told about the users whose todos are deleted */
export function createSweep(
  { database, clock, watch }: { database: Database; clock: Clock; watch: Watch },
  config: Config,
): Sweep {
  const trashTtl = config.trashTtl * 1000;
  const changesTtl = config.changesTtl * 1000;
  const answersTtl = config.idempotencyTtl * 1000;
  /**
   * No row expires before this time, so there is no need to look. Rows that other processes add now expire even later.
   */
  let nextExpiry = Number.NEGATIVE_INFINITY;

  const statements = (now: number, limit: number) =>
    sweeping({ now, limit, trashed_before: now - trashTtl, noted_before: now - changesTtl });

  function learn(now: number, { raised, ages: [ages] }: RowsOf<Sweeping>): void {
    for (const { id, revision } of raised) watch.tell(id, revision);
    if (!ages) return;
    const { trashed_at, noted_at, answers_expire_at } = ages;
    nextExpiry = Math.min(
      (trashed_at ?? now) + trashTtl,
      (noted_at ?? now) + changesTtl,
      answers_expire_at ?? now + answersTtl,
    );
  }

  return {
    ride() {
      const now = clock();
      if (now < nextExpiry) return NOTHING;
      return {
        statements: statements(now, A_FEW),
        learn: (rows) => rows && learn(now, rows),
      };
    },

    async all() {
      for (;;) {
        const now = clock();
        const rows = await runBatch(database, statements(now, MANY));
        learn(now, rows);
        const { todos, deletions, answers, ttlRows } = rows;
        if ([todos, deletions, answers, ttlRows].every(({ length }) => length < MANY)) return;
      }
    },
  };
}
