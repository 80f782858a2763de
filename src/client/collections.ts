/** `sync.todos` and `sync.lists`: how an app reads and changes a copy. */
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
 * The rows of one kind, of the user who is logged in. They are the same objects until something changes. A row that was
 * created here has a negative id until the service gives it an id. Both ids find the row as long as the page is open.
 */
interface Collection<Row, Create, Update, Move> {
  /** Sorted by position, then by id. */
  all(): readonly Local<Row>[];
  get(id: number): Local<Row> | undefined;
  create(fields: Create): Local<Row>;
  /** Sets some fields. @returns the changed row, or undefined when there is no such row */
  update(id: number, fields: Update): Local<Row> | undefined;
  move(id: number, place: Move): Local<Row> | undefined;
  /** Moves a todo to the trash, or deletes a list and moves its todos to the trash. */
  delete(id: number): void;
}

export interface Todos extends Collection<Todo, TodoCreate, TodoUpdate, TodoMove> {
  /** Restores it from the trash. */
  restore(todo: Todo): void;
}

export type Lists = Collection<List, ListCreate, ListUpdate, ListMove>;

/** A negative number, so it is never an id of the service. Random, so two tabs do not choose the same one. */
const temporaryId = () => -1 - Math.floor(Math.random() * 1e15);

/** @param copy returns the copy of the user who is logged in now */
export const listsIn = (copy: () => Copy | undefined): Lists =>
  collection<List, ListCreate, ListUpdate, ListMove>("list", copy);

/** @param copy returns the copy of the user who is logged in now */
export const todosIn = (copy: () => Copy | undefined): Todos => ({
  ...collection<Todo, TodoCreate, TodoUpdate, TodoMove>("todo", copy),
  restore(todo) {
    add(copy(), { type: "todo", op: "restore", id: todo.id, todo });
  },
});

/** The fields of an operation that are ids. */
const IDS = ["id", "list_id", "after"];

/** @throws Error when there is no copy */
function add(copy: Copy | undefined, operation: Operation) {
  if (!copy) throw new Error("No user is logged in yet.");
  // The app may change its objects later, so the queue has a copy of them. It is made by way of JSON, because
  // `structuredClone` refuses a Proxy, and some frameworks wrap the state of an app in proxies.
  const text = JSON.stringify(operation, (name, value) =>
    // The tab that sends may have been opened after the row had got its id. It does not know the negative one.
    IDS.includes(name) ? realId(copy.entries, value) : value,
  );
  copy.add(JSON.parse(text));
}

function collection<AnyRow extends Row, Create extends object, Update extends object, Move>(
  type: Type,
  copy: () => Copy | undefined,
): Collection<AnyRow, Create, Update, Move> {
  // The types above say what `todos` and `lists` have. The same holds for `type`: its rows, fields and places.
  const rowAt = (id: number) => {
    const now = copy();
    return now?.view()[type].get(realId(now.entries, id)) as Local<AnyRow> | undefined;
  };
  const make = (operation: object) => add(copy(), { type, ...operation } as Operation);
  /** Makes a change of a row, if the row exists. */
  function change(op: string, id: number, more?: object) {
    if (rowAt(id)) make({ op, id, ...more });
    return rowAt(id);
  }

  return {
    all: () => (copy()?.rows()[type] ?? []) as readonly object[] as readonly Local<AnyRow>[],
    get: rowAt,
    create(fields) {
      const id = temporaryId();
      make({ op: "create", id, fields });
      // The row has just been added.
      return rowAt(id) as Local<AnyRow>;
    },
    update: (id, fields) =>
      change("update", id, {
        fields,
        before: Object.fromEntries(
          Object.entries({ ...rowAt(id) }).filter(([name]) => name in fields),
        ),
      }),
    move: (id, place) => change("move", id, { place }),
    delete: (id) => void change("delete", id),
  };
}
