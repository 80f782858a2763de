/** `/todos`: a user's todos, and nobody else's. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import type { SessionRef } from "../auth/live-session.ts";
import { bodyProblems, problems, unfitParameter } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { Created, idParameter, NoContent, toId } from "../model/values.ts";
import type { Services } from "../services.ts";
import {
  idempotencyKey,
  ifMatch,
  ifNoneMatch,
  notModified,
  Replayable,
  Tagged,
  takesHeaders,
} from "../sync/documentation.ts";
import { isPageKnown, isRowKnown, knownRevisions, unchanged } from "../sync/etag.ts";
import { once } from "../sync/idempotency.ts";
import { runOperation } from "../sync/operation.ts";
import { changedMeanwhile, ifMatchOf } from "../sync/preconditions.ts";
import { todoChanges } from "./change.ts";
import { type Mark, todoLists, type View } from "./list.ts";
import {
  ChangedTodo,
  DEFAULT_LIMIT,
  Todo,
  TodoCreate,
  TodoMove,
  TodoPage,
  TodoQuery,
  TodoUpdate,
} from "./model.ts";
import { moveTodo } from "./move.ts";
import { createPages } from "./pages.ts";
import { todoQueries } from "./queries.ts";
import { trashQueries } from "./trash.queries.ts";

/** Examples. */
const STRONG_TAG = '"7"';
const WEAK_TAG = 'W/"1.7"';

