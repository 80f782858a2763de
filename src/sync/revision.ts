/**
 * A user's revision. Each operation that changes something raises it by one, and each changed row has it as its `rev`. In
 * a batch of statements, those that change rows come first, and give the rows the next revision. The last statement,
 * `raiseRevision`, raises the user's revision if any row was changed.
 */
import { sql } from "drizzle-orm";
import { deletions, lists, todos, trash, users } from "../database/schema.ts";
import { statement } from "../database/statement.ts";

/** The next revision of the row of `users`. */
export const nextRevision = sql`${users.revision} + 1`;

const hasNewer = (table: typeof todos | typeof trash | typeof lists | typeof deletions) =>
  sql`EXISTS (SELECT 1 FROM ${table} WHERE ${table.user_id} = ${users.id} AND ${table.rev} > ${users.revision})`;

/**
 * Revisions are counted in epochs, and `todos restore` begins a new one. So a revision that was given after the backup
 * was made is never given again, and the cursors of the former epoch can be told from the others.
 */
const EPOCH = 2 ** 32;

export const epochOf = (revision: number): number => Math.floor(revision / EPOCH);

/** An SQL statement for all users. `docs/operating.md` has it too, for a database on a server. */
export const BEGIN_EPOCH = `UPDATE users SET revision = (revision / ${EPOCH} + 1) * ${EPOCH}`;

/** Whether a row of the user has the next revision. A condition for a row of `users`. */
export const isChanged = sql`(
  ${hasNewer(todos)} OR ${hasNewer(trash)} OR ${hasNewer(lists)} OR ${hasNewer(deletions)}
)`;

/** Values: `user_id`, the id of the session's user. (`RETURNING` would make it three times as slow.) */
export const raiseRevision = statement(sql`
  UPDATE ${users} SET revision = revision + 1
  WHERE ${users.id} = ${sql.placeholder("user_id")} AND ${isChanged}`);
