/**
 * The TTL table: rows that expire, as in a Redis. Each operation is one atomic statement, which runs alone or in a
 * batch with others. None of them sees an expired row, even if it was not deleted yet.
 *
 * A key may have several parts, separated by slashes. The rows under a key are those whose keys begin with this key and
 * a slash.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "./drizzle.ts";
import { ttl } from "./schema.ts";

/** What a row is for. The same key under two kinds is two rows. `SECURITY.md` explains each kind. */
export type Kind =
  // Failed passwords, and failed reset codes: `auth/waits.ts`.
  | "password_failures"
  | "reset_failures"
  // `auth/throttle.ts`.
  | "account_failures"
  // `auth/known-networks.ts`.
  | "known_network"
  // `auth/budgets.ts`.
  | "failed_log_ins"
  | "sign_ups"
  | "mails"
  // `otp/verification.ts`.
  | "verification_wait"
  | "verification_sends"
  // `otp/reset.ts`.
  | "reset_code"
  | "reset_wait"
  | "reset_sends"
  // `sync/idempotency.ts`.
  | "idempotency";

export interface TtlWrite {
  kind: Kind;
  key: string | SQL;
  /** Milliseconds from now to the row's end. */
  lifetime: number;
  /** The row is written only if this is true. Without it, the row is always written. */
  when?: SQL;
}

/** Rows deleted per sweep. More than one batch inserts, so expired rows cannot accumulate. */
const SWEEP = 16;

export type Ttl = ReturnType<typeof ttlTable>;

/** @param now milliseconds since the epoch, in every operation */
export function ttlTable(db: Database) {
  /** True for the one row. Other statements that read the table can use it. */
  const row = (kind: Kind, key: string | SQL, now: number) =>
    sql`${ttl.kind} = ${kind} AND ${ttl.key} = ${key} AND ${ttl.expires_at} > ${now}`;

  // In ASCII, "0" comes directly after the slash.
  const under = (kind: Kind, key: string | SQL) =>
    sql`${ttl.kind} = ${kind} AND ${ttl.key} > (${key} || '/') AND ${ttl.key} < (${key} || '0')`;

  return {
    row,

    /** Sets the row's value and its end, and replaces an existing row. Returns the row if it was written. */
    set({ kind, key, lifetime, when = sql`true` }: TtlWrite, value: string | SQL, now: number) {
      return db.all<{ value: string }>(sql`
        INSERT INTO ${ttl} (kind, key, value, expires_at)
        SELECT ${kind}, ${key}, ${value}, ${now + lifetime} WHERE ${when}
        ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
        RETURNING value`);
    },

    /** The row's value and its end (milliseconds since the epoch), if the row exists. */
    get(kind: Kind, key: string | SQL, now: number) {
      return db.all<{ value: string; expires_at: number }>(
        sql`SELECT value, expires_at FROM ${ttl} WHERE ${row(kind, key, now)}`,
      );
    },

    /** Deletes the row and returns its value. If several requests do this at the same time, only one gets the value. */
    take(kind: Kind, key: string | SQL, now: number, when: SQL = sql`true`) {
      return db.all<{ value: string }>(
        sql`DELETE FROM ${ttl} WHERE ${row(kind, key, now)} AND ${when} RETURNING value`,
      );
    },

    /**
     * Adds one to a count, and returns the count. The first count is 1. The end of the row stays where the first call
     * put it, unless it is renewed.
     */
    increment({ kind, key, lifetime, when = sql`true` }: TtlWrite, now: number, renew = false) {
      return db.all<{ value: number }>(sql`
        INSERT INTO ${ttl} (kind, key, value, expires_at)
        SELECT ${kind}, ${key}, '1', ${now + lifetime} WHERE ${when}
        ON CONFLICT (kind, key) DO UPDATE SET
          value = CASE WHEN expires_at > ${now} THEN CAST(value AS INTEGER) + 1 ELSE '1' END,
          expires_at = CASE WHEN expires_at > ${now} AND NOT ${renew} THEN expires_at ELSE excluded.expires_at END
        RETURNING CAST(value AS INTEGER) AS value`);
    },

    delete(kind: Kind, key: string | SQL, when = sql`true`) {
      return db.run(sql`DELETE FROM ${ttl} WHERE kind = ${kind} AND key = ${key} AND ${when}`);
    },

    /** Deletes all rows under a key. */
    deleteUnder(kind: Kind, key: string | SQL, when = sql`true`) {
      return db.run(sql`DELETE FROM ${ttl} WHERE ${under(kind, key)} AND ${when}`);
    },

    /** The number of rows under a key, up to `limit`. */
    countUnder(kind: Kind, key: string | SQL, now: number, limit: number) {
      return sql<number>`(SELECT count(*) FROM (
        SELECT 1 FROM ${ttl} WHERE ${under(kind, key)} AND ${ttl.expires_at} > ${now} LIMIT ${limit}
      ))`;
    },

    /** Deletes the rows under a key that expire first. Keeps the last `count` of them. */
    keepLast(kind: Kind, key: string, count: number, when = sql`true`) {
      return db.run(sql`
        DELETE FROM ${ttl} WHERE kind = ${kind} AND ${when} AND key IN (
          SELECT key FROM ${ttl} WHERE ${under(kind, key)}
          ORDER BY expires_at DESC, key LIMIT -1 OFFSET ${count}
        )`);
    },

    /** The row's end (milliseconds since the epoch), if its value fits. NULL when there is no such row. */
    end(kind: Kind, key: string | SQL, now: number, fits: SQL = sql`true`) {
      return sql<
        number | null
      >`(SELECT expires_at FROM ${ttl} WHERE ${row(kind, key, now)} AND ${fits})`;
    },

    /** True when the row exists and its value fits. For `when`, and for statements on other tables. */
    exists(kind: Kind, key: string | SQL, now: number, fits: SQL = sql`true`) {
      return sql`EXISTS (SELECT 1 FROM ${ttl} WHERE ${row(kind, key, now)} AND ${fits})`;
    },

    /** The first of the keys that has a row of one of these kinds, or rows under it. NULL when there is none. */
    firstInUse(kinds: readonly Kind[], keys: readonly string[], now: number) {
      return sql<string | null>`(
        SELECT candidates.value FROM json_each(${JSON.stringify(keys)}) AS candidates
        WHERE EXISTS (
          SELECT 1 FROM ${ttl} WHERE ${ttl.kind} IN (SELECT value FROM json_each(${JSON.stringify(kinds)}))
            AND ${ttl.key} >= candidates.value AND ${ttl.key} < (candidates.value || '0')
            AND ${ttl.expires_at} > ${now}
        )
        ORDER BY candidates.key LIMIT 1
      )`;
    },

    /**
     * Deletes a few expired rows. The batches of log-ins, sign-ups and mails that write here contain it. For all other
     * writes, `sync/sweep.ts` deletes expired rows.
     */
    sweep(now: number) {
      return db.run(sql`
        DELETE FROM ${ttl} WHERE (kind, key) IN (
          SELECT kind, key FROM ${ttl} WHERE expires_at <= ${now} ORDER BY expires_at LIMIT ${SWEEP}
        )`);
    },
  };
}
