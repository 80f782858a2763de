/**
 * The entries of one user's copy in a store, by their keys: the rows as the service last reported them, and the changes
 * to send.
 */
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
  /** The cursor of the last page of changes. Without a cursor, all rows have to be fetched. */
  next?: string;
  /** The request that is under way, or whose answer was lost. */
  sending?: Sending;
}

/** The id `to` that the service gave to a row that was created here under another id. */
interface Alias {
  from: number;
  to: number;
}

/** Entries to write; null removes one. */
export type Changes = { [Key in keyof Entries]?: Entries[Key] | null };

/**
 * A change that the service does not have yet. Its ids are those of the time when it was made: a row that was created
 * here has a negative id until the service gives it an id.
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
  /** A key that sorts in the order in which the changes were made, including those of other tabs. */
  key: string;
  /** When it was made: RFC 3339, by the clock of this device. */
  at: string;
  operation: Operation;
  /** Sent apart from updates of other fields of its row, because the service has refused them together. */
  apart?: true;
}

/** A request, kept exactly as it was first sent, so that it can be sent again byte for byte. */
export interface Sending {
  /** When it was first sent: RFC 3339, by the clock of this device. */
  at: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** What the request asks for. */
  operations: Sent[];
}

/** An operation of a request: one change of the queue, or several updates of one row. */
export interface Sent {
  /** Keys in the queue. */
  keys: string[];
  /** When each field of an update was set: RFC 3339, by the clock of this device. */
  times: Record<string, string>;
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
      // The beginning of a key says of what kind its value is.
      .map(([, value]) => value as Kinds[Kind])
  );
}

/** The changes that the service does not have yet, in order. */
export const queueOf = (entries: Entries): Queued[] =>
  valuesOf(entries, "queue").sort((a, b) => (a.key < b.key ? -1 : 1));

/** The id under which the service knows the row. Negative while the service does not know the row. */
export const realId = (entries: Entries, id: number): number => entries[`alias/${id}`]?.to ?? id;

/** Applies `changes` to `entries`. */
export function apply(entries: object, changes: object): void {
  Object.assign(entries, changes);
  for (const [key, value] of Object.entries(changes)) {
    // Any object may lose an entry here.
    if (value === null) delete (entries as Record<string, unknown>)[key];
  }
}
