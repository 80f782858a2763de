/** What goes into and comes out of `/todos/events`. */
import { t } from "elysia";
import { Cursor } from "../model/query.ts";
import { requestHeader } from "../sync/documentation.ts";
import { changeCursor } from "./model.ts";

export const EventQuery = t.Object(
  {
    since: t.Optional(
      Cursor(
        "An event's `id`, or the `next` of `GET /todos/changes`. If something has changed since then, one event says so at once.",
      ),
    ),
  },
  { additionalProperties: false },
);

export const lastEventId = requestHeader(
  "Last-Event-ID",
  "The `id` of the last event that the client received. It replaces `since`.",
  changeCursor,
);

export const EventStream = t.String({
  description: "A stream of events.",
  mediaType: "text/event-stream",
});
