/**
 * A user's revision. Each request that changes something raises it by one, and every row that it changed carries it as
 * its `rev`. In a batch, first the statements that change rows give them the next revision, and then, last of all,
 * `raiseRevision` raises it when one of them did.
 */
import { sql } from "drizzle-orm";
import { deletions, lists, todos, trash, users } from "../database/schema.ts";
import { statement } from "../database/statement.ts";

/** The next revision of the row of `users`. */
export const nextRevision = sql`${users.revision} + 1`;

const hasNewer = (table: typeof todos | typeof trash | typeof lists | typeof deletions) =>
  sql`EXISTS (SELECT 1 FROM ${table} WHERE ${table.user_id} = ${users.id} AND ${table.rev} > ${users.revision})`;

/** A revision that was raised: no row when there was nothing to raise it for. */
export interface Raised {
  revision: number;
}

/** Values: `user_id`, of the user or of the request's session. */
export const raiseRevision = statement<Raised>(sql`
  UPDATE ${users} SET revision = revision + 1
  WHERE ${users.id} = ${sql.placeholder("user_id")}
    AND (${hasNewer(todos)} OR ${hasNewer(trash)} OR ${hasNewer(lists)} OR ${hasNewer(deletions)})
  RETURNING revision`);
