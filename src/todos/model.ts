/** What goes into and comes out of `/todos`. */
import { t } from "elysia";
import { Cursor, QueryInteger } from "../model/query.ts";
import { MULTILINE, NonBlankText } from "../model/text.ts";
import { header, Id, Instant } from "../model/values.ts";

const contents = NonBlankText({
  description:
    "1 to 1000 characters, not only white space; no control characters but tab and newline.",
  minLength: 1,
  maxLength: 1000,
  pattern: MULTILINE,
  examples: ["Buy milk"],
});
const isDone = t.Boolean({
  description: "true or false: whether it is ticked off.",
  examples: [false],
});

/** An example: they are opaque. */
const cursor = "2.mnZg1XZ8L0IDx6kTjFdqYbQGkWJtHn0xqmuGuv7hXpo";

export const Todo = t.Object(
  {
    id: Id,
    contents: t.String({ description: "What there is to do.", examples: ["Buy milk"] }),
    is_done: isDone,
    created_at: Instant("When it was added, in UTC (RFC 3339)."),
    updated_at: Instant("When it was last changed, in UTC (RFC 3339)."),
  },
  { title: "Todo", description: "A todo." },
);

export const TodoCreate = t.Object(
  // No schema `default`: with one, Elysia copies the body and loses sight of a `__proto__` field.
  { contents, is_done: t.Optional(isDone) },
  { title: "TodoCreate", additionalProperties: false },
);

export const TodoUpdate = t.Object(
  { contents: t.Optional(contents), is_done: t.Optional(isDone) },
  {
    title: "TodoUpdate",
    description: "contents or is_done, or both, and nothing else.",
    additionalProperties: false,
    minProperties: 1,
    examples: [{ is_done: true }],
  },
);

export const TodoQuery = t.Object(
  {
    order: t.Optional(
      t.Union([t.Literal("ASC"), t.Literal("DESC")], {
        description: "ASC (oldest first, unless told) or DESC, by id.",
        examples: ["DESC"],
      }),
    ),
    is_done: t.Optional(
      t.Boolean({
        description: "true or false: only the done, or only the open.",
        examples: [false],
      }),
    ),
    limit: t.Optional(
      QueryInteger({
        minimum: 1,
        maximum: 100,
        description: "1 to 100; 50 unless told.",
        examples: [50],
      }),
    ),
    cursor: t.Optional(Cursor("A page's `next_cursor`, sent with the same `order` and `is_done`.")),
  },
  { additionalProperties: false },
);

export const TodoPage = t.Object(
  {
    todos: t.Array(Todo, { description: "In the order asked for." }),
    next_cursor: t.Nullable(
      t.String({
        description: "Where the next page begins; null on the last page.",
        examples: [cursor],
      }),
    ),
  },
  {
    title: "TodoPage",
    description: "A page of todos.",
    headers: {
      Link: {
        ...header(
          "The next page, a relative reference (RFC 8288); on the last page there is none.",
          `</todos?order=DESC&limit=50&cursor=${cursor}>; rel="next"`,
        ),
        required: false,
      },
    },
  },
);

export type TodoCreate = typeof TodoCreate.static;
export type TodoUpdate = typeof TodoUpdate.static;
export type Order = NonNullable<(typeof TodoQuery.static)["order"]>;
