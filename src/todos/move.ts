/** Moving a todo within its list or into another. */
import { sql } from "drizzle-orm";
import { isLive } from "../auth/live-session.ts";
import { moveTo, type Place, placeOf } from "../database/order.ts";
import { sessions, todos, users } from "../database/schema.ts";
import { Failure, unfit } from "../http/problem.ts";
import { type Asker, type Operation, operation, outcomeOf } from "../sync/operation.ts";
import { type IfMatch, matches, preconditionFailed } from "../sync/preconditions.ts";
import { nextRevision } from "../sync/revision.ts";
import { isNew } from "../sync/writer.ts";
import type { Todo, TodoMove } from "./model.ts";
import { isOwnList } from "./queries.ts";
import { toTodo, visibleIn } from "./row.ts";

/** The new list of the todo; `stays` is the value for its own list. */
const target = sql`iif(${sql.placeholder("stays")}, ${todos.list_id}, ${sql.placeholder("list_id")})`;

const theTodo = sql`${sessions} JOIN ${users} ON ${users.id} = ${sessions.user_id}
  JOIN ${todos} ON ${todos.user_id} = ${users.id} AND ${todos.id} = ${sql.placeholder("todo_id")}`;

const prepare = (place: Place) =>
  moveTo(place, {
    table: todos,
    moved: sql`
      SELECT ${todos.id}, ${todos.user_id}, ${todos.position}, ${target} AS list_id,
        ${todos.list_id} IS ${target} AS stays, ${nextRevision} AS rev
      FROM ${theTodo} WHERE ${isLive()} AND ${isNew} AND ${isOwnList} AND ${matches(todos.rev)}`,
    isInList: sql`each.user_id = moved.user_id AND each.list_id IS moved.list_id`,
    set: sql`list_id = target.list_id, updated_at = ${sql.placeholder("now")}`,
  });

const moves = { first: prepare("first"), last: prepare("last"), after: prepare("after") };

/** The todo after the move, or unchanged, with the reasons why it could not be moved. */
interface State {
  /** Null when there is no such todo. */
  id: number | null;
  is_moved: number;
  has_list: number;
  matches: number;
  has_after: number;
}

const isMoved = sql`${todos.rev} = ${nextRevision}`;
const hasAfter = sql`(${sql.placeholder("after")} IS NULL OR EXISTS (
  SELECT 1 FROM ${todos} AS each
  WHERE each.id = ${sql.placeholder("after")} AND each.id <> ${todos.id}
    AND each.user_id = ${todos.user_id} AND each.list_id IS ${target}
))`;
const outcome = outcomeOf<State>({
  columns: {
    ...visibleIn(todos),
    is_moved: isMoved,
    has_list: isOwnList,
    matches: matches(todos.rev),
    has_after: hasAfter,
  },
  joins: sql`LEFT JOIN ${todos}
    ON ${todos.user_id} = ${users.id} AND ${todos.id} = ${sql.placeholder("todo_id")}`,
  succeeded: sql`${todos.id} IS NOT NULL
    AND (${isMoved} OR (${isOwnList} AND ${matches(todos.rev)} AND ${hasAfter}))`,
  todo_id: sql`${todos.id}`,
});

/**
 * Moves a todo. When it runs, it throws Failure `todo_not_found`, `list_not_found`, `precondition_failed`,
 * `validation_failed`.
 */
export function moveTodo(
  asker: Asker,
  todo_id: number,
  { list_id, after }: TodoMove,
  if_match: IfMatch,
): Operation<Todo> {
  const { renumber, move } = moves[placeOf(after)];
  const values = {
    ...asker,
    todo_id,
    stays: list_id === undefined,
    list_id: list_id ?? null,
    after: after ?? null,
    if_match,
  };
  return operation(values, [renumber, move], outcome, (found) => {
    if (found.id === null) throw new Failure("todo_not_found");
    const todo = toTodo(found);
    if (found.is_moved) return todo;
    if (!found.has_list) throw new Failure("list_not_found");
    if (!found.matches) throw preconditionFailed(todo);
    if (!found.has_after) throw unfit("/after", "The id of another todo of that list, or null.");
    return todo;
  });
}
