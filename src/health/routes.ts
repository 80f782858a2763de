/** Health checks: the ping for people, `/health/alive` for supervisors, `/health/ready` for load balancers. */
import { getLogger } from "@logtape/logtape";
import { Elysia, t } from "elysia";
import packageJson from "../../package.json" with { type: "json" };
import { schemaVersions } from "../database/schema-version.ts";
import { exchangeOf, idsOf } from "../http/exchange.ts";
import { failures } from "../http/failures.ts";
import { prefersHtml } from "../http/negotiation.ts";
import { problems } from "../http/problem.ts";
import { header } from "../model/values.ts";
import type { Services } from "../services.ts";

const logger = getLogger(["todos", "http"]);

const Ok = t.Object(
  { status: t.Literal("ok", { description: "Always ok.", examples: ["ok"] }) },
  { title: "Ok", description: "Yes." },
);
const Ready = t.Object(
  {
    ...Ok.properties,
    version: t.String({ description: "The service's version.", examples: [packageJson.version] }),
    schema: t.String({
      description: "The newest migration that the database has.",
      examples: ["0001_ttl_and_outbox"],
    }),
  },
  { title: "Ready", description: "It can serve." },
);
const Pong = t.Object(
  { ping: t.Literal("pong", { description: "Always pong.", examples: ["pong"] }) },
  { title: "Pong", description: "The service is running." },
);

const NEWEST = schemaVersions.at(-1)?.tag ?? "";

const ready = problems();
// Whether the service can serve requests is a different question.
const { 503: _, ...alive } = problems();
/** It has no type for the client, because a program that uses the typed client never asks for HTML. */
const forBrowsers: object = {
  302: t.Void({
    description: "A browser, which prefers HTML, is sent to the docs page.",
    headers: { Location: header("The docs page.", "/swagger") },
  }),
};

export const health = ({ drain, schema }: Pick<Services, "drain" | "schema">) =>
  new Elysia({ tags: ["Health"] })
    .use(failures)
    .get(
      "/",
      ({ request, set }) => {
        if (!prefersHtml(request, set.headers)) return { ping: "pong" as const };
        return new Response(null, { status: 302, headers: { location: "/swagger" } });
      },
      {
        response: { 200: Pong, ...forBrowsers, ...problems() },
        detail: { summary: "Is the service there?", operationId: "ping" },
      },
    )
    .get("/health/alive", () => ({ status: "ok" as const }), {
      response: { 200: Ok, ...alive },
      detail: {
        summary: "Is the process alive?",
        description:
          "Checks nothing else, not even the database. A supervisor restarts the process when this fails.",
        operationId: "isAlive",
      },
    })
    .get(
      "/health/ready",
      async ({ request, fail }) => {
        if (drain.isAnnounced) return fail("unavailable");
        const missing = await schema.look();
        if (missing === 0)
          return { status: "ok" as const, version: packageJson.version, schema: NEWEST };
        const ids = idsOf(exchangeOf(request));
        logger.warn("the schema is behind: {missing} migrations missing", { missing, ...ids });
        return fail("unavailable");
      },
      {
        response: {
          200: Ready,
          ...ready,
          503: { ...ready[503], description: "It cannot serve requests, and the log says why." },
        },
        detail: {
          summary: "Can it serve?",
          description:
            "The database answers, its schema is current, and the service is not shutting down. " +
            "A load balancer sends no requests while this is 503.",
          operationId: "isReady",
        },
      },
    );
