/**
 * The main part of the page: one view of the todos, with a form to add one, circles to tick them off, and a manual
 * order.
 */
import type { TargetedSubmitEvent } from "preact";
import { useRef, useState } from "preact/hooks";
import type { LocalTodo } from "todo-service/sync";
import { moveTodo, tickOff } from "./actions.ts";
import { sync } from "./data.ts";
import { dayName, dueName, isOverdue } from "./dates.ts";
import { ListDialog, TodoDialog } from "./dialogs.tsx";
import { Icon } from "./icons.tsx";
import { useReorder } from "./reorder.ts";
import type { View } from "./views.ts";

export function Todos({ view }: { view: View }) {
  const { title, list, open, done, empty } = view;
  const [isRenaming, setRenaming] = useState(false);
  const [edited, setEdited] = useState<LocalTodo>();
  return (
    <main>
      <div class="title">
        <h1 tabIndex={-1}>{title}</h1>
        {list && (
          <button type="button" class="quiet" onClick={() => setRenaming(true)}>
            <Icon name="edit" />
            Edit list
          </button>
        )}
      </div>
      {view.hash !== "" && <AddTodo view={view} />}
      <OpenTodos view={view} onEdit={setEdited} />
      {open.length + done.length === 0 && <p class="empty">{empty}</p>}
      {done.length > 0 && (
        <details open={view.hash === ""}>
          <summary>Done ({done.length})</summary>
          <ul class="todos">
            {done.map((todo) => (
              <li key={todo.key}>
                <Todo todo={todo} view={view} onEdit={setEdited} />
              </li>
            ))}
          </ul>
        </details>
      )}
      {isRenaming && list && <ListDialog list={list} onClose={() => setRenaming(false)} />}
      {edited && <TodoDialog todo={edited} onClose={() => setEdited(undefined)} />}
    </main>
  );
}

function AddTodo({ view }: { view: View }) {
  const { added } = view;
  const [date, setDate] = useState(added.due?.date ?? "");
  const picker = useRef<HTMLInputElement>(null);

  function add(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const contents = String(new FormData(event.currentTarget).get("contents")).trim();
    if (contents === "") return;
    sync.todos.create({ ...added, contents, ...(date !== "" && { due: { date } }) });
    event.currentTarget.reset();
    setDate(added.due?.date ?? "");
  }

  return (
    <form class="add" onSubmit={add}>
      <input
        name="contents"
        placeholder="Add a todo"
        aria-label="Add a todo"
        maxLength={1000}
        autocomplete="off"
        enterkeyhint="done"
      />
      <span class="date">
        <button type="button" class="quiet" onClick={() => picker.current?.showPicker()}>
          <Icon name="today" />
          {date === "" ? <span class="unseen">Due date</span> : dayName(date)}
        </button>
        <input
          ref={picker}
          type="date"
          tabIndex={-1}
          aria-label="Due date of the new todo"
          value={date}
          onInput={({ currentTarget }) => setDate(currentTarget.value)}
        />
      </span>
      <button type="submit" class="primary">
        Add
      </button>
    </form>
  );
}

interface ListProps {
  view: View;
  onEdit(todo: LocalTodo): void;
}

function OpenTodos({ view, onEdit }: ListProps) {
  const { open, isOrdered } = view;
  const keys = open.map(({ key }) => key);

  function move(key: number, to: number) {
    const todo = open.find((each) => each.key === key);
    const others = open.filter((each) => each.key !== key);
    if (!todo) return;
    moveTodo(todo, { after: others[to - 1]?.id ?? null }, `is now ${to + 1} of ${open.length}`);
  }

  const { dragged, handle, style } = useReorder(keys, move);
  return (
    <ul class={dragged === undefined ? "todos" : "todos reordering"} aria-label="Open todos">
      {open.map((todo, index) => (
        <li
          key={todo.key}
          class={todo.key === dragged ? "dragged" : undefined}
          style={style(index)}
        >
          {isOrdered && (
            <button
              type="button"
              class="grip"
              aria-label={`Move “${todo.contents}”: arrow up or down`}
              {...handle(todo.key)}
            >
              <Icon name="grip" />
            </button>
          )}
          <Todo todo={todo} view={view} onEdit={onEdit} />
        </li>
      ))}
    </ul>
  );
}

function Todo({ todo, view, onEdit }: ListProps & { todo: LocalTodo }) {
  const { contents, notes, is_done, due, repeat, list_id } = todo;
  const list = list_id !== null && !view.isOrdered ? sync.lists.get(list_id) : undefined;
  const isLate = isOverdue(todo);
  return (
    <div class={is_done ? "todo done" : "todo"}>
      <input
        type="checkbox"
        aria-label={`Done: ${contents}`}
        checked={is_done}
        onClick={({ currentTarget }) => {
          focusNext(currentTarget);
          tickOff(todo);
        }}
      />
      <button type="button" class="text" onClick={() => onEdit(todo)}>
        <span class="contents">{contents}</span>
        {notes && <span class="notes">{notes}</span>}
      </button>
      {(list || due) && (
        <span class="facts">
          {list && <span>{list.name}</span>}
          {due && (
            <span class={isLate ? "overdue" : undefined}>
              {repeat && <Icon name="repeat" />}
              {isLate && <span class="unseen">Overdue: </span>}
              {dueName(todo)}
            </span>
          )}
        </span>
      )}
    </div>
  );
}

/** A todo that is ticked off leaves its list. The focus moves to the next todo, or to the one before. */
function focusNext(checkbox: HTMLInputElement) {
  const item = checkbox.closest("li");
  const next = item?.nextElementSibling ?? item?.previousElementSibling;
  const target = next?.querySelector<HTMLElement>("input[type=checkbox]");
  (target ?? document.querySelector<HTMLElement>("h1"))?.focus();
}
