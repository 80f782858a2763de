/** The statements behind the trash: delete, restore, and delete for good. Each operation is one round trip. */
import { type SQL, sql } from "drizzle-orm";
import { isLive, live, owner, type SessionRef } from "../auth/live-session.ts";
import { nested } from "../database/columns.ts";
import { lastPosition } from "../database/order.ts";
import { deletions, lists, todos, trash, users } from "../database/schema.ts";
import { statement } from "../database/statement.ts";
import { Failure } from "../http/problem.ts";
import { toInstant } from "../instant.ts";
import type { Services } from "../services.ts";
import { type KnownRevisions, limitUnlessKnown } from "../sync/etag.ts";
import { forgetAnswersAbout } from "../sync/idempotency.ts";
import { type Asker, type Operation, operation, outcomeOf } from "../sync/operation.ts";
import { type IfMatch, matches, preconditionFailed } from "../sync/preconditions.ts";
import { nextRevision } from "../sync/revision.ts";
import { writer } from "../sync/writer.ts";
import type { Todo } from "./model.ts";
import { pageOf, toTodo, VISIBLE, visible, visibleIn, visibleOf } from "./row.ts";

/** The place where a page begins: after the todo with this id that was deleted at this time (milliseconds). */
export interface TrashMark {
  deleted_at: number;
  id: number;
}

/** The columns that a todo keeps on its way into the trash and back. */
const KEPT = sql.raw(
  "id, user_id, contents, contents_folded, notes, notes_folded, is_done, done_at, priority, " +
    "due_date, due_time, due_zone, due_at, due_day, repeat, created_at",
);

const nextRevisionOf = (table: typeof todos | typeof trash) =>
  sql`(SELECT ${nextRevision} FROM ${users} WHERE ${users.id} = ${table.user_id})`;

const isOwn = sql`id = ${sql.placeholder("todo_id")} AND user_id = ${writer}`;

/** Copies the todos that match `which` into the trash. After that, they are deleted from `todos`. */
export const discardWhere = (which: SQL, listId = sql`list_id`) =>
  statement(sql`
    INSERT INTO ${trash} (${KEPT}, list_id, position, updated_at, rev, deleted_at)
    SELECT ${KEPT}, ${listId}, position, updated_at, ${nextRevisionOf(todos)}, ${sql.placeholder("now")}
    FROM ${todos} WHERE ${which}`);

const discard = discardWhere(sql`${isOwn} AND ${matches(sql`rev`)}`);
const takeDiscarded = statement(sql`
  DELETE FROM ${todos}
  WHERE ${isOwn} AND EXISTS (SELECT 1 FROM ${trash} WHERE ${trash.id} = ${todos.id})`);

/** The todo if it is still in `todos`, and whether this request has moved it to the trash. */
const discarded = outcomeOf<{ id: number | null; is_discarded: number }>({
  columns: {
    ...visibleIn(todos),
    is_discarded: sql`EXISTS (
      SELECT 1 FROM ${trash}
      WHERE ${trash.id} = ${sql.placeholder("todo_id")} AND ${trash.user_id} = ${users.id}
        AND ${trash.rev} = ${nextRevision}
    )`,
  },
  joins: sql`LEFT JOIN ${todos}
    ON ${todos.id} = ${sql.placeholder("todo_id")} AND ${todos.user_id} = ${users.id}`,
  todo_id: sql`${todos.id}`,
});

const ownList = sql`(
  SELECT ${lists.id} FROM ${lists}
  WHERE ${lists.id} = ${trash.list_id} AND ${lists.user_id} = ${trash.user_id}
)`;
const restore = statement(sql`
  INSERT INTO ${todos} (${KEPT}, list_id, position, updated_at, rev)
  SELECT ${KEPT}, ${ownList},
    ${lastPosition(todos, sql`${todos.user_id} = ${trash.user_id} AND ${todos.list_id} IS ${ownList}`)},
    ${sql.placeholder("now")}, ${nextRevisionOf(trash)}
  FROM ${trash} WHERE ${isOwn} AND ${matches(trash.rev)}`);
const takeRestored = statement(sql`
  DELETE FROM ${trash}
  WHERE ${isOwn} AND EXISTS (SELECT 1 FROM ${todos} WHERE ${todos.id} = ${trash.id})`);

/** The todo as it was restored, or as it is in the trash if it is still there. */
const found = Object.fromEntries(
  [...Object.keys(visible), "deleted_at"].map((name) => [name, sql`found.${sql.identifier(name)}`]),
);
const restored = outcomeOf<{ id: number | null; deleted_at: number | null }>({
  columns: found,
  joins: sql`LEFT JOIN (
    SELECT ${visibleOf(trash)}, ${trash.deleted_at}, ${trash.user_id} FROM ${trash}
    WHERE id = ${sql.placeholder("todo_id")}
    UNION ALL
    SELECT ${visibleOf(todos)}, NULL, ${todos.user_id} FROM ${todos}
    WHERE id = ${sql.placeholder("todo_id")} AND rev = ${nextRevisionOf(todos)}
  ) AS found ON found.user_id = ${users.id}`,
  succeeded: sql`found.id IS NOT NULL AND found.deleted_at IS NULL`,
  todo_id: sql`found.id`,
});

