/** What comes out of `/users/me/export`. */
import { t } from "elysia";
import { List } from "../lists/model.ts";
import { User } from "../model/user.ts";
import { header, Instant } from "../model/values.ts";
import { todoFields } from "../todos/model.ts";

const ExportedTodo = t.Object(
  {
    ...todoFields,
    deleted_at: t.Optional(
      Instant("When it was deleted, in UTC (RFC 3339). Only todos in the trash have it."),
    ),
  },
  { title: "ExportedTodo", description: "A todo, or one in the trash." },
);

export const Export = t.Object(
  {
    exported_at: Instant("When the export began, in UTC (RFC 3339)."),
    user: User,
    lists: t.Array(List, { description: "By id." }),
    todos: t.Array(ExportedTodo, { description: "By id, the trash too." }),
  },
  {
    title: "Export",
    description: "Everything that you have.",
    headers: {
      "Content-Disposition": header(
        "Says that the answer is a download, and names the file.",
        'attachment; filename="todos.json"',
      ),
    },
  },
);

export type ExportedTodo = typeof ExportedTodo.static;
