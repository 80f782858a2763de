/** The condition that a session is live. Every statement that is made for a user has it. */
import { and, type Placeholder, sql } from "drizzle-orm";
import type { Database } from "../database/drizzle.ts";
import { sessions } from "../database/schema.ts";
import { CHALLENGE, Failure } from "../http/problem.ts";

/** The session that an access token names. This alone proves nothing: use it with `isLive` in the same statement. */
export interface SessionRef {
  id: string;
  user_id: number;
}

/** A session and the current time (milliseconds), or the placeholders for them in a prepared statement. */
type LiveArguments = Record<keyof SessionRef | "now", string | number | Placeholder>;

const placeholders: LiveArguments = {
  id: sql.placeholder("id"),
  user_id: sql.placeholder("user_id"),
  now: sql.placeholder("now"),
};

/**
 * True for the request's row in `sessions` while the session has neither ended nor expired.
 * Prepared statements omit the arguments, and are executed with `{ ...session, now }`.
 */
export function isLive({ id, user_id, now } = placeholders) {
  return and(
    sql`${sessions.id} = ${id}`,
    sql`${sessions.user_id} = ${user_id}`,
    sql`${sessions.expires_at} > ${now}`,
  );
}

/** The live session's user, in a statement that is executed with `{ ...session, now }`; null when the session has ended. */
export const owner = sql`(SELECT ${sessions.user_id} FROM ${sessions} WHERE ${isLive()})`;

/** The live session's user, as the owner in a write. There is no row when the session has ended. */
export function ownerOf(db: Database, session: SessionRef, now: number) {
  return db
    .select({ user_id: sessions.user_id })
    .from(sessions)
    .where(isLive({ ...session, now }));
}

/** A bad or expired token, an ended session and a deleted user all get the same answer (RFC 6750 §3.1). */
export function invalidToken(): Failure {
  const headers = { "www-authenticate": `${CHALLENGE}, error="invalid_token"` };
  return new Failure("unauthorized", { headers });
}

/**
 * The row that a statement with `isLive` has found.
 * @throws Failure `unauthorized` when there is no row, because the session has ended
 */
export function live<Row>(row: Row | undefined): Row {
  if (row === undefined) throw invalidToken();
  return row;
}
