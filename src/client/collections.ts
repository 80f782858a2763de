/** `sync.todos` and `sync.lists`: how an app reads a copy and changes it. */
import type { Copy } from "./copy.ts";
import { type Operation, realId } from "./entries.ts";
import type {
  List,
  ListCreate,
  ListMove,
  ListUpdate,
  Row,
  Todo,
  TodoCreate,
  TodoMove,
  TodoUpdate,
  Type,
} from "./rows.ts";
import type { Local } from "./view.ts";

export type LocalTodo = Local<Todo>;
export type LocalList = Local<List>;

/**
 * The rows of one kind of the user who is logged in. They are the same objects until something changes. A row that was
 * created here has a negative id until the service gives it one; both lead to it as long as the page is open.
 */
interface Collection<Row, Create, Update, Move> {
  /** By position, then id. */
  all(): readonly Local<Row>[];
  get(id: number): Local<Row> | undefined;
  create(fields: Create): Local<Row>;
  /** Sets some fields. @returns the row as it is then, or undefined when there is none */
  update(id: number, fields: Update): Local<Row> | undefined;
  move(id: number, place: Move): Local<Row> | undefined;
  /** Puts a todo into the trash, or deletes a list and puts its todos there. */
  delete(id: number): void;
}

export interface Todos extends Collection<Todo, TodoCreate, TodoUpdate, TodoMove> {
  /** Takes it out of the trash. */
  restore(todo: Todo): void;
}

export type Lists = Collection<List, ListCreate, ListUpdate, ListMove>;

/** Negative, so it is no id of the service's; and no two tabs choose the same. */
const temporaryId = () => -1 - Math.floor(Math.random() * 1e15);

/** @param copy of the user who is logged in now */
export const listsIn = (copy: () => Copy | undefined): Lists =>
  collection<List, ListCreate, ListUpdate, ListMove>("list", copy);

/** @param copy of the user who is logged in now */
export const todosIn = (copy: () => Copy | undefined): Todos => ({
  ...collection<Todo, TodoCreate, TodoUpdate, TodoMove>("todo", copy),
  restore(todo) {
    add(copy(), { type: "todo", op: "restore", id: todo.id, todo });
  },
});

/** @throws Error when there is no copy */
function add(copy: Copy | undefined, operation: Operation) {
  if (!copy) throw new Error("No user is logged in yet.");
  copy.add({ ...operation, id: realId(copy.entries, operation.id) });
}

function collection<AnyRow extends Row, Create extends object, Update extends object, Move>(
  type: Type,
  copy: () => Copy | undefined,
): Collection<AnyRow, Create, Update, Move> {
  // What the types above say of `todos` and of `lists` belongs to their `type`: rows, fields and places.
  const rowAt = (id: number) => {
    const now = copy();
    return now?.view()[type].get(realId(now.entries, id)) as Local<AnyRow> | undefined;
  };
  const all = (): readonly unknown[] => copy()?.rows()[type] ?? [];
  const make = (operation: object) => add(copy(), { type, ...operation } as Operation);
  /** Makes a change of a row, if there is one. */
  function change(op: string, id: number, more: (row: object) => object) {
    const row = rowAt(id);
    if (row) make({ op, id, ...more(row) });
    return rowAt(id);
  }

  return {
    all: () => all() as readonly Local<AnyRow>[],
    get: rowAt,
    create(fields) {
      const id = temporaryId();
      make({ op: "create", id, fields });
      // It has just been added.
      return rowAt(id) as Local<AnyRow>;
    },
    update: (id, fields) =>
      change("update", id, (row) => ({
        fields,
        before: Object.fromEntries(Object.entries(row).filter(([name]) => name in fields)),
      })),
    move: (id, place) => change("move", id, () => ({ place })),
    delete: (id) => void change("delete", id, () => ({})),
  };
}
