/** Who may change rows: the user of a live session, unless the request is one that was done before. */
import { sql } from "drizzle-orm";
import { isLive } from "../auth/live-session.ts";
import { sessions, ttl } from "../database/schema.ts";

/** The key of the row of `ttl` for a request with an `Idempotency-Key`; null without one. */
export const ttlKey = sql`${sql.placeholder("user_id")} || '/' || ${sql.placeholder("idempotency_key")}`;

/** True as long as no request under this key has succeeded: in each statement that changes rows. */
export const isNew = sql`NOT EXISTS (
  SELECT 1 FROM ${ttl}
  WHERE ${ttl.kind} = 'idempotency' AND ${ttl.key} = ${ttlKey} AND ${ttl.expires_at} > ${sql.placeholder("now")}
)`;

/** The user that a change is for; null when there is to be none. */
export const writer = sql`(SELECT ${sessions.user_id} FROM ${sessions} WHERE ${isLive()} AND ${isNew})`;
