/** The rows as the user of this device sees them: the service's rows with the changes of the queue. */
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
  /** It does not change when a row that was created here gets its id from the service. */
  key: number;
  /** Whether the row has changes that the service does not have yet. */
  pending: boolean;
};

type Rows = Map<number, Local<Row>>;

/** Rows are never changed, only replaced. */
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

/** Applies one more change of the queue. */
export function applyTo(view: View, { operation, at }: Queued, entries: Entries): void {
  const { type } = operation;
  const rows = view[type];
  const id = realId(entries, operation.id);
  if (operation.op === "delete") {
    rows.delete(id);
    // When a list is deleted, its todos go too.
    for (const todo of view.todo.values()) {
      if (type === "list" && listOf(todo) === id) view.todo.delete(todo.id);
    }
    return;
  }
  const { op } = operation;
  const isNew = op === "create" || op === "restore";
  // The service may have given the row an id by now. Its key is still the one from its creation.
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
  // A row with the fields of a type is a row of that type.
  rows.set(id, changed as Local<Row>);
  if (op !== "update") place(rows, changed as Local<Row>, after && realId(entries, after));
}

type Content = TodoCreate & ListCreate & TodoMove;

/** The fields that a change sets in its row, as far as they can be known here. */
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

/** A new row, before its fields are set and before it has a place. */
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

/** Moves a row after `after` in its list, to the front for null, or to the end without it. */
function place(rows: Rows, row: Local<Row>, after: number | null | undefined) {
  const isBeside = (other: Row) => other.id !== row.id && listOf(other) === listOf(row);
  const others = inOrder([...rows.values()].filter(isBeside));
  const anchor = others.findIndex(({ id }) => id === after);
  if (after === null || anchor >= 0) {
    // All positions are numbered anew: only the service knows the free positions between its own.
    others.splice(anchor + 1, 0, row);
    for (const [position, each] of others.entries()) rows.set(each.id, { ...each, position });
  } else {
    rows.set(row.id, { ...row, position: (others.at(-1)?.position ?? 0) + 1 });
  }
}
