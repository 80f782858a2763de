/** `/users/me/export`: everything that a user has, as one download. */
import { getLogger } from "@logtape/logtape";
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import type { SessionRef } from "../auth/live-session.ts";
import { type Exchange, exchangeOf, idsOf } from "../http/exchange.ts";
import { problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import { toInstant } from "../instant.ts";
import type { Services } from "../services.ts";
import { Export } from "./model.ts";
import { exportQueries } from "./queries.ts";

const logger = getLogger(["todos", "export"]);

export function exportRoutes(services: Services) {
  const queries = exportQueries(services);

  /** The parts of the export. Each part is made when the part before has been sent. */
  async function* pieces(session: SessionRef): AsyncGenerator<string, undefined> {
    const exported_at = toInstant(services.clock());
    const head = JSON.stringify({ exported_at, ...(await queries.owner(session)) });
    yield `${head.slice(0, -1)},"todos":[`;
    let after = 0;
    for (;;) {
      const todos = await queries.todos(session, after);
      const last = todos.at(-1);
      if (!last) break;
      yield (after === 0 ? "" : ",") + todos.map((todo) => JSON.stringify(todo)).join();
      after = last.id;
    }
    yield "]}";
  }

  return new Elysia({ prefix: "/users", tags: ["Users"] })
    .use(strict)
    .use(guard(services))
    .get(
      "/me/export",
      async ({ session, request, set }) => {
        const rest = pieces(session);
        // This happens before the answer begins, because the status depends on whether the session is live.
        const { value: head = "" } = await rest.next();
        set.headers["content-type"] = "application/json";
        set.headers["content-disposition"] = 'attachment; filename="todos.json"';
        return new Response(streamOf(head, rest, exchangeOf(request)));
      },
      {
        auth: true,
        response: { 200: Export, ...problems("validation_failed") },
        detail: {
          summary: "Export all that is yours",
          description: "A download: you, your lists and your todos, those in the trash too.",
          operationId: "exportMe",
        },
      },
    );
}

/**
 * A stream that is made only as fast as it is read. An error breaks it off, and the connection too, so that nobody
 * mistakes a part for the whole.
 */
function streamOf(
  head: string,
  rest: AsyncGenerator<string, undefined>,
  exchange: Exchange,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(head));
    },
    async pull(controller) {
      try {
        const { value, done } = await rest.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      } catch (error) {
        logger.warn("the export broke off: {error}", { ...idsOf(exchange), error });
        controller.error(error);
      }
    },
    async cancel() {
      await rest.return(undefined);
    },
  });
}
