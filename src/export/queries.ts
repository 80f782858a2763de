/** Reads all that is a user's, a page at a time: one round trip each, and the session must be live at each. */
import { asc, gt, sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import { columnsOf, nested } from "../database/columns.ts";
import { lists, todos, trash, users } from "../database/schema.ts";
import { list } from "../lists/row.ts";
import type { Services } from "../services.ts";
import { toTodo, visible } from "../todos/row.ts";
import { deletedVisible, toDeletedTodo } from "../todos/trash.queries.ts";
import type { ExportedTodo } from "./model.ts";

/** Todos in a page. Even when all have the longest notes, a page takes no more than a few megabytes. */
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
    /** @throws Failure `unauthorized`, as the other does */
    async owner(session: SessionRef) {
      const found = await first({ ...session, now: clock() });
      const values = live(found);
      // `as`: a relation comes behind the columns.
      const rows = values.at(-1) as Row[];
      return { user: user.read(values), lists: rows.map(list.read) };
    },

    /** The todos behind the id `after`, the deleted ones among them, in the order of their ids; none at the end. */
    async todos(session: SessionRef, after: number): Promise<ExportedTodo[]> {
      const found = await page({
        ...session,
        now: clock(),
        after,
      });
      const [kept, deleted] = live(found);
      // Of either kind there may be more, but none with an id below the last of a full page.
      return [...kept.map(toTodo), ...deleted.map(toDeletedTodo)]
        .sort((a, b) => a.id - b.id)
        .slice(0, PAGE);
    },
  };
}
