/**
 * The TTL table: what one would keep in a Redis beside the service. Each verb is one atomic statement, to be run alone
 * or in a batch with others. A row past its end does not exist for any of them, swept or not.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "./drizzle.ts";
import { ttl } from "./schema.ts";

/** What rows are for. The same key under two kinds is two rows. */
export type Kind =
  | "otp"
  | "otp_tries"
  | "otp_cooldown"
  | "otp_sends"
  | "log_in_failures"
  | "account_failures";

export interface Write {
  kind: Kind;
  key: string | SQL;
  /** Milliseconds from now to the row's end. */
  lifetime: number;
  /** Without it, always; otherwise nothing is written unless it holds. */
  when?: SQL;
}

/** Expired rows that one `sweep` deletes at most: more than one batch writes, so what has expired can't pile up. */
const SWEEP = 16;

export type Ttl = ReturnType<typeof ttlTable>;

/** @param now milliseconds since the epoch, in every verb */
export function ttlTable(db: Database) {
  /** True of the one row; for statements of others that read the table. */
  const row = (kind: Kind, key: string | SQL, now: number) =>
    sql`${ttl.kind} = ${kind} AND ${ttl.key} = ${key} AND ${ttl.expires_at} > ${now}`;

  return {
    row,

    /** Sets the row's value and its end, whatever they were; gives the row when it was written. */
    set({ kind, key, lifetime, when = sql`true` }: Write, value: string | SQL, now: number) {
      return db.all<{ value: string }>(sql`
        INSERT INTO ${ttl} (kind, key, value, expires_at)
        SELECT ${kind}, ${key}, ${value}, ${now + lifetime} WHERE ${when}
        ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
        RETURNING value`);
    },

    /** The row's value and its end (milliseconds since the epoch), if there is one. */
    get(kind: Kind, key: string | SQL, now: number) {
      return db.all<{ value: string; expires_at: number }>(
        sql`SELECT value, expires_at FROM ${ttl} WHERE ${row(kind, key, now)}`,
      );
    },

    /** Deletes the row and gives its value: of several at once, one gets it. */
    take(kind: Kind, key: string | SQL, now: number, when: SQL = sql`true`) {
      return db.all<{ value: string }>(
        sql`DELETE FROM ${ttl} WHERE ${row(kind, key, now)} AND ${when} RETURNING value`,
      );
    },

    /**
     * Counts one more, and gives the count; the first begins at 1. The end stays where the first put it, unless it is
     * to be renewed.
     */
    increment({ kind, key, lifetime, when = sql`true` }: Write, now: number, renew = false) {
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

    /** True when there is a row, and its value fits. For `when`, and for other tables' statements. */
    exists(kind: Kind, key: string | SQL, now: number, fits: SQL = sql`true`) {
      return sql`EXISTS (SELECT 1 FROM ${ttl} WHERE ${row(kind, key, now)} AND ${fits})`;
    },

    /** Deletes a few rows that have expired. It rides on every batch that writes here, so no timer is needed. */
    sweep(now: number) {
      return db.run(sql`
        DELETE FROM ${ttl} WHERE (kind, key) IN (
          SELECT kind, key FROM ${ttl} WHERE expires_at <= ${now} ORDER BY expires_at LIMIT ${SWEEP}
        )`);
    },
  };
}
