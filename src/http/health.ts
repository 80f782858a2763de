/** Is it there, is it alive, can it serve: for people, supervisors and load balancers. */
import { Elysia, t } from "elysia";
import { isMigrated } from "../database/migrate.ts";
import type { Services } from "../services.ts";
import { failures } from "./failures.ts";
import { problems } from "./problem.ts";

const Ok = t.Object({ status: t.Literal("ok") }, { description: "Yes." });

export const health = ({ database }: Services) =>
  new Elysia({ tags: ["Health"] })
    .use(failures)
    .get("/", () => ({ ping: "pong" as const }), {
      response: {
        200: t.Object({ ping: t.Literal("pong") }, { description: "The service is there." }),
        ...problems(),
      },
      detail: { summary: "Ping", operationId: "ping" },
    })
    .get("/health/alive", () => ({ status: "ok" as const }), {
      response: { 200: Ok, ...problems() },
      detail: {
        summary: "Is the process alive?",
        description: "Touches nothing else. A supervisor restarts the process when this fails.",
        operationId: "isAlive",
      },
    })
    .get(
      "/health/ready",
      async ({ fail }) =>
        (await isMigrated(database)) ? { status: "ok" as const } : fail("unavailable"),
      {
        response: { 200: Ok, ...problems() },
        detail: {
          summary: "Can it serve?",
          description:
            "The database answers, its schema is current, and the service is not shutting down. " +
            "A load balancer sends no requests while this is 503.",
          operationId: "isReady",
        },
      },
    );
