/** The copy of one user's todos and lists: in memory to be read, in the store for later, and the same in all tabs. */
import {
  apply,
  type Changes,
  type Entries,
  type Operation,
  type Queued,
  queueOf,
  valuesOf,
} from "./entries.ts";
import { randomKey } from "./random.ts";
import type { Row, Type } from "./rows.ts";
import type { SyncStore } from "./stores.ts";
import { openTabs } from "./tabs.ts";
import { applyTo, inOrder, type Local, type View, viewOf } from "./view.ts";

/** What the tabs that share a copy tell each other. */
type Message = { changes: Changes } | { status: Status } | "hello" | "cleared";

/** How the copy is kept in step: by a stream of events, by asking now and then, not at the moment, or not yet. */
export type Status = "live" | "polling" | "offline" | "connecting";

/** By position, then id. */
type Shown = Record<Type, readonly Local<Row>[]>;

export interface CopyListener {
  /** After each change of rows or status. */
  onChange(): void;
  /** When there is something to send, from this tab or another. */
  onQueued(): void;
  /** When another tab has cleared the store. */
  onCleared(): void;
  /** When the store fails. */
  onError(error: unknown): void;
}

export type Copy = Awaited<ReturnType<typeof openCopy>>;

/** @throws what the store throws when it cannot be read */
export async function openCopy(user: string, store: SyncStore, listener: CopyListener) {
  const entries: Entries = {};
  let view: View | undefined;
  /** The rows of the view in their order. */
  let shown: Shown | undefined;
  /** The last key of the queue so far. */
  let newest = "queue/0";
  let status: Status = "connecting";
  let writing = Promise.resolve();

  const name = store.name === undefined ? undefined : `${store.name}/${user}`;
  // Nobody but `save` below writes there.
  const reading = store.read(user) as Promise<Entries>;
  const tabs = openTabs<Message>(name, async (message) => {
    // What another tab has changed meanwhile comes on top of what is read.
    await reading.catch(tabs.close);
    if (message === "cleared") return listener.onCleared();
    if (message === "hello") {
      if (status !== "connecting") tabs.post({ status });
      return;
    }
    if ("changes" in message) take(message.changes);
    else status = message.status;
    listener.onChange();
  });

  function take(changes: Changes) {
    apply(entries, changes);
    for (const [key, value] of Object.entries(changes)) {
      // Nothing that is shown depends on the entries without a slash. What is under "queue/" is a `Queued`.
      if (!key.includes("/")) continue;
      shown = undefined;
      const isAdded = key.startsWith("queue/") && value !== null;
      const isLast = isAdded && key > newest;
      // A change at the end of the queue is made to the view as it is; all else needs a new one.
      if (view && isLast) applyTo(view, value as Queued, entries);
      else view = undefined;
      if (isLast) newest = key;
      if (isAdded) listener.onQueued();
    }
  }

  const stored = await reading;
  const old = oldAliases(stored);
  take({ ...stored, ...old });
  // Not told to the other tabs, which have been open for longer.
  save(old);
  tabs.post("hello");

  function write(changes: Changes) {
    take(changes);
    tabs.post({ changes });
    save(changes);
    listener.onChange();
  }

  function save(changes: Changes) {
    writing = writing.then(() => store.write(user, changes)).catch(listener.onError);
  }

  function viewNow(): View {
    view ??= viewOf(entries);
    return view;
  }

  return {
    user,
    entries,
    write,
    /** Does something while no other tab does. */
    inTurn: tabs.inTurn,

    view: viewNow,

    /** The rows in their order, the same arrays until something changes. */
    rows(): Shown {
      const { todo, list } = viewNow();
      shown ??= { todo: inOrder(todo.values()), list: inOrder(list.values()) };
      return shown;
    },

    /** Makes a change here at once, and puts it at the end of the queue. */
    add(operation: Operation) {
      const last = Number.parseInt(newest.slice("queue/".length), 10);
      const place = String(last + 1).padStart(16, "0");
      // Two tabs may come to the same place at once.
      const key = `${place}-${randomKey()}`;
      const changes: Changes = {};
      changes[`queue/${key}`] = { key, at: new Date().toISOString(), operation };
      write(changes);
    },

    status: () => status,
    setStatus(next: Status) {
      if (next === status) return;
      status = next;
      tabs.post({ status });
      listener.onChange();
    },

    /** Resolves when everything so far is in the store. */
    saved: () => writing,

    /** Removes it from the store. */
    async clear() {
      await writing;
      await store.clear(user);
      tabs.post("cleared");
    },

    close: tabs.close,
  };
}

/**
 * What removes the ids under which rows were created, unless the queue still has them. A page knows them no longer than
 * it is open, and this one has just been opened.
 */
function oldAliases(entries: Entries): Changes {
  const old: Changes = {};
  if (queueOf(entries).length === 0) {
    for (const { from } of valuesOf(entries, "alias")) old[`alias/${from}`] = null;
  }
  return old;
}
