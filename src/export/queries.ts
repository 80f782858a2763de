/**
 * Reads everything that a user has, one page at a time. Each page is one round trip, and the session must be live for
 * each.
 */
import { asc, gt, sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import { columnsOf, nested } from "../database/columns.ts";
import { lists, todos, trash, users } from "../database/schema.ts";
import { list } from "../lists/row.ts";
import type { Services } from "../services.ts";
import { toTodo, visible } from "../todos/row.ts";
import { deletedVisible, toDeletedTodo } from "../todos/trash.queries.ts";
import type { ExportedTodo } from "./model.ts";

/** Todos in a page. Even if all of them have the longest notes, a page is only a few megabytes. */
const PAGE = 100;

const user = columnsOf(users, ["id", "username", "email", "created_at"]);

type Row = unknown[];

export function exportQueries({ database: db, clock }: Services) {
  const first = nested<[...Row, lists: Row[]]>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: user.included,
          with: { lists: { columns: list.included, orderBy: asc(lists.id) } },
        },
      },
    }),
  );

  const after = sql.placeholder("after");
  const page = nested<[todos: Row[], trash: Row[]]>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: {
            todos: {
              columns: visible,
              where: gt(todos.id, after),
              orderBy: asc(todos.id),
              limit: PAGE,
            },
            trash: {
              columns: deletedVisible,
              where: gt(trash.id, after),
              orderBy: asc(trash.id),
              limit: PAGE,
            },
          },
        },
      },
    }),
  );

  return {
    /** @throws Failure `unauthorized`, as the function below does */
    async owner(session: SessionRef) {
      const found = await first({ ...session, now: clock() });
      const values = live(found);
      // `as`: a relation comes after the columns.
      const rows = values.at(-1) as Row[];
      return { user: user.read(values), lists: rows.map(list.read) };
    },

    /** The todos after the id `after`, including the deleted ones, in the order of their ids. Empty at the end. */
    async todos(session: SessionRef, after: number): Promise<ExportedTodo[]> {
      const found = await page({
        ...session,
        now: clock(),
        after,
      });
      const [kept, deleted] = live(found);
      // There may be more todos of both kinds, but none of them has an id below the last one of a full page.
      return [...kept.map(toTodo), ...deleted.map(toDeletedTodo)]
        .sort((a, b) => a.id - b.id)
        .slice(0, PAGE);
    },
  };
}
