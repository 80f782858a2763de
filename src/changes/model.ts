/** What goes into and comes out of `/todos/changes`. */
import { t } from "elysia";
import { List } from "../lists/model.ts";
import { Cursor, Limit } from "../model/query.ts";
import { Id } from "../model/values.ts";
import { todoFields } from "../todos/model.ts";

/** Changes on a page when the request names no number. */
export const DEFAULT_LIMIT = 100;

/** An example of a cursor. Cursors are opaque. */
export const changeCursor =
  "7_todo_9007199254740991_0_1795281702578.mnZg1XZ8L0IDx6kTjFdqYbQGkWJtHn0xqmuGuv7hXpo";

const TodoChange = t.Object(
  { type: t.Literal("todo"), ...todoFields },
  { title: "TodoChange", description: "A todo that is new, or has changed." },
);

const ListChange = t.Object(
  { type: t.Literal("list"), ...List.properties },
  { title: "ListChange", description: "A list that is new, or has changed." },
);

const Deletion = t.Object(
  {
    type: t.Union([t.Literal("todo"), t.Literal("list")], {
      description: "What it was.",
      examples: ["todo"],
    }),
    id: Id,
    deleted: t.Literal(true),
  },
  { title: "Deletion", description: "A todo or a list that is gone, perhaps into the trash." },
);

export const ChangeQuery = t.Object(
  {
    limit: t.Optional(Limit(500, DEFAULT_LIMIT)),
    since: t.Optional(
      Cursor("The `next` of an earlier answer. Without it, the answer has everything."),
    ),
  },
  { additionalProperties: false },
);

export const ChangePage = t.Object(
  {
    changes: t.Array(t.Union([TodoChange, ListChange, Deletion]), {
      description: "Each todo and each list once, as it is now, in the order of revisions.",
    }),
    next: t.String({
      description:
        "The cursor for the next request, which then returns the changes after this answer.",
      examples: [changeCursor],
    }),
    has_more: t.Boolean({
      description:
        "Whether there are more changes now. A page ends early when its texts are long, so its length does not tell.",
      examples: [false],
    }),
  },
  { title: "ChangePage", description: "What has changed." },
);

export type Change = typeof TodoChange.static | typeof ListChange.static | typeof Deletion.static;
