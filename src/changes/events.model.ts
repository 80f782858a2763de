/** What goes into and comes out of `/todos/events`. */
import { t } from "elysia";
import { Cursor } from "../model/query.ts";
import { requestHeader } from "../sync/documentation.ts";
import { changeCursor } from "./model.ts";

export const EventQuery = t.Object(
  {
    since: t.Optional(
      Cursor(
        "An event's `id`, or the `next` of `GET /todos/changes`: what has changed since is told at once.",
      ),
    ),
  },
  { additionalProperties: false },
);

export const lastEventId = requestHeader(
  "Last-Event-ID",
  "The `id` of the last event that came. It counts in place of `since`.",
  changeCursor,
);

export const EventStream = t.String({
  description: "Events, as they come.",
  mediaType: "text/event-stream",
});
