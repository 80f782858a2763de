/** `/todos/events`: tells a client at once that something has changed. `/todos/changes` says what has changed. */
import { Elysia } from "elysia";
import { guard, tokenOf } from "../auth/guard.ts";
import { Failure, problems } from "../http/problem.ts";
import { strict } from "../http/strict.ts";
import type { Services } from "../services.ts";
import { takesHeaders } from "../sync/documentation.ts";
import { behind, changeCursors, isUpTo, refuseFormer } from "./cursor.ts";
import { openEventStream } from "./event-stream.ts";
import { EventQuery, EventStream, lastEventId } from "./events.model.ts";
import { changeQueries } from "./queries.ts";

/** Streams that one user may have. */
const STREAMS_PER_USER = 5;
/** Seconds after which a client whose stream was refused may try again. */
const RETRY_AFTER = "10";

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // nginx would otherwise buffer events until it has some kilobytes.
  "x-accel-buffering": "no",
};

export function eventRoutes(services: Services) {
  const { clock, config, drain, tokens, watch } = services;
  const { revision } = changeQueries(services);
  const cursors = changeCursors(services);

  return new Elysia({ prefix: "/todos", tags: ["Todos"] })
    .use(strict)
    .use(guard(services))
    .get(
      "/events",
      async ({ session, request, query, set }) => {
        // A client that has received no event yet may send an empty header.
        const lastId = request.headers.get("last-event-id") || null;
        const sealed = lastId ?? query.since;
        const parameter = lastId === null ? "since" : "Last-Event-ID";
        const since = sealed === undefined ? undefined : cursors.open(session, sealed, parameter);
        // The drain may have begun after this request arrived. It ends the streams that were open then, and no later one.
        if (drain.draining) throw new Failure("unavailable");
        const isFull =
          watch.listening >= config.streams ||
          watch.listeningFor(session.user_id) >= STREAMS_PER_USER;
        if (isFull)
          throw new Failure("too_many_streams", { headers: { "retry-after": RETRY_AFTER } });
        // This comes before the query for the revision, so that no change between the two is lost.
        const stream = openEventStream(services, {
          session,
          expiresAt: tokens.expiryOf(tokenOf(request)),
          heartbeat: config.heartbeat * 1000,
          cursorAt: (rev) => cursors.close(session, { ...behind(rev), began: rev, given: clock() }),
        });
        let now: number;
        try {
          now = await revision(session);
          if (since) refuseFormer(since, now);
        } catch (error) {
          stream.close();
          throw error;
        }
        Object.assign(set.headers, HEADERS);
        if (request.method === "HEAD") {
          stream.close();
          return new Response(null);
        }
        services.holdOpen?.(request);
        return new Response(stream.begin(now, since !== undefined && !isUpTo(now, since)));
      },
      {
        auth: true,
        query: EventQuery,
        response: {
          200: EventStream,
          ...problems("cursor_expired", "validation_failed", "too_many_streams"),
        },
        detail: {
          summary: "Listen for changes",
          description:
            "Server-sent events. `changed` is sent as soon as one of your todos or lists has changed, with your revision. " +
            "Several changes may be one event. To fetch them, send the `next` that `GET /todos/changes` gave you last. The " +
            "event's `id` is the place after the changes. `end` is sent when your session or your token has ended, or when " +
            "the service is about to stop. Then the stream closes: connect again with the last `id`. Between the events " +
            "there are comments.",
          operationId: "listenForChanges",
          ...takesHeaders(lastEventId),
        },
      },
    );
}