export function todoRoutes(services: Services) {
  const { list } = todoLists(services);
  const { read, create } = todoQueries(services);
  const { change } = todoChanges(services);
  const { discard } = trashQueries(services);
  const pages = createPages();

  /** A cursor is valid for the user and the view that it was made for. */
  const cursorContext = (session: SessionRef, view: URLSearchParams) =>
    `todos ${session.user_id} ${view}`;

  function openCursor(context: string, cursor: string): Mark {
    const [key, id] = services.seal.open(context, cursor)?.split("_") ?? [];
    if (key !== undefined && id !== undefined) return { key, id: Number(id) };
    throw unfitParameter("cursor", "Not a cursor of this list.");
  }

  const closeCursor = (context: string, { key, id }: Mark) =>
    services.seal.close(context, `${key}_${id}`);

  const todoId = idParameter(Todo.properties.id);

  return new Elysia({ prefix: "/todos", tags: ["Todos"] })
    .use(strict)
    .use(guard(services))
    .get(
      "",
      async ({ session, request, query, set }) => {
        const { limit: asked, cursor, ...filters } = query;
        const limit = Number(asked ?? DEFAULT_LIMIT);
        const view: View = { sort: "id", order: "ASC", ...filters };
        const parameters = parametersOf(view);
        const context = cursorContext(session, parameters);
        const mark = cursor === undefined ? undefined : openCursor(context, cursor);
        const key = `${limit} ${cursor} ${context}`;
        const kept = pages.get(key);
        const known = knownRevisions(request, session, kept?.revision);
        const { todos, next, revision } = await list(session, view, limit, mark, known);
        if (isPageKnown({ request, set }, session, revision)) return unchanged();
        let page = kept?.page;
        if (page === undefined || kept?.revision !== revision) {
          page = { todos, next_cursor: next ? closeCursor(context, next) : null };
          pages.set(key, page, revision);
        }
        if (page.next_cursor === null) return page;
        parameters.set("limit", String(limit));
        parameters.set("cursor", page.next_cursor);
        set.headers.link = `</todos?${parameters}>; rel="next"`;
        return page;
      },
      {
        auth: true,
        query: TodoQuery,
        response: {
          200: Tagged(TodoPage, WEAK_TAG),
          ...notModified,
          ...problems("list_not_found", "validation_failed"),
        },
        detail: {
          summary: "List your todos",
          description:
            "A page of them: all, or those that fit every parameter. While there are more, `next_cursor` and the " +
            "`Link` header lead on; no page repeats or skips a todo that was there throughout and kept its place. A page " +
            "of long texts has fewer todos than `limit`.",
          operationId: "listTodos",
          ...takesHeaders(ifNoneMatch(WEAK_TAG)),
        },
      },
    )
    .post(
      "",
      async ({ session, request, body, set, status }) => {
        const context = { session, request, set };
        const todo = await once(services, context, "todo_not_found", (asker) =>
          create(asker, body),
        );
        set.headers.location = `/todos/${todo.id}`;
        return status(201, todo);
      },
      {
        auth: true,
        parse: "strict",
        body: TodoCreate,
        response: {
          201: Replayable(Created(Todo, "The todo was added.", "/todos/1")),
          ...problems(
            ...bodyProblems,
            "limit_reached",
            "list_not_found",
            "todo_not_found",
            "validation_failed",
            "idempotency_key_reused",
          ),
        },
        detail: {
          summary: "Add a todo",
          description:
            "It is open, unless `is_done` says otherwise, and last in its list: the inbox, unless `list_id` says otherwise.",
          operationId: "createTodo",
          ...takesHeaders(idempotencyKey),
        },
      },
    )
    .get(
      "/:id",
      async ({ session, request, params, set, fail }) => {
        const todo = await read(session, toId(params.id));
        if (!todo) return fail("todo_not_found");
        return isRowKnown({ request, set }, todo) ? unchanged() : todo;
      },
      {
        auth: true,
        response: {
          200: Tagged(Todo, STRONG_TAG),
          ...notModified,
          ...problems("todo_not_found", "validation_failed"),
        },
        detail: {
          summary: "Read a todo",
          operationId: "getTodo",
          parameters: [todoId],
          ...takesHeaders(ifNoneMatch(STRONG_TAG)),
        },
      },
    )
    .patch(
      "/:id",
      async ({ session, request, params, body, set }) => {
        const changed = await change(session, toId(params.id), body, ifMatchOf(request));
        if (changed.next) set.headers.link = `</todos/${changed.next}>; rel="next"`;
        return changed.todo;
      },
      {
        auth: true,
        parse: "strict",
        body: TodoUpdate,
        response: {
          200: ChangedTodo,
          ...changedMeanwhile(Todo),
          ...problems(...bodyProblems, "limit_reached", "todo_not_found", "validation_failed"),
        },
        detail: {
          summary: "Change a todo",
          description:
            "What is sent changes, what is left out stays. Ticking off a todo that repeats leaves it done, without its " +
            "`repeat`, and adds the next at the end of its list: the `Link` header names it.",
          operationId: "updateTodo",
          parameters: [todoId],
          ...takesHeaders(ifMatch),
        },
      },
    )
    .post(
      "/:id/move",
      ({ session, request, params, body, set }) =>
        once(services, { session, request, set }, "todo_not_found", (asker) =>
          moveTodo(asker, toId(params.id), body, ifMatchOf(request)),
        ),
      {
        auth: true,
        parse: "strict",
        body: TodoMove,
        response: {
          200: Replayable(Todo),
          ...changedMeanwhile(Todo),
          ...problems(
            ...bodyProblems,
            "todo_not_found",
            "list_not_found",
            "validation_failed",
            "idempotency_key_reused",
          ),
        },
        detail: {
          summary: "Move a todo",
          description: "Within its list, or into another.",
          operationId: "moveTodo",
          parameters: [todoId],
          ...takesHeaders(ifMatch, idempotencyKey),
        },
      },
    )
    .delete(
      "/:id",
      async ({ session, request, params, status }) => {
        await runOperation(services, session, (asker) =>
          discard(asker, toId(params.id), ifMatchOf(request)),
        );
        return status(204, undefined);
      },
      {
        auth: true,
        response: {
          204: NoContent,
          ...changedMeanwhile(Todo),
          ...problems("todo_not_found", "validation_failed"),
        },
        detail: {
          summary: "Delete a todo",
          description: "It goes into the trash, from where it can be restored for a while.",
          operationId: "deleteTodo",
          parameters: [todoId],
          ...takesHeaders(ifMatch),
        },
      },
    );
}

/** The view as query parameters, always in the same order. */
function parametersOf(view: View): URLSearchParams {
  const { sort, order, is_done, list_id, priority, due_from, due_to, q } = view;
  const parameters = { sort, order, is_done, list_id, priority, due_from, due_to, q };
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
}
