/** The dialogs in front of the page: one for all fields of a todo, and one for the name of a list. */
import type { ComponentChildren, TargetedSubmitEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { LocalList, LocalTodo, TodoUpdate } from "todo-service/sync";
import { deleteList, deleteTodo, moveTodo, updateTodo } from "./actions.ts";
import { sync } from "./data.ts";

interface DialogProps {
  title: string;
  onClose(): void;
  onSave(form: FormData): void;
  onDelete?: (() => void) | undefined;
  children: ComponentChildren;
}

/** A form in front of the page. The browser keeps the focus in it, and closes it with Escape. */
function Dialog({ title, onClose, onSave, onDelete, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);

  /** This happens at once. The event "close" comes later, when the next dialog may already be open. */
  function close() {
    // With this, the focus returns to where it was.
    dialog.current?.close();
    onClose();
  }

  function save(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    onSave(new FormData(event.currentTarget));
    close();
  }

  return (
    <dialog ref={dialog} onCancel={close} aria-labelledby="dialog-title">
      <form onSubmit={save}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        <div class="buttons">
          {onDelete && (
            <button
              type="button"
              class="danger"
              onClick={() => {
                close();
                onDelete();
              }}
            >
              Delete
            </button>
          )}
          <button type="button" class="quiet" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </dialog>
  );
}

export function TodoDialog(props: { todo: LocalTodo; onClose(): void }) {
  // The todo as it was when the dialog opened. Only the fields that the user changes are saved, so changes by others
  // are kept.
  const [todo] = useState(props.todo);

  function save(form: FormData) {
    const text = (name: string) => String(form.get(name) ?? "");
    const contents = text("contents").trim();
    const notes = text("notes").trim() || null;
    const date = text("due");
    const list_id = text("list") === "" ? null : Number(text("list"));
    const fields: TodoUpdate = {
      ...(contents !== "" && contents !== todo.contents && { contents }),
      ...(notes !== todo.notes && { notes }),
      ...(date !== (todo.due?.date ?? "") && {
        due: date === "" ? null : { ...todo.due, date },
        // Without a due date, a todo cannot repeat.
        ...(date === "" && todo.repeat && { repeat: null }),
      }),
    };
    if (Object.keys(fields).length > 0) updateTodo(todo, fields);
    if (list_id !== todo.list_id) moveTodo(todo, { list_id });
  }

  return (
    <Dialog
      title="Edit todo"
      onClose={props.onClose}
      onSave={save}
      onDelete={() => deleteTodo(todo)}
    >
      <label class="field">
        What
        <input name="contents" required maxLength={1000} defaultValue={todo.contents} />
      </label>
      <label class="field">
        Notes
        <textarea name="notes" rows={4} maxLength={10_000} defaultValue={todo.notes ?? ""} />
      </label>
      <div class="fields">
        <label class="field">
          Due
          <input name="due" type="date" defaultValue={todo.due?.date ?? ""} />
        </label>
        <label class="field">
          List
          <select name="list" defaultValue={String(todo.list_id ?? "")}>
            <option value="">Inbox</option>
            {sync.lists.all().map(({ id, key, name }) => (
              <option key={key} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
    </Dialog>
  );
}

/** Asks for the name of a new list, or for a new name. */
export function ListDialog({ list, onClose }: { list?: LocalList; onClose(): void }) {
  function save(form: FormData) {
    const name = String(form.get("name")).trim();
    if (name === "") return;
    if (list) sync.lists.update(list.id, { name });
    else location.hash = `#list/${sync.lists.create({ name }).id}`;
  }
  return (
    <Dialog
      title={list ? "Edit list" : "New list"}
      onClose={onClose}
      onSave={save}
      onDelete={list && (() => deleteList(list))}
    >
      <label class="field">
        Name
        <input name="name" required maxLength={100} defaultValue={list?.name ?? ""} />
      </label>
    </Dialog>
  );
}
