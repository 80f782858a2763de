/** What goes into and comes out of `/lists`. */
import { t } from "elysia";
import { NonBlankText } from "../model/text.ts";
import { Id, Instant, Integer } from "../model/values.ts";

const name = NonBlankText({
  description: "1 to 100 characters, not only white space; no control characters.",
  minLength: 1,
  maxLength: 100,
  examples: ["Groceries"],
});

export const List = t.Object(
  {
    id: Id,
    name: t.String({ description: "The name of the list.", examples: ["Groceries"] }),
    position: Integer({
      format: "int64",
      description:
        "The order among your lists; equal positions are sorted by id. Use it only to sort.",
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
  },
  { title: "List", description: "A list of todos." },
);

export const ListPage = t.Object(
  { lists: t.Array(List, { description: "By position." }) },
  { title: "ListPage", description: "Your lists." },
);

export const ListCreate = t.Object({ name }, { title: "ListCreate", additionalProperties: false });

export const ListUpdate = t.Object({ name }, { title: "ListUpdate", additionalProperties: false });

export const ListMove = t.Object(
  {
    after: t.Nullable(Id, {
      description:
        "The id of the list that it goes after, a positive integer, or null for the first place.",
      examples: [null],
    }),
  },
  { title: "ListMove", additionalProperties: false },
);

export type List = typeof List.static;
