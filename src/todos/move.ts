/** Moving a todo within its list or into another. */
import { sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import { moveTo, type Place, placeOf } from "../database/order.ts";
import { sessions, todos, users } from "../database/schema.ts";
import { runBatch, statement } from "../database/statement.ts";
import { Failure, unfit } from "../http/problem.ts";
import type { Services } from "../services.ts";
import { nextRevision, raiseRevision } from "../sync/revision.ts";
import type { Todo, TodoMove } from "./model.ts";
import { isOwnList } from "./queries.ts";
import { toTodo, visibleOf } from "./row.ts";

/** The list that the todo goes to; `stays` is the value for its own. */
const target = sql`iif(${sql.placeholder("stays")}, ${todos.list_id}, ${sql.placeholder("list_id")})`;

const theTodo = sql`${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  JOIN ${todos} ON ${todos.user_id} = ${users.id} AND ${todos.id} = ${sql.placeholder("todo_id")}`;

const prepare = (place: Place) =>
  moveTo<{ id: number }>(place, {
    table: todos,
    moved: sql`
      SELECT ${todos.id}, ${todos.user_id}, ${todos.position}, ${target} AS list_id,
        ${todos.list_id} IS ${target} AS stays, ${nextRevision} AS rev
      FROM ${theTodo} WHERE ${isLive()} AND ${isOwnList}`,
    isInList: sql`each.user_id = moved.user_id AND each.list_id IS moved.list_id`,
    set: sql`list_id = target.list_id, updated_at = ${sql.placeholder("now")}`,
    returning: visibleOf(todos),
  });

const moves = { first: prepare("first"), last: prepare("last"), after: prepare("after") };

interface State {
  id: number | null;
  has_list: number;
  has_after: number;
}

/** The todo before the move, without an id when there is none, and whether there is where it is to go. */
const state = statement<State>(sql`
  SELECT ${visibleOf(todos)}, ${isOwnList} AS has_list,
    ${sql.placeholder("after")} IS NULL OR EXISTS (
      SELECT 1 FROM ${todos} AS each
      WHERE each.id = ${sql.placeholder("after")} AND each.id <> ${todos.id}
        AND each.user_id = ${todos.user_id} AND each.list_id IS ${target}
    ) AS has_after
  FROM ${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  LEFT JOIN ${todos} ON ${todos.user_id} = ${users.id} AND ${todos.id} = ${sql.placeholder("todo_id")}
  WHERE ${isLive()}`);

export function todoMoves({ database: db, clock }: Services) {
  return {
    /**
     * Undefined when there is no such todo.
     * @throws Failure `unauthorized`, `list_not_found`, `validation_failed`
     */
    async move(
      session: SessionRef,
      todo_id: number,
      { list_id, after }: TodoMove,
    ): Promise<Todo | undefined> {
      const { renumber, move } = moves[placeOf(after)];
      const values = {
        ...session,
        todo_id,
        stays: list_id === undefined,
        list_id: list_id ?? null,
        after: after ?? null,
        now: clock(),
      };
      const [[before], , [moved]] = await runBatch(db, [
        state(values),
        renumber(values),
        move(values),
        raiseRevision(values),
      ]);
      const found = live(before);
      if (found.id === null) return undefined;
      if (!found.has_list) throw new Failure("list_not_found");
      if (!found.has_after) throw unfit("/after", "The id of another todo of that list, or null.");
      return toTodo(moved ?? found);
    },
  };
}
