/** Reading a todo and adding one. Each is one round trip, and neither can reach another user's todo. */
import { eq, sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import { nested } from "../database/columns.ts";
import { lastPosition } from "../database/order.ts";
import { lists, sessions, todos, users } from "../database/schema.ts";
import { statement } from "../database/statement.ts";
import { Failure } from "../http/problem.ts";
import type { Services } from "../services.ts";
import { type Asker, type Operation, operation, outcomeOf } from "../sync/operation.ts";
import { nextRevision } from "../sync/revision.ts";
import { isNew } from "../sync/writer.ts";
import { checkCreate, columnValues } from "./fields.ts";
import { isFull, limitsOf } from "./limits.ts";
import type { Todo, TodoCreate } from "./model.ts";
import { toTodo, visible, visibleIn } from "./row.ts";

/** The list with the id `list_id` belongs to the user, or it is the inbox. A condition for a row of `users`. */
export const isOwnList = sql`(
  ${sql.placeholder("list_id")} IS NULL
  OR EXISTS (
    SELECT 1 FROM ${lists}
    WHERE ${lists.id} = ${sql.placeholder("list_id")} AND ${lists.user_id} = ${users.id}
  )
)`;

const create = statement(sql`
  INSERT INTO ${todos} (
    user_id, list_id, position, rev, contents, contents_folded, notes, notes_folded, is_done, done_at, priority,
    due_date, due_time, due_zone, due_at, due_day, repeat, created_at, updated_at
  )
  SELECT ${users.id}, ${sql.placeholder("list_id")},
    ${lastPosition(todos, sql`user_id = ${users.id} AND list_id IS ${sql.placeholder("list_id")}`)},
    ${nextRevision},
    ${sql.placeholder("contents")}, ${sql.placeholder("contents_folded")},
    ${sql.placeholder("notes")}, ${sql.placeholder("notes_folded")},
    ${sql.placeholder("is_done")}, iif(${sql.placeholder("is_done")}, ${sql.placeholder("now")}, NULL),
    ${sql.placeholder("priority")},
    ${sql.placeholder("due_date")}, ${sql.placeholder("due_time")}, ${sql.placeholder("due_zone")},
    ${sql.placeholder("due_at")}, ${sql.placeholder("due_day")}, ${sql.placeholder("repeat")},
    ${sql.placeholder("now")}, ${sql.placeholder("now")}
  FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  WHERE ${isLive()} AND ${isNew} AND ${isOwnList} AND NOT ${isFull}`);

/** The new todo, or the reason why there is none. */
const outcome = outcomeOf<{ id: number | null; has_list: number }>({
  columns: { ...visibleIn(todos), has_list: isOwnList },
  joins: sql`LEFT JOIN ${todos} ON ${todos.user_id} = ${users.id} AND ${todos.rev} = ${nextRevision}`,
  succeeded: sql`${todos.id} IS NOT NULL`,
  todo_id: sql`${todos.id}`,
});

/** The values of a new todo, unless the request has others. */
const DEFAULTS = { notes: null, is_done: false, priority: 0, due: null, repeat: null };

export function todoQueries({ database: db, clock, config }: Services) {
  const read = nested<[todos: unknown[][]]>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: { todos: { columns: visible, where: eq(todos.id, sql.placeholder("todo_id")) } },
        },
      },
    }),
  );

  return {
    /** @throws Failure `unauthorized`, like all functions here, when the session has ended */
    async read(session: SessionRef, todo_id: number) {
      const found = await read({
        ...session,
        now: clock(),
        todo_id,
      });
      const [[row]] = live(found);
      return row && toTodo(row);
    },

    /**
     * Adds a todo.
     * @throws Failure `validation_failed`. When it runs, also `list_not_found`, `limit_reached`
     */
    create(asker: Asker, body: TodoCreate): Operation<Todo> {
      checkCreate(body);
      const { list_id = null, ...fields } = body;
      const columns = columnValues({ ...DEFAULTS, ...fields });
      const values = { ...asker, ...columns, ...limitsOf(config), list_id };
      return operation(values, [create], outcome, (row) => {
        if (row.id !== null) return toTodo(row);
        throw new Failure(row.has_list ? "limit_reached" : "list_not_found");
      });
    },
  };
}
