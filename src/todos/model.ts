/** The input and output of `/todos`. */
import { Kind, TypeRegistry } from "@sinclair/typebox";
import { t } from "elysia";
import { Cursor, Limit, QueryInteger } from "../model/query.ts";
import { Text } from "../model/text.ts";
import { header, Id, IdOrNull, Instant, Integer, toId } from "../model/values.ts";
import { CivilDate, contents, Due, DueInput, isDone, notes, priority, Repeat } from "./values.ts";

/** Todos on a page, also of the trash, when the request names no number. */
export const DEFAULT_LIMIT = 50;

/** An example. Cursors are opaque. */
const cursor = "2.mnZg1XZ8L0IDx6kTjFdqYbQGkWJtHn0xqmuGuv7hXpo";

const listId = t.Nullable(Id, {
  description: "The list that it is in; null is the inbox.",
  examples: [1],
});

/** A todo's fields, in the order in which answers have them. */
export const todoFields = {
  id: Id,
  contents: t.String({ description: "What there is to do.", examples: ["Buy milk"] }),
  notes: t.Nullable(
    t.String({ description: "More about it.", examples: ["The one with the blue cap"] }),
  ),
  is_done: isDone,
  done_at: t.Nullable(
    Instant("When it was ticked off, in UTC (RFC 3339); null when that is not known."),
  ),
  priority,
  due: t.Nullable(Due, { description: "When it is due, if ever.", examples: [null] }),
  repeat: t.Nullable(Repeat, { description: "How it repeats, if it does.", examples: [null] }),
  list_id: listId,
  position: Integer({
    format: "int64",
    description:
      "The order within its list; equal positions are sorted by id. Use it only to sort.",
    examples: [1_048_576],
  }),
  rev: Integer({
    format: "int64",
    minimum: 0,
    description: "Your revision in which it was last changed.",
    examples: [7],
  }),
  created_at: Instant("When it was added, in UTC (RFC 3339)."),
  updated_at: Instant("When it was last changed, in UTC (RFC 3339)."),
};

export const Todo = t.Object(todoFields, { title: "Todo", description: "A todo." });

const due = t.Nullable(DueInput, {
  description: "When it is due: an object with a date, and perhaps a time and a zone; or null.",
  examples: [{ date: "2026-11-30", time: "09:30", zone: "Asia/Seoul" }],
});
const repeat = t.Nullable(Repeat, {
  description:
    "How it repeats: an object with every, unit and from, and perhaps weekdays; or null. Needs a due date.",
  examples: [{ every: 1, unit: "week", from: "due" }],
});

export const TodoCreate = t.Object(
  // No schema `default`: with a default, Elysia copies the body and no longer sees a `__proto__` field.
  {
    contents,
    notes: t.Optional(notes),
    is_done: t.Optional(isDone),
    priority: t.Optional(priority),
    due: t.Optional(due),
    repeat: t.Optional(repeat),
    list_id: t.Optional(IdOrNull("the list that it goes to, or the inbox.")),
  },
  {
    title: "TodoCreate",
    additionalProperties: false,
    examples: [{ contents: "Buy milk", due: { date: "2026-11-30" } }],
  },
);

export const TodoUpdate = t.Object(
  {
    contents: t.Optional(contents),
    notes: t.Optional(notes),
    is_done: t.Optional(isDone),
    priority: t.Optional(priority),
    due: t.Optional(due),
    repeat: t.Optional(repeat),
  },
  {
    title: "TodoUpdate",
    description:
      "contents, notes, is_done, priority, due or repeat, at least one, and nothing else.",
    additionalProperties: false,
    minProperties: 1,
    examples: [{ is_done: true }],
  },
);

export const TodoMove = t.Object(
  {
    list_id: t.Optional(IdOrNull("the list that it goes to, or the inbox; left out, its own.")),
    after: t.Optional(IdOrNull("the todo that it goes behind, or first; left out, last.")),
  },
  {
    title: "TodoMove",
    description: "list_id and after, or either, or nothing, and nothing else.",
    additionalProperties: false,
    examples: [{ after: null }],
  },
);

// No portable pattern can express the largest id, 2^53-1.
TypeRegistry.Set(
  "ListOrInbox",
  (_, value) => typeof value === "string" && (value === "inbox" || toId(value) > 0),
);

export const TodoQuery = t.Object(
  {
    sort: t.Optional(
      t.Union([t.Literal("id"), t.Literal("position"), t.Literal("due")], {
        description: "id (the default), position or due.",
        examples: ["due"],
      }),
    ),
    order: t.Optional(
      t.Union([t.Literal("ASC"), t.Literal("DESC")], {
        description:
          "ASC (the default) or DESC. With due, todos without a due date are last in either order.",
        examples: ["DESC"],
      }),
    ),
    is_done: t.Optional(
      t.Boolean({
        description: "true or false: only the done, or only the open.",
        examples: [false],
      }),
    ),
    list_id: t.Optional(
      t.Unsafe<string>({
        [Kind]: "ListOrInbox",
        type: "string",
        maxLength: 16,
        pattern: "^([1-9][0-9]{0,15}|inbox)$",
        description: "A list's id, or inbox: only the todos in there.",
        examples: ["inbox"],
      }),
    ),
    priority: t.Optional(
      QueryInteger({
        minimum: 0,
        maximum: 3,
        description: "0 to 3: only those of this priority.",
        examples: [3],
      }),
    ),
    due_from: t.Optional(
      CivilDate(": only todos that are due on this day or later.", "2026-11-01"),
    ),
    due_to: t.Optional(CivilDate(": only todos that are due on this day or earlier.")),
    q: t.Optional(
      Text({
        description: "1 to 100 characters to be found in contents or notes, in any case or width.",
        minLength: 1,
        maxLength: 100,
        examples: ["milk"],
      }),
    ),
    limit: t.Optional(Limit(100, DEFAULT_LIMIT)),
    cursor: t.Optional(
      Cursor("A page's `next_cursor`, sent with the same parameters; only `limit` may differ."),
    ),
  },
  { additionalProperties: false },
);

export const nextCursor = t.Nullable(
  t.String({
    description: "Where the next page begins; null on the last page.",
    examples: [cursor],
  }),
);

/** @param next an example */
export const nextLink = (next: string) => ({
  Link: {
    ...header(
      "The next page, a relative reference (RFC 8288); on the last page there is none.",
      `<${next}&cursor=${cursor}>; rel="next"`,
    ),
    required: false,
  },
});

export const TodoPage = t.Object(
  { todos: t.Array(Todo, { description: "In the order asked for." }), next_cursor: nextCursor },
  {
    title: "TodoPage",
    description: "A page of todos.",
    headers: nextLink("/todos?order=DESC&limit=50"),
  },
);

/** The answer to a change. The change may have added the next todo of a series. */
export const ChangedTodo = {
  ...Todo,
  headers: {
    Link: {
      ...header(
        "The next todo of its series, if this change has added one (RFC 8288).",
        '</todos/8>; rel="next"',
      ),
      required: false,
    },
  },
};

export type TodoPage = typeof TodoPage.static;
export type Todo = typeof Todo.static;
export type TodoCreate = typeof TodoCreate.static;
export type TodoUpdate = typeof TodoUpdate.static;
export type TodoMove = typeof TodoMove.static;
export type TodoQuery = typeof TodoQuery.static;
