/** What comes out of `/trash`. */
import { t } from "elysia";
import { Cursor, QueryInteger } from "../model/query.ts";
import { Instant } from "../model/values.ts";
import { nextCursor, nextLink, todoFields } from "./model.ts";

export const DeletedTodo = t.Object(
  { ...todoFields, deleted_at: Instant("When it was deleted, in UTC (RFC 3339).") },
  { title: "DeletedTodo", description: "A todo in the trash." },
);

export const TrashQuery = t.Object(
  {
    limit: t.Optional(
      QueryInteger({
        minimum: 1,
        maximum: 100,
        description: "1 to 100; 50 unless told.",
        examples: [50],
      }),
    ),
    cursor: t.Optional(Cursor("A page's `next_cursor`.")),
  },
  { additionalProperties: false },
);

export const TrashPage = t.Object(
  {
    todos: t.Array(DeletedTodo, { description: "The latest deleted first." }),
    next_cursor: nextCursor,
  },
  { title: "TrashPage", description: "A page of the trash.", headers: nextLink("/trash?limit=50") },
);
