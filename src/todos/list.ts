/** The pages of `GET /todos`: each is a range of an index, or a scan of no more than the user's own todos. */
import { and, asc, desc, eq, isNull, or, type SQL, sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import { nested } from "../database/columns.ts";
import { lists, todos } from "../database/schema.ts";
import { Failure } from "../http/problem.ts";
import type { Services } from "../services.ts";
import { type KnownRevisions, limitUnlessKnown } from "../sync/etag.ts";
import type { Todo, TodoQuery } from "./model.ts";
import { pageOf, toTodo, VISIBLE, visible } from "./row.ts";
import { fold } from "./search.ts";

/** Which todos, in which order. */
export type View = Omit<TodoQuery, "limit" | "cursor"> &
  Required<Pick<TodoQuery, "sort" | "order">>;

/** Where a page begins: after the todo that had this place, even if that todo no longer exists. */
export interface Mark {
  /** The value that comes before the id in the sort order, see `markOf`. */
  key: string | number;
  id: number;
}

/** The `due_order` of a todo without a due date. It sorts after all others. */
const NO_DUE = "~";

const hasNoDue = sql`${todos.due_order} = ${sql.raw(`'${NO_DUE}'`)}`;

/** The mark of a page that begins after `todo`. */
export function markOf(sort: View["sort"], { id, position, due }: Todo): Mark {
  const key = {
    id,
    position,
    due: due ? `${due.date}T${due.time ?? "~"}` : NO_DUE,
  }[sort];
  return { key, id };
}

/** What `nested` returns: the requested list, if the request names one that exists, and the todos. */
type UserRow = [revision: number, ...relations: unknown[][][]];

/** The parts of a query that decide the text of its statement. All other parts are values. */
interface Shape extends Pick<View, "sort" | "order"> {
  is_done: boolean;
  list: "inbox" | "own" | undefined;
  priority: boolean;
  due: boolean;
  search: boolean;
  from: "start" | "mark" | "mark without due";
}

export function todoLists({ database: db, clock }: Services) {
  const prepare = (shape: Shape) =>
    nested<UserRow>(
      db.query.sessions.findFirst({
        where: isLive(),
        columns: {},
        with: {
          user: {
            columns: { revision: true },
            with: {
              ...(shape.list === "own" && {
                lists: { columns: { id: true }, where: eq(lists.id, sql.placeholder("list_id")) },
              }),
              todos: {
                columns: visible,
                // Rows that a former version has just written are not folded yet, see `list`.
                ...(shape.search && {
                  extras: { is_folded: sql`${todos.contents_folded} IS NOT NULL`.as("is_folded") },
                }),
                where: and(...filtersOf(shape), startOf(shape)),
                orderBy: orderOf(shape),
                limit: limitUnlessKnown,
              },
            },
          },
        },
      }),
    );

  const prepared = new Map<string, ReturnType<typeof prepare>>();

  /** A statement for each shape, made at its first use. There are hundreds of shapes, but only a few are in use. */
  function statementFor(shape: Shape) {
    const name = JSON.stringify(shape);
    const statement = prepared.get(name) ?? prepare(shape);
    prepared.set(name, statement);
    return statement;
  }

  return {
    /**
     * At most `limit` todos after `mark`, or fewer if they are long; the mark of the next page, if there is one; and the
     * user's revision. There are no todos when this revision is `known`.
     * @throws Failure `unauthorized`, `list_not_found`
     */
    async list(
      session: SessionRef,
      view: View,
      limit: number,
      mark: Mark | undefined,
      known: KnownRevisions,
    ) {
      const shape = shapeOf(view, mark);
      const q = view.q && fold(view.q);
      const found = await statementFor(shape)({
        ...session,
        now: clock(),
        is_done: Number(view.is_done),
        list_id: Number(view.list_id),
        priority: Number(view.priority),
        due_from: view.due_from ?? "",
        due_to: `${view.due_to ?? "9999-12-31"}T~`,
        q,
        key: mark?.key,
        after: mark?.id,
        ...known,
        // One more than requested shows whether there is a next page.
        limit: limit + 1,
      });
      const [revision, ...relations] = live(found);
      const rows = relations.at(-1) ?? [];
      const [lists] = relations;
      if (shape.list === "own" && lists?.length === 0) throw new Failure("list_not_found");
      const page = pageOf(rows.slice(0, limit).map(toTodo));
      const last = page.at(-1);
      const next = rows.length > page.length && last ? markOf(view.sort, last) : undefined;
      if (q === undefined) return { todos: page, next, revision };
      // Rows that are not folded yet are returned whatever they contain, so a page may be shorter than its limit.
      const matches = page.filter((todo, i) => rows[i]?.[VISIBLE] || isInTodo(q, todo));
      return { todos: matches, next, revision };
    },
  };
}

const isInTodo = (q: string, { contents, notes }: Todo) =>
  [contents, notes ?? ""].some((text) => fold(text).includes(q));

function shapeOf(view: View, mark: Mark | undefined): Shape {
  const { sort, order, is_done, list_id, priority, due_from, due_to, q } = view;
  return {
    sort,
    order,
    is_done: is_done !== undefined,
    list: list_id === undefined ? undefined : list_id === "inbox" ? "inbox" : "own",
    priority: priority !== undefined,
    due: due_from !== undefined || due_to !== undefined,
    search: q !== undefined,
    from: !mark ? "start" : mark.key === NO_DUE ? "mark without due" : "mark",
  };
}

function filtersOf({ is_done, list, priority, due, search }: Shape): (SQL | undefined)[] {
  const q = sql.placeholder("q");
  return [
    is_done ? eq(todos.is_done, sql.placeholder("is_done")) : undefined,
    list === "inbox" ? isNull(todos.list_id) : undefined,
    list === "own" ? eq(todos.list_id, sql.placeholder("list_id")) : undefined,
    priority ? eq(todos.priority, sql.placeholder("priority")) : undefined,
    due
      ? sql`${todos.due_order} BETWEEN ${sql.placeholder("due_from")} AND ${sql.placeholder("due_to")}`
      : undefined,
    search
      ? sql`(
          instr(${todos.contents_folded}, ${q}) > 0 OR instr(${todos.notes_folded}, ${q}) > 0
          OR ${todos.contents_folded} IS NULL
        )`
      : undefined,
  ];
}

/** In both directions, todos without a due date come last. All others are reversed. */
function orderOf({ sort, order }: Shape): SQL[] {
  const direction = order === "ASC" ? asc : desc;
  const id = direction(todos.id);
  if (sort === "id") return [id];
  if (sort === "position") return [direction(todos.position), id];
  return order === "ASC" ? [asc(todos.due_order), id] : [hasNoDue, desc(todos.due_order), id];
}

/** True for rows that come after the mark in this order. */
function startOf({ sort, order, from }: Shape): SQL | undefined {
  if (from === "start") return undefined;
  const beyond = sql.raw(order === "ASC" ? ">" : "<");
  const isBeyondId = sql`${todos.id} ${beyond} ${sql.placeholder("after")}`;
  if (sort === "id") return isBeyondId;
  // Only todos without a due date come after these, and there may be many.
  if (from === "mark without due") return and(hasNoDue, isBeyondId);
  const key = sort === "position" ? todos.position : todos.due_order;
  const isBeyond = sql`(${key}, ${todos.id}) ${beyond} (${sql.placeholder("key")}, ${sql.placeholder("after")})`;
  return sort === "due" && order === "DESC" ? or(isBeyond, hasNoDue) : isBeyond;
}
