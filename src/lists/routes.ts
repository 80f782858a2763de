/** `/lists`: a user's lists, into which todos can be put. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { Created, idParameter, NoContent, toId } from "../model/values.ts";
import type { Services } from "../services.ts";
import { List, ListCreate, ListMove, ListPage, ListUpdate } from "./model.ts";
import { listQueries } from "./queries.ts";

export function listRoutes(services: Services) {
  const queries = listQueries(services);
  const listId = idParameter(List.properties.id);

  return new Elysia({ prefix: "/lists", tags: ["Lists"] })
    .use(strict)
    .use(guard(services))
    .get("", async ({ session }) => ({ lists: await queries.list(session) }), {
      auth: true,
      response: { 200: ListPage, ...problems("validation_failed") },
      detail: {
        summary: "List your lists",
        description: "All of them, by position.",
        operationId: "listLists",
      },
    })
    .post(
      "",
      async ({ session, body, set, status }) => {
        const list = await queries.create(session, body.name);
        set.headers.location = `/lists/${list.id}`;
        return status(201, list);
      },
      {
        auth: true,
        parse: "strict",
        body: ListCreate,
        response: {
          201: Created(List, "The list was added.", "/lists/1"),
          ...problems(...bodyProblems, "limit_reached", "validation_failed"),
        },
        detail: { summary: "Add a list", description: "It is last.", operationId: "createList" },
      },
    )
    .get(
      "/:id",
      async ({ session, params, fail }) =>
        (await queries.read(session, toId(params.id))) ?? fail("list_not_found"),
      {
        auth: true,
        response: {
          200: List,
          ...problems("list_not_found", "validation_failed"),
        },
        detail: { summary: "Read a list", operationId: "getList", parameters: [listId] },
      },
    )
    .patch(
      "/:id",
      async ({ session, params, body, fail }) =>
        (await queries.rename(session, toId(params.id), body.name)) ?? fail("list_not_found"),
      {
        auth: true,
        parse: "strict",
        body: ListUpdate,
        response: {
          200: List,
          ...problems(...bodyProblems, "list_not_found", "validation_failed"),
        },
        detail: { summary: "Rename a list", operationId: "updateList", parameters: [listId] },
      },
    )
    .post(
      "/:id/move",
      async ({ session, params, body, fail }) =>
        (await queries.move(session, toId(params.id), body.after)) ?? fail("list_not_found"),
      {
        auth: true,
        parse: "strict",
        body: ListMove,
        response: {
          200: List,
          ...problems(...bodyProblems, "list_not_found", "validation_failed"),
        },
        detail: {
          summary: "Move a list",
          description: "Behind another of your lists, or first.",
          operationId: "moveList",
          parameters: [listId],
        },
      },
    )
    .delete(
      "/:id",
      async ({ session, params, fail, status }) =>
        (await queries.remove(session, toId(params.id)))
          ? status(204, undefined)
          : fail("list_not_found"),
      {
        auth: true,
        response: {
          204: NoContent,
          ...problems("list_not_found", "validation_failed"),
        },
        detail: {
          summary: "Delete a list",
          description: "Its todos go into the trash.",
          operationId: "deleteList",
          parameters: [listId],
        },
      },
    );
}
