/** `/todos/changes`: what has changed since a client last asked, so that its copy stays in step. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import type { Services } from "../services.ts";
import { changeCursors } from "./cursor.ts";
import { ChangePage, ChangeQuery, DEFAULT_LIMIT } from "./model.ts";
import { changeQueries } from "./queries.ts";

export function changeRoutes(services: Services) {
  const { changes } = changeQueries(services);
  const cursors = changeCursors(services);

  return new Elysia({ prefix: "/todos", tags: ["Todos"] })
    .use(strict)
    .use(guard(services))
    .get(
      "/changes",
      async ({ session, query }) => {
        const since = query.since === undefined ? undefined : cursors.open(session, query.since);
        const page = await changes(session, since, Number(query.limit ?? DEFAULT_LIMIT));
        return { ...page, next: cursors.close(session, page.next) };
      },
      {
        auth: true,
        query: ChangeQuery,
        response: { 200: ChangePage, ...problems("cursor_expired", "validation_failed") },
        detail: {
          summary: "List what has changed",
          description:
            "Your todos and lists that have changed since then, each in its current state. A todo in the trash " +
            "counts as deleted. Without `since`, all of them. Keep `next` for the next request, now or later.",
          operationId: "listChanges",
        },
      },
    );
}
