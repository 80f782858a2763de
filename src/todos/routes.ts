/** `/todos`: a user's todos, and nobody else's. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import type { SessionRef } from "../auth/live-session.ts";
import { bodyProblems, Failure, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { Created, idParameter, NoContent, toId } from "../model/values.ts";
import type { Services } from "../services.ts";
import { type Order, Todo, TodoCreate, TodoPage, TodoQuery, TodoUpdate } from "./model.ts";
import { todoQueries } from "./queries.ts";

const DEFAULT_LIMIT = 50;

export function todoRoutes(services: Services) {
  const queries = todoQueries(services);

  /** A cursor is good for the user, the order and the filter that it was made for. */
  const cursorContext = (session: SessionRef, order: Order, is_done: boolean | undefined) =>
    `todos ${session.user_id} ${order} ${is_done}`;

  async function openCursor(context: string, cursor: string): Promise<number> {
    const after = await services.seal.open(context, cursor);
    if (after !== undefined) return Number(after);
    throw new Failure("validation_failed", {
      errors: [{ parameter: "cursor", detail: "Not a cursor of this list." }],
    });
  }

  const todoId = idParameter(Todo.properties.id);

  return new Elysia({ prefix: "/todos", tags: ["Todos"] })
    .use(strict)
    .use(guard(services))
    .get(
      "",
      async ({ session, query, set }) => {
        const { order = "ASC", is_done, cursor } = query;
        const limit = Number(query.limit ?? DEFAULT_LIMIT);
        const context = cursorContext(session, order, is_done);
        const after = cursor === undefined ? undefined : await openCursor(context, cursor);
        // One more than asked for tells whether there is a next page.
        const found = await queries.list(session, { order, is_done, limit: limit + 1, after });
        const todos = found.slice(0, limit);
        const last = todos.at(-1);
        if (found.length <= limit || !last) return { todos, next_cursor: null };
        const next_cursor = await services.seal.close(context, String(last.id));
        const next = new URLSearchParams({ order, limit: String(limit), cursor: next_cursor });
        if (is_done !== undefined) next.set("is_done", String(is_done));
        set.headers.link = `</todos?${next}>; rel="next"`;
        return { todos, next_cursor };
      },
      {
        auth: true,
        query: TodoQuery,
        response: { 200: TodoPage, ...problems("validation_failed") },
        detail: {
          summary: "List your todos",
          description:
            "A page of them, by id. While there are more, `next_cursor` and the `Link` header lead on; " +
            "no page repeats or skips a todo that was there throughout.",
          operationId: "listTodos",
        },
      },
    )
    .post(
      "",
      async ({ session, body, set, status }) => {
        const todo = await queries.create(session, body);
        set.headers.location = `/todos/${todo.id}`;
        return status(201, todo);
      },
      {
        auth: true,
        parse: "strict",
        body: TodoCreate,
        response: {
          201: Created(Todo, "The todo was added.", "/todos/1"),
          ...problems(...bodyProblems, "validation_failed"),
        },
        detail: {
          summary: "Add a todo",
          description: "It is open, unless `is_done` says otherwise.",
          operationId: "createTodo",
        },
      },
    )
    .get(
      "/:id",
      async ({ session, params, fail }) =>
        (await queries.read(session, toId(params.id))) ?? fail("todo_not_found"),
      {
        auth: true,
        response: {
          200: Todo,
          ...problems("todo_not_found", "validation_failed"),
        },
        detail: { summary: "Read a todo", operationId: "getTodo", parameters: [todoId] },
      },
    )
    .patch(
      "/:id",
      async ({ session, params, body, fail }) =>
        (await queries.change(session, toId(params.id), body)) ?? fail("todo_not_found"),
      {
        auth: true,
        parse: "strict",
        body: TodoUpdate,
        response: {
          200: Todo,
          ...problems(...bodyProblems, "todo_not_found", "validation_failed"),
        },
        detail: {
          summary: "Change a todo",
          description: "Its contents, or whether it is done, or both; what is left out stays.",
          operationId: "updateTodo",
          parameters: [todoId],
        },
      },
    )
    .delete(
      "/:id",
      async ({ session, params, fail, status }) =>
        (await queries.remove(session, toId(params.id)))
          ? status(204, undefined)
          : fail("todo_not_found"),
      {
        auth: true,
        response: {
          204: NoContent,
          ...problems("todo_not_found", "validation_failed"),
        },
        detail: { summary: "Delete a todo", operationId: "deleteTodo", parameters: [todoId] },
      },
    );
}
