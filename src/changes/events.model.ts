/** What goes into and comes out of `/todos/events`. */
import { t } from "elysia";
import { Cursor } from "../model/query.ts";
import { requestHeader } from "../sync/documentation.ts";

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
  "7_todo_9007199254740991_0_1795281702578.mnZg1XZ8L0IDx6kTjFdqYbQGkWJtHn0xqmuGuv7hXpo",
);

export const EventStream = t.String({
  description: "Events, as they come.",
  mediaType: "text/event-stream",
});
