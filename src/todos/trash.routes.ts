/** `/trash`: a user's deleted todos, until they are restored or deleted for good. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { problems, unfitParameter } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { idParameter, NoContent, toId } from "../model/values.ts";
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
import { isPageKnown, knownRevisions, unchanged } from "../sync/etag.ts";
import { once } from "../sync/idempotency.ts";
import { runOperation } from "../sync/operation.ts";
import { changedMeanwhile, ifMatchOf } from "../sync/preconditions.ts";
import { DEFAULT_LIMIT, Todo } from "./model.ts";
import { DeletedTodo, TrashPage, TrashQuery } from "./trash.model.ts";
import { type TrashMark, trashQueries } from "./trash.queries.ts";

/** An example. */
const WEAK_TAG = 'W/"1.7"';

export function trashRoutes(services: Services) {
  const { seal } = services;
  const queries = trashQueries(services);

  function openCursor(context: string, cursor: string): TrashMark {
    const [deletedAt, id] = seal.open(context, cursor)?.split("_").map(Number) ?? [];
    if (deletedAt !== undefined && id !== undefined) return { deleted_at: deletedAt, id };
    throw unfitParameter("cursor", "Not a cursor of this list.");
  }

  const todoId = idParameter(Todo.properties.id);

  return new Elysia({ prefix: "/trash", tags: ["Trash"] })
    .use(strict)
    .use(guard(services))
    .get(
      "",
      async ({ session, request, query, set }) => {
        const limit = Number(query.limit ?? DEFAULT_LIMIT);
        const context = `trash ${session.user_id}`;
        const { cursor } = query;
        const mark = cursor === undefined ? undefined : openCursor(context, cursor);
        const known = knownRevisions(request, session);
        const { todos, next, revision } = await queries.list(session, limit, mark, known);
        if (isPageKnown({ request, set }, session, revision)) return unchanged();
        if (!next) return { todos, next_cursor: null };
        const next_cursor = seal.close(context, `${next.deleted_at}_${next.id}`);
        const parameters = new URLSearchParams({ limit: String(limit), cursor: next_cursor });
        set.headers.link = `</trash?${parameters}>; rel="next"`;
        return { todos, next_cursor };
      },
      {
        auth: true,
        query: TrashQuery,
        response: {
          200: Tagged(TrashPage, WEAK_TAG),
          ...notModified,
          ...problems("validation_failed"),
        },
        detail: {
          summary: "List the trash",
          description:
            "A page of your deleted todos, the latest deleted first. They are kept for a while, and then go for good.",
          operationId: "listTrash",
          ...takesHeaders(ifNoneMatch(WEAK_TAG)),
        },
      },
    )
    .post(
      "/:id/restore",
      ({ session, request, params, set }) =>
        once(services, { session, request, set }, "todo_not_found", (asker) =>
          queries.restore(asker, toId(params.id), ifMatchOf(request)),
        ),
      {
        auth: true,
        response: {
          200: Replayable(Todo),
          ...changedMeanwhile(DeletedTodo),
          ...problems("todo_not_found", "validation_failed", "idempotency_key_reused"),
        },
        detail: {
          summary: "Restore a todo",
          description: "It is last in its list again or, when that is gone, in the inbox.",
          operationId: "restoreTodo",
          parameters: [todoId],
          ...takesHeaders(ifMatch, idempotencyKey),
        },
      },
    )
    .delete(
      "/:id",
      async ({ session, request, params, status }) => {
        await runOperation(services, session, (asker) =>
          queries.purge(asker, toId(params.id), ifMatchOf(request)),
        );
        return status(204, undefined);
      },
      {
        auth: true,
        response: {
          204: NoContent,
          ...changedMeanwhile(DeletedTodo),
          ...problems("todo_not_found", "validation_failed"),
        },
        detail: {
          summary: "Delete a todo for good",
          description: "Nothing is left of its text.",
          operationId: "purgeTodo",
          parameters: [todoId],
          ...takesHeaders(ifMatch),
        },
      },
    )
    .delete(
      "",
      async ({ session, status }) => {
        await runOperation(services, session, queries.empty);
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
