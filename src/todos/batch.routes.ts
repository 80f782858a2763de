/** `/todos/batch`: many operations in one request, for a client that was offline. */
import { Elysia } from "elysia";
import { guard } from "../auth/guard.ts";
import { bodyProblems, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import type { Services } from "../services.ts";
import { idempotencyKey, Replayable, takesHeaders } from "../sync/documentation.ts";
import { TodoBatch, TodoBatchResults } from "./batch.model.ts";
import { todoBatches } from "./batch.ts";

export function batchRoutes(services: Services) {
  const { run } = todoBatches(services);

  return new Elysia({ prefix: "/todos", tags: ["Todos"] })
    .use(strict)
    .use(guard(services))
    .post(
      "/batch",
      async ({ session, request, body, set }) => ({
        results: await run({ session, request, set }, body.operations),
      }),
      {
        auth: true,
        parse: "batch",
        body: TodoBatch,
        response: {
          200: Replayable(TodoBatchResults),
          ...problems(...bodyProblems, "validation_failed", "idempotency_key_reused"),
        },
        detail: {
          summary: "Change many todos at once",
          description:
            "The operations are done one after another. Each one succeeds or fails by itself, also an invalid one. All " +
            "successful ones are saved together. `if_match` of an operation works like `If-Match` of a request. The same " +
            "batch cannot change a todo that it adds, because this todo has no id yet. The body may have 256 KiB.",
          operationId: "changeTodos",
          ...takesHeaders(idempotencyKey),
        },
      },
    );
}
