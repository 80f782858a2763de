/** `/lists`: a user's lists, into which todos can be put. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { bodyProblems, problems } from "../http/problem.ts";
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
import { List, ListCreate, ListMove, ListPage, ListUpdate } from "./model.ts";
import { listQueries } from "./queries.ts";

/** Examples. */
const STRONG_TAG = '"7"';
const WEAK_TAG = 'W/"1.7"';

export function listRoutes(services: Services) {
  const queries = listQueries(services);
  const listId = idParameter(List.properties.id);

  return new Elysia({ prefix: "/lists", tags: ["Lists"] })
    .use(strict)
    .use(guard(services))
    .get(
      "",
      async ({ session, request, set }) => {
        const { lists, revision } = await queries.list(session, knownRevisions(request, session));
        return isPageKnown({ request, set }, session, revision) ? unchanged() : { lists };
      },
      {
        auth: true,
        response: {
          200: Tagged(ListPage, WEAK_TAG),
          ...notModified,
          ...problems("validation_failed"),
        },
        detail: {
          summary: "List your lists",
          description: "All lists, sorted by position.",
          operationId: "listLists",
          ...takesHeaders(ifNoneMatch(WEAK_TAG)),
        },
      },
    )
    .post(
      "",
      async ({ session, request, body, set, status }) => {
        const context = { session, request, set };
        const list = await once(services, context, "list_not_found", (asker) =>
          queries.create(asker, body.name),
        );
        set.headers.location = `/lists/${list.id}`;
        return status(201, list);
      },
      {
        auth: true,
        parse: "strict",
        body: ListCreate,
        response: {
          201: Replayable(Created(List, "The list was added.", "/lists/1")),
          ...problems(
            ...bodyProblems,
            "limit_reached",
            "list_not_found",
            "validation_failed",
            "idempotency_key_reused",
          ),
        },
        detail: {
          summary: "Add a list",
          description: "It is last.",
          operationId: "createList",
          ...takesHeaders(idempotencyKey),
        },
      },
    )
    .get(
      "/:id",
      async ({ session, request, params, set, fail }) => {
        const list = await queries.read(session, toId(params.id));
        if (!list) return fail("list_not_found");
        return isRowKnown({ request, set }, list) ? unchanged() : list;
      },
      {
        auth: true,
        response: {
          200: Tagged(List, STRONG_TAG),
          ...notModified,
          ...problems("list_not_found", "validation_failed"),
        },
        detail: {
          summary: "Read a list",
          operationId: "getList",
          parameters: [listId],
          ...takesHeaders(ifNoneMatch(STRONG_TAG)),
        },
      },
    )
    .patch(
      "/:id",
      ({ session, request, params, body }) =>
        runOperation(services, session, (asker) =>
          queries.rename(asker, toId(params.id), body.name, ifMatchOf(request)),
        ),
      {
        auth: true,
        parse: "strict",
        body: ListUpdate,
        response: {
          200: List,
          ...changedMeanwhile(List),
          ...problems(...bodyProblems, "list_not_found", "validation_failed"),
        },
        detail: {
          summary: "Rename a list",
          operationId: "updateList",
          parameters: [listId],
          ...takesHeaders(ifMatch),
        },
      },
    )
    .post(
      "/:id/move",
      ({ session, request, params, body, set }) =>
        once(services, { session, request, set }, "list_not_found", (asker) =>
          queries.move(asker, toId(params.id), body.after, ifMatchOf(request)),
        ),
      {
        auth: true,
        parse: "strict",
        body: ListMove,
        response: {
          200: Replayable(List),
          ...changedMeanwhile(List),
          ...problems(
            ...bodyProblems,
            "list_not_found",
            "validation_failed",
            "idempotency_key_reused",
          ),
        },
        detail: {
          summary: "Move a list",
          description: "After another of your lists, or to the front.",
          operationId: "moveList",
          parameters: [listId],
          ...takesHeaders(ifMatch, idempotencyKey),
        },
      },
    )
    .delete(
      "/:id",
      async ({ session, request, params, status }) => {
        await runOperation(services, session, (asker) =>
          queries.remove(asker, toId(params.id), ifMatchOf(request)),
        );
        return status(204, undefined);
      },
      {
        auth: true,
        response: {
          204: NoContent,
          ...changedMeanwhile(List),
          ...problems("list_not_found", "validation_failed"),
        },
        detail: {
          summary: "Delete a list",
          description: "Its todos go into the trash.",
          operationId: "deleteList",
          parameters: [listId],
          ...takesHeaders(ifMatch),
        },
      },
    );
}