const noteDeletion = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT user_id, ${nextRevisionOf(trash)}, 'todo', id, ${sql.placeholder("now")}
  FROM ${trash} WHERE ${isOwn} AND ${matches(trash.rev)}`);
const isNoted = sql`EXISTS (
  SELECT 1 FROM ${deletions}
  WHERE ${deletions.user_id} = ${users.id} AND ${deletions.rev} = ${nextRevision}
    AND ${deletions.type} = 'todo' AND ${deletions.id} = ${sql.placeholder("todo_id")}
)`;
const takePurged = statement(sql`
  DELETE FROM ${trash}
  WHERE ${isOwn} AND EXISTS (SELECT 1 FROM ${users} WHERE ${users.id} = ${trash.user_id} AND ${isNoted})`);

/** The todo if it is still in the trash, and whether this request has deleted it. */
const purged = outcomeOf<{ id: number | null; is_purged: number }>({
  columns: { ...visibleIn(trash), deleted_at: sql`${trash.deleted_at}`, is_purged: isNoted },
  joins: sql`LEFT JOIN ${trash}
    ON ${trash.id} = ${sql.placeholder("todo_id")} AND ${trash.user_id} = ${users.id}`,
});

const forgetPurged = forgetAnswersAbout(sql`todo_id IN (
  SELECT ${trash.id} FROM ${trash} JOIN ${users} ON ${users.id} = ${trash.user_id}
  WHERE ${trash.id} = ${sql.placeholder("todo_id")} AND ${isNoted}
)`);
const forgetAll = forgetAnswersAbout(
  sql`todo_id IN (SELECT id FROM ${trash} WHERE user_id = ${owner})`,
);

const noteAllDeletions = statement(sql`
  INSERT INTO ${deletions} (user_id, rev, type, id, created_at)
  SELECT user_id, ${nextRevisionOf(trash)}, 'todo', id, ${sql.placeholder("now")}
  FROM ${trash} WHERE user_id = ${owner}`);
const takeAll = statement(sql`DELETE FROM ${trash} WHERE user_id = ${owner}`);
const emptied = outcomeOf<unknown>({ columns: { id: sql`${users.id}` } });

/** What `nested` returns for a user with a trash. */
type UserRow = [revision: number, trash: unknown[][]];

export function trashQueries({ database: db, clock }: Services) {
  const page = nested<UserRow>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: { revision: true },
          with: {
            trash: {
              columns: deletedVisible,
              where: sql`(${trash.deleted_at}, ${trash.id}) < (${sql.placeholder("deleted_at")}, ${sql.placeholder("id_before")})`,
              orderBy: (todo, { desc }) => [desc(todo.deleted_at), desc(todo.id)],
              limit: limitUnlessKnown,
            },
          },
        },
      },
    }),
  );

  return {
    /**
     * At most `limit` todos after `mark`, or fewer if they are long; the place where the next page begins, if there is
     * one; and the user's revision. No todos when the client already has this revision (`known`).
     * @throws Failure `unauthorized`
     */
    async list(
      session: SessionRef,
      limit: number,
      mark: TrashMark | undefined,
      known: KnownRevisions,
    ) {
      const found = await page({
        ...session,
        now: clock(),
        deleted_at: mark?.deleted_at ?? Number.MAX_SAFE_INTEGER,
        id_before: mark?.id ?? 0,
        ...known,
        // One row more than the limit shows whether there is another page.
        limit: limit + 1,
      });
      const [revision, rows] = live(found);
      const todos = pageOf(rows.slice(0, limit).map(toDeletedTodo));
      const last = todos.at(-1);
      const next = rows.length > todos.length && last && toMark(last);
      return { todos, next, revision };
    },

    /** Moves a todo to the trash. When it runs, it throws Failure `todo_not_found`, `precondition_failed`. */
    discard(asker: Asker, todo_id: number, if_match: IfMatch): Operation<void> {
      const values = { ...asker, todo_id, if_match };
      return operation(values, [discard, takeDiscarded], discarded, (found) => {
        if (found.is_discarded) return;
        throw found.id === null ? new Failure("todo_not_found") : preconditionFailed(toTodo(found));
      });
    },

    /** Restores a todo from the trash. When it runs, it throws Failure `todo_not_found`, `precondition_failed`. */
    restore(asker: Asker, todo_id: number, if_match: IfMatch): Operation<Todo> {
      const values = { ...asker, todo_id, if_match };
      return operation(values, [restore, takeRestored], restored, (found) => {
        if (found.id === null) throw new Failure("todo_not_found");
        if (found.deleted_at !== null) throw preconditionFailed(toDeletedTodo(found));
        return toTodo(found);
      });
    },

    /**
     * Deletes a todo in the trash for good. When it runs, it throws Failure `todo_not_found`, `precondition_failed`.
     */
    purge(asker: Asker, todo_id: number, if_match: IfMatch): Operation<void> {
      const values = { ...asker, todo_id, if_match };
      return operation(values, [noteDeletion, forgetPurged, takePurged], purged, (found) => {
        if (found.is_purged) return;
        if (found.id === null) throw new Failure("todo_not_found");
        throw preconditionFailed(toDeletedTodo(found));
      });
    },

    /** Deletes everything in the trash for good. */
    empty(asker: Asker): Operation<void> {
      // A copy, because the type of an interface does not fit.
      return operation({ ...asker }, [noteAllDeletions, forgetAll, takeAll], emptied, () => {});
    },
  };
}

/** The columns of a todo in the trash, for relational queries. */
export const deletedVisible = { ...visible, deleted_at: true } as const;

/** @param values these columns, as SQLite returns them */
export const toDeletedTodo = (values: ArrayLike<unknown>) => ({
  ...toTodo(values),
  deleted_at: toInstant(Number(values[VISIBLE])),
});

const toMark = ({ deleted_at, id }: { deleted_at: string; id: number }): TrashMark => ({
  deleted_at: Date.parse(deleted_at),
  id,
});
