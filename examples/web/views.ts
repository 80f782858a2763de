/** The views of the page: the todos that are due today, the inbox, a list, or the results of a search. */
import type { LocalList, LocalTodo } from "todo-service/sync";
import { sync } from "./data.ts";
import { dayOf, dueDay, today } from "./dates.ts";

export interface View {
  title: string;
  /** The part of the address after `#`. */
  hash: string;
  open: LocalTodo[];
  done: LocalTodo[];
  /** The fields of a todo that is added in this view. */
  added: { list_id?: number | null; due?: { date: string } };
  /** The list that is shown. */
  list?: LocalList | undefined;
  /** Whether the user has chosen the order of the todos. */
  isOrdered: boolean;
  /** The text for an empty view. */
  empty: string;
}

/** @param hash the part of the page's address after `#`. An unknown one shows the inbox. */
export function viewAt(hash: string, search: string): View {
  if (search.trim() !== "") return found(search.trim());
  if (hash === "today") return dueToday();
  const list = sync.lists.get(Number(hash.replace("list/", "")));
  return list ? inList(list) : inbox();
}

export function inbox(): View {
  return {
    title: "Inbox",
    hash: "inbox",
    ...parted(sync.todos.all().filter((todo) => todo.list_id === null)),
    added: {},
    isOrdered: true,
    empty: "Nothing here. Write down what is on your mind.",
  };
}

export function inList(list: LocalList): View {
  return {
    title: list.name,
    hash: `list/${list.id}`,
    ...parted(sync.todos.all().filter((todo) => todo.list_id === list.id)),
    added: { list_id: list.id },
    list,
    isOrdered: true,
    empty: "Nothing in this list yet.",
  };
}

/** Todos that are due today, overdue, or done today. */
export function dueToday(): View {
  const day = today();
  const isShown = (todo: LocalTodo) => {
    if (todo.is_done) return todo.done_at !== null && dayOf(new Date(todo.done_at)) === day;
    return (dueDay(todo) ?? "9") <= day;
  };
  const { open, done } = parted(sync.todos.all().filter(isShown));
  return {
    title: "Today",
    hash: "today",
    open: open.sort((a, b) => ((dueDay(a) ?? "") < (dueDay(b) ?? "") ? -1 : 1)),
    done,
    added: { due: { date: day } },
    isOrdered: false,
    empty: "Nothing is due today.",
  };
}

function found(search: string): View {
  const text = folded(search);
  const matches = ({ contents, notes }: LocalTodo) =>
    folded(contents).includes(text) || folded(notes ?? "").includes(text);
  return {
    title: `“${search}”`,
    hash: "",
    ...parted(sync.todos.all().filter(matches)),
    added: {},
    isOrdered: false,
    empty: "Nothing found.",
  };
}

/** In upper or lower case, and in any width. */
const folded = (text: string) => text.normalize("NFKC").toLowerCase();

const parted = (todos: LocalTodo[]) => ({
  open: todos.filter((todo) => !todo.is_done),
  done: todos.filter((todo) => todo.is_done),
});
