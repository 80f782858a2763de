/** The statements behind the trash: into it, out of it, and away for good. One round trip each. */
import { type SQL, sql } from "drizzle-orm";
import { askLive, isLive, live, owner, type SessionRef } from "../auth/live-session.ts";
import { readNested } from "../database/columns.ts";
import { lastPosition } from "../database/order.ts";
import { deletions, lists, todos, trash, users } from "../database/schema.ts";
import { runBatch, statement } from "../database/statement.ts";
import { toInstant } from "../instant.ts";
import type { Services } from "../services.ts";
import { nextRevision, raiseRevision } from "../sync/revision.ts";
import { toTodo, VISIBLE, visible, visibleOf } from "./row.ts";

/** Where a page begins: behind the todo with this id that was deleted then (milliseconds). */
export interface Mark {
  deleted_at: number;
  id: number;
}

/** What a todo keeps on its way into the trash and back. */
const KEPT = sql.raw(
  "id, user_id, contents, contents_folded, notes, notes_folded, is_done, done_at, priority, " +
    "due_date, due_time, due_zone, due_at, due_day, repeat, created_at",
);

const nextRevisionOf = (table: typeof todos | typeof trash) =>
  sql`(SELECT ${nextRevision} FROM ${users} WHERE ${users.id} = ${table.user_id})`;

const isOwn = sql`id = ${sql.placeholder("todo_id")} AND user_id = ${owner}`;

/** Puts what fits `which` into the trash; deleting it from `todos` comes after that. */
export const discardWhere = (which: SQL, listId = sql`list_id`) =>
  statement(sql`
    INSERT INTO ${trash} (${KEPT}, list_id, position, updated_at, rev, deleted_at)
    SELECT ${KEPT}, ${listId}, position, updated_at, ${nextRevisionOf(todos)}, ${sql.placeholder("now")}
    FROM ${todos} WHERE ${which}`);

const discard = discardWhere(isOwn);
const takeFromTodos = statement<{ id: number }>(
  sql`DELETE FROM ${todos} WHERE ${isOwn} RETURNING id`,
);

const ownList = sql`(
  SELECT ${lists.id} FROM ${lists}
  WHERE ${lists.id} = ${trash.list_id} AND ${lists.user_id} = ${trash.user_id}
)`;
const restore = statement<{ id: number }>(sql`
  INSERT INTO ${todos} (${KEPT}, list_id, position, updated_at, rev)
  SELECT ${KEPT}, ${ownList},
    ${lastPosition(todos, sql`${todos.user_id} = ${trash.user_id} AND ${todos.list_id} IS ${ownList}`)},
    ${sql.placeholder("now")}, ${nextRevisionOf(trash)}
  FROM ${trash} WHERE ${isOwn}
  RETURNING ${visibleOf(todos)}`);
const takeFromTrash = statement<{ id: number }>(
  sql`DELETE FROM ${trash} WHERE ${isOwn} RETURNING id`,
);

const noteDeletion = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT user_id, ${nextRevisionOf(trash)}, 'todo', id, ${sql.placeholder("now")}
  FROM ${trash} WHERE ${isOwn}`);

const noteAllDeletions = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT user_id, ${nextRevisionOf(trash)}, 'todo', id, ${sql.placeholder("now")}
  FROM ${trash} WHERE user_id = ${owner}`);
const empty = statement(sql`DELETE FROM ${trash} WHERE user_id = ${owner}`);

export function trashQueries({ database: db, clock }: Services) {
  const page = db.query.sessions
    .findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: {
            trash: {
              columns: { ...visible, deleted_at: true },
              where: sql`(${trash.deleted_at}, ${trash.id}) < (${sql.placeholder("deleted_at")}, ${sql.placeholder("id_before")})`,
              orderBy: (todo, { desc }) => [desc(todo.deleted_at), desc(todo.id)],
              limit: sql.placeholder("limit"),
            },
          },
        },
      },
    })
    .prepare();

  return {
    /**
     * At most `limit` todos behind `mark`, and where the next page begins, if there is one.
     * @throws Failure `unauthorized`, as all of these do when the session has ended
     */
    async list(session: SessionRef, limit: number, mark: Mark | undefined) {
      const found = await readNested<[trash: unknown[][]]>(page, {
        ...session,
        now: clock(),
        deleted_at: mark?.deleted_at ?? Number.MAX_SAFE_INTEGER,
        id_before: mark?.id ?? 0,
        // One more than asked for tells whether there is a next page.
        limit: limit + 1,
      });
      const [rows] = live(found);
      const todos = rows.slice(0, limit).map(toDeletedTodo);
      const last = todos.at(-1);
      const next = rows.length > limit && last && toMark(last);
      return { todos, next };
    },

    /** Puts a todo into the trash: whether there was such a todo. */
    async discard(session: SessionRef, todo_id: number): Promise<boolean> {
      const values = { ...session, todo_id, now: clock() };
      const [[asker], , [taken]] = await runBatch(db, [
        askLive(values),
        discard(values),
        takeFromTodos(values),
        raiseRevision(values),
      ]);
      live(asker);
      return taken !== undefined;
    },

    /** The todo, out of the trash again: undefined when it is not in there. */
    async restore(session: SessionRef, todo_id: number) {
      const values = { ...session, todo_id, now: clock() };
      const [[asker], [restored]] = await runBatch(db, [
        askLive(values),
        restore(values),
        takeFromTrash(values),
        raiseRevision(values),
      ]);
      live(asker);
      return restored && toTodo(restored);
    },

    /** Deletes a todo in the trash for good: whether it was in there. */
    async purge(session: SessionRef, todo_id: number): Promise<boolean> {
      const values = { ...session, todo_id, now: clock() };
      const [[asker], , [taken]] = await runBatch(db, [
        askLive(values),
        noteDeletion(values),
        takeFromTrash(values),
        raiseRevision(values),
      ]);
      live(asker);
      return taken !== undefined;
    },

    async empty(session: SessionRef): Promise<void> {
      const values = { ...session, now: clock() };
      const [[asker]] = await runBatch(db, [
        askLive(values),
        noteAllDeletions(values),
        empty(values),
        raiseRevision(values),
      ]);
      live(asker);
    },
  };
}

/** @param values the columns of a todo and `deleted_at` */
const toDeletedTodo = (values: unknown[]) => ({
  ...toTodo(values),
  deleted_at: toInstant(Number(values[VISIBLE])),
});

const toMark = ({ deleted_at, id }: { deleted_at: string; id: number }): Mark => ({
  deleted_at: Date.parse(deleted_at),
  id,
});
