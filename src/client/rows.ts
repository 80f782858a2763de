/** The rows that a copy holds, and the changes that are possible, as in the API. */
import type * as list from "../lists/model.ts";
import type * as todo from "../todos/model.ts";

export type Todo = (typeof todo.Todo)["static"];
export type TodoCreate = (typeof todo.TodoCreate)["static"];
export type TodoUpdate = (typeof todo.TodoUpdate)["static"];
export type TodoMove = (typeof todo.TodoMove)["static"];

export type List = (typeof list.List)["static"];
export type ListCreate = (typeof list.ListCreate)["static"];
export type ListUpdate = (typeof list.ListUpdate)["static"];
export type ListMove = (typeof list.ListMove)["static"];

export type Type = "todo" | "list";
export type Row = Todo | List;

/** The list that a row is in; undefined for a list itself. */
export const listOf = ({ list_id }: Partial<Todo>): number | null | undefined => list_id;
