/** The output of `/trash`. */
import { t } from "elysia";
import { Cursor, Limit } from "../model/query.ts";
import { Instant } from "../model/values.ts";
import { DEFAULT_LIMIT, nextCursor, nextLink, todoFields } from "./model.ts";

export const DeletedTodo = t.Object(
  { ...todoFields, deleted_at: Instant("When it was deleted, in UTC (RFC 3339).") },
  { title: "DeletedTodo", description: "A todo in the trash." },
);

export const TrashQuery = t.Object(
  {
    limit: t.Optional(Limit(100, DEFAULT_LIMIT)),
    cursor: t.Optional(Cursor("A page's `next_cursor`.")),
  },
  { additionalProperties: false },
);

export const TrashPage = t.Object(
  {
    todos: t.Array(DeletedTodo, { description: "The todo that was deleted last comes first." }),
    next_cursor: nextCursor,
  },
  { title: "TrashPage", description: "A page of the trash.", headers: nextLink("/trash?limit=50") },
);
