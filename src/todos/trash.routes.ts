/** `/trash`: a user's deleted todos, until they are restored or deleted for good. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { Failure, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { idParameter, NoContent, toId } from "../model/values.ts";
import type { Services } from "../services.ts";
import { Todo } from "./model.ts";
import { TrashPage, TrashQuery } from "./trash.model.ts";
import { type Mark, trashQueries } from "./trash.queries.ts";

const DEFAULT_LIMIT = 50;

export function trashRoutes(services: Services) {
  const { seal } = services;
  const queries = trashQueries(services);

  function openCursor(context: string, cursor: string): Mark {
    const [deletedAt, id] = seal.open(context, cursor)?.split("_").map(Number) ?? [];
    if (deletedAt !== undefined && id !== undefined) return { deleted_at: deletedAt, id };
    throw new Failure("validation_failed", {
      errors: [{ parameter: "cursor", detail: "Not a cursor of this list." }],
    });
  }

  const todoId = idParameter(Todo.properties.id);

  return new Elysia({ prefix: "/trash", tags: ["Trash"] })
    .use(strict)
    .use(guard(services))
    .get(
      "",
      async ({ session, query, set }) => {
        const limit = Number(query.limit ?? DEFAULT_LIMIT);
        const context = `trash ${session.user_id}`;
        const { cursor } = query;
        const mark = cursor === undefined ? undefined : openCursor(context, cursor);
        const { todos, next } = await queries.list(session, limit, mark);
        if (!next) return { todos, next_cursor: null };
        const next_cursor = seal.close(context, `${next.deleted_at}_${next.id}`);
        const parameters = new URLSearchParams({ limit: String(limit), cursor: next_cursor });
        set.headers.link = `</trash?${parameters}>; rel="next"`;
        return { todos, next_cursor };
      },
      {
        auth: true,
        query: TrashQuery,
        response: { 200: TrashPage, ...problems("validation_failed") },
        detail: {
          summary: "List the trash",
          description:
            "A page of your deleted todos, the latest deleted first. They are kept for a while, and then go for good.",
          operationId: "listTrash",
        },
      },
    )
    .post(
      "/:id/restore",
      async ({ session, params, fail }) =>
        (await queries.restore(session, toId(params.id))) ?? fail("todo_not_found"),
      {
        auth: true,
        response: {
          200: Todo,
          ...problems("todo_not_found", "validation_failed"),
        },
        detail: {
          summary: "Restore a todo",
          description: "It is last in its list again or, when that is gone, in the inbox.",
          operationId: "restoreTodo",
          parameters: [todoId],
        },
      },
    )
    .delete(
      "/:id",
      async ({ session, params, fail, status }) =>
        (await queries.purge(session, toId(params.id)))
          ? status(204, undefined)
          : fail("todo_not_found"),
      {
        auth: true,
        response: {
          204: NoContent,
          ...problems("todo_not_found", "validation_failed"),
        },
        detail: {
          summary: "Delete a todo for good",
          description: "Nothing is left of its text.",
          operationId: "purgeTodo",
          parameters: [todoId],
        },
      },
    )
    .delete(
      "",
      async ({ session, status }) => {
        await queries.empty(session);
        return status(204, undefined);
      },
      {
        auth: true,
        response: { 204: NoContent, ...problems("validation_failed") },
        detail: {
          summary: "Empty the trash",
          description: "Nothing is left of the texts.",
          operationId: "emptyTrash",
        },
      },
    );
}
