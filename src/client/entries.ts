/** What a store holds of one user's copy, by its keys: the rows as the service last told them, and what is to be sent. */
import type {
  List,
  ListCreate,
  ListMove,
  ListUpdate,
  Todo,
  TodoCreate,
  TodoMove,
  TodoUpdate,
} from "./rows.ts";

export interface Entries {
  [todo: `todo/${number}`]: Todo;
  [list: `list/${number}`]: List;
  [queued: `queue/${string}`]: Queued;
  [alias: `alias/${number}`]: Alias;
  /** The cursor of the last page of changes. Without one, all rows are to be fetched. */
  next?: string;
  /** The request that is on its way, or whose answer was lost. */
  sending?: Sending;
}

/** The id that the service gave `to` a row that was created here under another. */
interface Alias {
  from: number;
  to: number;
}

/** Entries to write; null removes one. */
export type Changes = { [Key in keyof Entries]?: Entries[Key] | null };

/**
 * A change that the service does not have yet. Ids are as they were when it was made: a row created here has a negative
 * one until the service gives it its own.
 */
export type Operation =
  | { type: "todo"; op: "create"; id: number; fields: TodoCreate }
  | {
      type: "todo";
      op: "update";
      id: number;
      fields: TodoUpdate;
      before: TodoUpdate;
    }
  | { type: "todo"; op: "move"; id: number; place: TodoMove }
  | { type: "todo"; op: "delete"; id: number }
  | { type: "todo"; op: "restore"; id: number; todo: Todo }
  | { type: "list"; op: "create"; id: number; fields: ListCreate }
  | {
      type: "list";
      op: "update";
      id: number;
      fields: ListUpdate;
      before: ListUpdate;
    }
  | { type: "list"; op: "move"; id: number; place: ListMove }
  | { type: "list"; op: "delete"; id: number };

export interface Queued {
  /** Sorts by the order in which the changes were made, those of other tabs among them. */
  key: string;
  /** When it was made: RFC 3339, by the clock of this device. */
  at: string;
  operation: Operation;
}

/** A request, kept as it was first sent, so that it can be sent again byte for byte. */
export interface Sending {
  /** When it was first sent: RFC 3339, by the clock of this device. */
  at: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** What it asks for. */
  operations: Sent[];
}

/** An operation of a request: one change of the queue, or several updates of one row. */
export interface Sent {
  /** Of the queue. */
  keys: string[];
  /** When the last of them was made. */
  at: string;
  operation: Operation;
}

interface Kinds {
  todo: Todo;
  list: List;
  queue: Queued;
  alias: Alias;
}

export function valuesOf<Kind extends keyof Kinds>(entries: Entries, kind: Kind): Kinds[Kind][] {
  const prefix = `${kind}/`;
  return (
    Object.entries(entries)
      .filter(([key]) => key.startsWith(prefix))
      // A key begins with the kind of its value.
      .map(([, value]) => value as Kinds[Kind])
  );
}

/** The changes that the service does not have yet, in their order. */
export const queueOf = (entries: Entries): Queued[] =>
  valuesOf(entries, "queue").sort((a, b) => (a.key < b.key ? -1 : 1));

/** The id that the service knows the row by; negative while it does not know it. */
export const realId = (entries: Entries, id: number): number => entries[`alias/${id}`]?.to ?? id;

/** Makes `changes` to `entries`. */
export function apply(entries: object, changes: object): void {
  Object.assign(entries, changes);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) Reflect.deleteProperty(entries, key);
  }
}
