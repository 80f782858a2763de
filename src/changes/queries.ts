/**
 * What has changed for a user since a place in the order of revisions. It is one statement, so all rows are from one
 * state of the database.
 */
import { sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import { deletions, lists, sessions, todos, trash, users } from "../database/schema.ts";
import { readAtPrimary, statement } from "../database/statement.ts";
import { list, listAsJson } from "../lists/row.ts";
import type { Services } from "../services.ts";
import { todoAsJson, toTodo } from "../todos/row.ts";
import { behind, type Cursor, refuseFormer } from "./cursor.ts";
import type { Change } from "./model.ts";

const value = (name: string) => sql.placeholder(name);

const user = sql`${value("user_id")}`;
/** Sorted by an index of each table, so that the query reads no more rows than the page needs. */
const isNext = (type: ReturnType<typeof sql>) => sql`
  rev >= ${value("rev")} AND (rev, ${type}, id) > (${value("rev")}, ${value("type")}, ${value("after")})`;
const inOrder = sql`ORDER BY rev, type, id LIMIT ${value("limit")}`;
/** A client that started with no rows does not need the earlier deletions. */
const isNews = sql`rev > ${value("began")}`;

/**
 * Bytes of text in the rows of a page, of which the last row may exceed it. 500 todos with the longest notes have forty
 * times as much, and to read them would hold up all other requests.
 */
const MAX_SIZE = 512 * 1024;

/** The parts of a result row. It is a change, a deletion if `row` is null, or no change at all if `rev` is null. */
interface ChangeRow {
  /** The user's revision. */
  revision: number;
  rev: number | null;
  type: "list" | "todo";
  id: number;
  row: string | null;
  /** The number of changes, whatever their size, up to the value `limit`. */
  found: number | null;
}

// The texts are read last, because the database would copy them each time that it sorts. There is none for what is
// deleted: no id is used twice, so it is in neither of the two tables.
const page = statement<ChangeRow>(sql`
  SELECT ${users.revision} AS revision, change.rev, change.type, change.id, change.found,
    CASE change.type
      WHEN 'todo' THEN (SELECT ${todoAsJson} FROM ${todos} WHERE ${todos.id} = change.id)
      WHEN 'list' THEN (SELECT ${listAsJson} FROM ${lists} WHERE ${lists.id} = change.id)
    END AS row
  FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  LEFT JOIN (
    SELECT *, count(*) OVER () AS found, sum(size) OVER (ORDER BY rev, type, id) - size AS size_before
    FROM (
      SELECT * FROM (
        SELECT rev, 'todo' AS type, id,
          octet_length(contents) + coalesce(octet_length(notes), 0) AS size
        FROM ${todos} WHERE user_id = ${user} AND ${isNext(sql`'todo'`)} ${inOrder}
      )
      UNION ALL
      SELECT * FROM (
        SELECT rev, 'list' AS type, id, 0 AS size FROM ${lists}
        WHERE user_id = ${user} AND ${isNext(sql`'list'`)} ${inOrder}
      )
      UNION ALL
      SELECT * FROM (
        SELECT rev, 'todo' AS type, id, 0 AS size FROM ${trash}
        WHERE user_id = ${user} AND ${isNext(sql`'todo'`)} AND ${isNews} ${inOrder}
      )
      UNION ALL
      SELECT * FROM (
        SELECT rev, type, id, 0 AS size FROM ${deletions}
        WHERE user_id = ${user} AND ${isNext(sql`type`)} AND ${isNews} ${inOrder}
      )
      ${inOrder}
    )
  ) AS change ON change.size_before < ${sql.raw(`${MAX_SIZE}`)}
  WHERE ${isLive()}
  ORDER BY change.rev, change.type, change.id`);

const askRevision = statement<{ revision: number }>(sql`
  SELECT ${users.revision} AS revision
  FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id} WHERE ${isLive()}`);

/** Both are read from the primary, because an event may report a change before a replica has it. */
export function changeQueries({ database, clock }: Services) {
  return {
    /**
     * The user's revision.
     * @throws Failure `unauthorized`
     */
    async revision(session: SessionRef): Promise<number> {
      const rows = await readAtPrimary(database, askRevision({ ...session, now: clock() }));
      return live(rows[0]).revision;
    },

    /**
     * The first changes after a cursor, the cursor after them, and whether there are more. A page of very long texts is
     * shorter than `limit`.
     * @throws Failure `unauthorized`, `cursor_expired`
     */
    async changes(session: SessionRef, since: Cursor | undefined, limit: number) {
      const values = {
        ...session,
        now: clock(),
        rev: since?.rev ?? 0,
        type: since?.type ?? "",
        after: since?.id ?? 0,
        // Without a cursor the client has no rows, so it needs no deletions.
        began: since?.began ?? Number.MAX_SAFE_INTEGER,
        // One row more than the limit shows whether there is another page.
        limit: limit + 1,
      };
      const rows = await readAtPrimary(database, page(values));
      const { revision } = live(rows[0]);
      if (since) refuseFormer(since, revision);
      const found = rows.filter((row) => row.rev !== null);
      const told = found.slice(0, limit);
      const last = told.at(-1);
      const has_more = Number(rows[0]?.found) > told.length;
      const began = since?.began ?? revision;
      // On the last page, the cursor also goes past the deletions that are not reported.
      const place = has_more && last ? { ...last, rev: Number(last.rev) } : behind(revision);
      const given = has_more && since ? since.given : values.now;
      const next: Cursor = { rev: place.rev, type: place.type, id: place.id, began, given };
      return { changes: told.map(toChange), next, has_more };
    },
  };
}

function toChange({ type, id, row }: ChangeRow): Change {
  if (row === null) return { type, id, deleted: true };
  const values: unknown[] = JSON.parse(row);
  return type === "todo" ? { type, ...toTodo(values) } : { type: "list", ...list.read(values) };
}
