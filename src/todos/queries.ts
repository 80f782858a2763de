/** The statements behind `/todos`: one round trip each, and none that could touch another user's todo. */
import { and, asc, desc, eq, gt, lt, sql } from "drizzle-orm";
import { isLive, live, ownerOf, type SessionRef } from "../auth/live-session.ts";
import { columnsOf, readNested } from "../database/columns.ts";
import { sessions, todos } from "../database/schema.ts";
import type { Services } from "../services.ts";
import type { Order, TodoCreate, TodoUpdate } from "./model.ts";

export interface PageRequest {
  order: Order;
  is_done: boolean | undefined;
  /** How many todos at most. */
  limit: number;
  /** The id after which the page begins, in its order; without one, at the first. */
  after: number | undefined;
}

/** A todo as its owner sees it. */
const columns = {
  id: todos.id,
  contents: todos.contents,
  is_done: todos.is_done,
  created_at: todos.created_at,
  updated_at: todos.updated_at,
};
const todo = columnsOf(todos, ["id", "contents", "is_done", "created_at", "updated_at"]);
/** What `readNested` gives for a user with todos. */
type UserRow = [todos: unknown[][]];

export function todoQueries({ database: db, clock }: Services) {
  const prepareList = (order: Order, filtered: boolean) =>
    db.query.sessions
      .findFirst({
        where: isLive(),
        columns: {},
        with: {
          user: {
            columns: {},
            with: {
              todos: {
                columns: todo.included,
                where: and(
                  (order === "ASC" ? gt : lt)(todos.id, sql.placeholder("after")),
                  filtered ? eq(todos.is_done, sql.placeholder("is_done")) : undefined,
                ),
                orderBy: order === "ASC" ? asc(todos.id) : desc(todos.id),
                limit: sql.placeholder("limit"),
              },
            },
          },
        },
      })
      .prepare();

  const lists = {
    ASC: { all: prepareList("ASC", false), filtered: prepareList("ASC", true) },
    DESC: { all: prepareList("DESC", false), filtered: prepareList("DESC", true) },
  };

  const read = db.query.sessions
    .findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: {
            todos: { columns: todo.included, where: eq(todos.id, sql.placeholder("todo_id")) },
          },
        },
      },
    })
    .prepare();

  return {
    /** @throws Failure `unauthorized`, as all of these do when the session has ended */
    async list(session: SessionRef, { order, is_done, limit, after }: PageRequest) {
      const { all, filtered } = lists[order];
      const found = await readNested<UserRow>(is_done === undefined ? all : filtered, {
        ...session,
        now: clock(),
        limit,
        after: after ?? (order === "ASC" ? 0 : Number.MAX_SAFE_INTEGER),
        is_done: Number(is_done),
      });
      const [rows] = live(found);
      return rows.map(todo.read);
    },

    async read(session: SessionRef, todo_id: number) {
      const found = await readNested<UserRow>(read, { ...session, now: clock(), todo_id });
      const [[row]] = live(found);
      return row && todo.read(row);
    },

    async create(session: SessionRef, { contents, is_done = false }: TodoCreate) {
      const now = clock();
      const added = await db.all<{ id: number }>(sql`
        INSERT INTO ${todos} (user_id, contents, is_done, created_at, updated_at)
        SELECT user_id, ${contents}, ${Number(is_done)}, ${now}, ${now}
        FROM ${sessions} WHERE ${isLive({ ...session, now })}
        RETURNING id`);
      const moment = new Date(now).toISOString();
      return { ...live(added[0]), contents, is_done, created_at: moment, updated_at: moment };
    },

    async change(session: SessionRef, todo_id: number, change: TodoUpdate) {
      const now = clock();
      const owner = ownerOf(db, session, now);
      const [found, [todo]] = await db.batch([
        owner,
        db
          .update(todos)
          .set({ ...change, updated_at: new Date(now).toISOString() })
          .where(and(eq(todos.id, todo_id), eq(todos.user_id, owner)))
          .returning(columns),
      ]);
      live(found[0]);
      return todo;
    },

    /** Whether there was such a todo. */
    async remove(session: SessionRef, todo_id: number): Promise<boolean> {
      const owner = ownerOf(db, session, clock());
      const [found, removed] = await db.batch([
        owner,
        db
          .delete(todos)
          .where(and(eq(todos.id, todo_id), eq(todos.user_id, owner)))
          .returning({ id: todos.id }),
      ]);
      live(found[0]);
      return removed.length > 0;
    },
  };
}
