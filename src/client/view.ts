/** The rows as the user of this device sees them: those of the service, with the changes of the queue made to them. */
import { type Entries, type Operation, type Queued, queueOf, realId, valuesOf } from "./entries.ts";
import {
  type ListCreate,
  listOf,
  type Row,
  type TodoCreate,
  type TodoMove,
  type Type,
} from "./rows.ts";

/** A row of the copy. */
export type Local<Any> = Any & {
  /** Stays the same when a row that was created here gets its id from the service. */
  key: number;
  /** Whether it has changes that the service does not know yet. */
  pending: boolean;
};

type Rows = Map<number, Local<Row>>;

/** Its rows are never changed, only replaced. */
export type View = Record<Type, Rows>;

export function viewOf(entries: Entries): View {
  const keys = new Map(valuesOf(entries, "alias").map(({ from, to }) => [to, from]));
  const rowsOf = (type: Type): Rows =>
    new Map(
      valuesOf(entries, type).map((row) => [
        row.id,
        { ...row, key: keys.get(row.id) ?? row.id, pending: false },
      ]),
    );
  const view = { todo: rowsOf("todo"), list: rowsOf("list") };
  for (const queued of queueOf(entries)) applyTo(view, queued, entries);
  return view;
}

/** Makes one more change of the queue. */
export function applyTo(view: View, { operation, at }: Queued, entries: Entries): void {
  const { type } = operation;
  const rows = view[type];
  const id = realId(entries, operation.id);
  if (operation.op === "delete") {
    rows.delete(id);
    // A list goes with its todos.
    for (const todo of view.todo.values()) {
      if (type === "list" && listOf(todo) === id) view.todo.delete(todo.id);
    }
    return;
  }
  const { op } = operation;
  const isNew = op === "create" || op === "restore";
  // The service may have given it an id by now, and its key is still the one that it was created under.
  const row = isNew ? newRow(type, operation.id, at) : rows.get(id);
  if (!row) return;
  const { after, list_id, ...fields }: Partial<Content> = contentOf(operation, at);
  const changed = {
    ...row,
    ...fields,
    ...(list_id !== undefined && { list_id: list_id && realId(entries, list_id) }),
    id,
    updated_at: at,
    pending: true,
  };
  // A row with fields of its type is a row of its type.
  rows.set(id, changed as Local<Row>);
  if (op !== "update") place(rows, changed as Local<Row>, after && realId(entries, after));
}

type Content = TodoCreate & ListCreate & TodoMove;

/** What a change says about its row, as the row will have it, as far as that can be known here. */
function contentOf(operation: Exclude<Operation, { op: "delete" }>, at: string): Partial<Content> {
  if (operation.op === "restore") return operation.todo;
  if (operation.op === "move") return operation.place;
  const fields: Partial<Content> = operation.fields;
  const { due, is_done } = fields;
  return {
    ...fields,
    ...(is_done !== undefined && { done_at: is_done ? at : null }),
    ...(due && { due: { time: null, zone: null, ...due, at: null } }),
  };
}

/** A row as it is before anything is said about it, and before it has its place. */
const newRow = (type: Type, id: number, at: string) => ({
  ...(type === "todo" && {
    notes: null,
    is_done: false,
    done_at: null,
    priority: 0,
    due: null,
    repeat: null,
    list_id: null,
  }),
  id,
  rev: 0,
  created_at: at,
  key: id,
});

export const inOrder = <AnyRow extends Row>(rows: Iterable<AnyRow>): AnyRow[] =>
  [...rows].sort((a, b) => a.position - b.position || a.id - b.id);

/** Puts a row behind `after` in its list, or first for null, or last without it. */
function place(rows: Rows, row: Local<Row>, after: number | null | undefined) {
  const isBeside = (other: Row) => other.id !== row.id && listOf(other) === listOf(row);
  const others = inOrder([...rows.values()].filter(isBeside));
  const anchor = others.findIndex(({ id }) => id === after);
  if (after === null || anchor >= 0) {
    // Numbered anew: only the service knows what is free between its positions.
    others.splice(anchor + 1, 0, row);
    for (const [position, each] of others.entries()) rows.set(each.id, { ...each, position });
  } else {
    rows.set(row.id, { ...row, position: (others.at(-1)?.position ?? 0) + 1 });
  }
}
