/** Decides who may change rows: the user of a live session, unless the request is a repetition of an earlier one. */
import { sql } from "drizzle-orm";
import { isLive } from "../auth/live-session.ts";
import { sessions, ttl } from "../database/schema.ts";

/** The key of the row of `ttl` for a request with an `Idempotency-Key`; null without one. */
export const ttlKey = sql`${sql.placeholder("user_id")} || '/' || ${sql.placeholder("idempotency_key")}`;

/** True while no request with this key has succeeded. Each statement that changes rows has this condition. */
export const isNew = sql`NOT EXISTS (
  SELECT 1 FROM ${ttl}
  WHERE ${ttl.kind} = 'idempotency' AND ${ttl.key} = ${ttlKey} AND ${ttl.expires_at} > ${sql.placeholder("now")}
)`;

/** The user who makes a change; null when the change must not be made. */
export const writer = sql`(SELECT ${sessions.user_id} FROM ${sessions} WHERE ${isLive()} AND ${isNew})`;
