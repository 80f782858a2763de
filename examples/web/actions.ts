/** The actions of the user on todos and lists, each with its undo. */
import type { LocalList, LocalTodo, TodoMove, TodoUpdate } from "todo-service/sync";
import { sync } from "./data.ts";
import { say } from "./notices.tsx";

const { todos, lists } = sync;

export function tickOff(todo: LocalTodo): void {
  const is_done = !todo.is_done;
  todos.update(todo.id, { is_done });
  const words = is_done ? "is done" : "is open again";
  const undo = () => todos.update(todo.id, { is_done: !is_done });
  // The service has then already made the next one of a repeating todo. With an undo both would be open.
  say(`“${todo.contents}” ${words}.`, todo.repeat ? undefined : undo);
}

export function updateTodo(todo: LocalTodo, fields: TodoUpdate): void {
  const { contents, notes, due, repeat } = todo;
  todos.update(todo.id, fields);
  const before = Object.entries({ contents, notes, due, repeat }).filter(
    ([name]) => name in fields,
  );
  say(`“${fields.contents ?? contents}” is changed.`, () =>
    todos.update(todo.id, Object.fromEntries(before)),
  );
}

/** @param words about the new place, for the notice */
export function moveTodo(todo: LocalTodo, place: TodoMove, words = "is moved"): void {
  const before = placeOf(todo);
  todos.move(todo.id, place);
  say(`“${todo.contents}” ${words}.`, () => todos.move(todo.id, before));
}

export function deleteTodo(todo: LocalTodo): void {
  const before = placeOf(todo);
  todos.delete(todo.id);
  say(`“${todo.contents}” is deleted.`, () => {
    todos.restore(todo);
    todos.move(todo.id, before);
  });
}

/** Its todos are deleted too. */
export function deleteList(list: LocalList): void {
  const gone = todos.all().filter(({ list_id }) => list_id === list.id);
  lists.delete(list.id);
  location.hash = "#inbox";
  say(`The list “${list.name}” is deleted.`, () => {
    const { id } = lists.create({ name: list.name });
    for (const todo of gone) {
      todos.restore(todo);
      todos.move(todo.id, { list_id: id });
    }
    location.hash = `#list/${id}`;
  });
}

/** A function that moves a todo back to where it is now. */
function placeOf({ id, list_id }: LocalTodo): TodoMove {
  const beside = todos.all().filter((each) => each.list_id === list_id);
  const index = beside.findIndex((each) => each.id === id);
  return { list_id, after: beside[index - 1]?.id ?? null };
}
