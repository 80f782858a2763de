/**
 * The copy of one user's todos and lists: in memory for reading, in the store for the next visit, and the same in all
 * tabs.
 */
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

/** Messages between the tabs that share a copy. */
type Message = { changes: Changes } | { status: Status } | "hello" | "cleared";

/** How the copy is kept up to date: by a stream of events, by regular requests, not at the moment, or not known yet. */
export type Status = "live" | "polling" | "offline" | "connecting";

/** Sorted by position, then by id. */
type Shown = Record<Type, readonly Local<Row>[]>;

export interface CopyListener {
  /** Called after each change of rows or of the status. */
  onChange(): void;
  /** Called when there is something to send, from this tab or another. */
  onQueued(): void;
  /** Called when another tab has cleared the store. */
  onCleared(): void;
  /** Called when the store fails. */
  onError(error: unknown): void;
}

export type Copy = Awaited<ReturnType<typeof openCopy>>;

/** @throws the error of the store when the store cannot be read */
export async function openCopy(user: string, store: SyncStore, listener: CopyListener) {
  const entries: Entries = {};
  let view: View | undefined;
  /** The rows of the view, in their order. */
  let shown: Shown | undefined;
  /** The last key in the queue so far. */
  let newest = "0";
  let status: Status = "connecting";
  /** What the store does not have yet, in the order of the changes. */
  const unsaved: Record<string, unknown> = {};
  let writing = Promise.resolve();

  // Only `save` below writes there.
  const reading = store.read(user) as Promise<Entries>;
  const tabs = openTabs<Message>(store.name, user, async (message) => {
    // The changes that another tab has made meanwhile are applied after the entries are read.
    await reading.catch(() => {});
    if (message === "cleared") return listener.onCleared();
    if (message === "hello") {
      if (status !== "connecting") tabs.post({ status });
      return;
    }
    if ("changes" in message) take(message.changes);
    else status = message.status;
    listener.onChange();
  });
  // Without the entries there is no copy that could be closed later.
  reading.catch(tabs.close);

  function take(changes: Changes) {
    apply(entries, changes);
    for (const [key, value] of Object.entries(changes)) {
      // This value is newer. If another tab has set it, that tab stores it too.
      delete unsaved[key];
      // Entries without a slash in their key do not change what is shown. Entries under "queue/" are of type `Queued`.
      if (!key.includes("/")) continue;
      shown = undefined;
      const queued = key.startsWith("queue/") && (value as Queued | null);
      const isLast = queued && queued.key > newest;
      // A change at the end of the queue is applied to the existing view. For anything else, the view is made again.
      if (view && isLast) applyTo(view, queued, entries);
      else view = undefined;
      if (isLast) newest = queued.key;
      if (queued) listener.onQueued();
    }
  }

  const stored = await reading;
  // An id under which a row was created is valid only as long as its copy is open, and this copy has just been opened. So
  // all of them are removed, unless the queue still uses them.
  const old: Changes = {};
  if (queueOf(stored).length === 0) {
    for (const { from } of valuesOf(stored, "alias")) old[`alias/${from}`] = null;
  }
  take({ ...stored, ...old });
  // Not sent to the other tabs, because they have been open for longer.
  save(old);
  tabs.post("hello");

  function write(changes: Changes) {
    take(changes);
    tabs.post({ changes });
    save(changes);
    listener.onChange();
  }

  /** Stores changes, and with them what the store has refused before. */
  function save(changes: Changes) {
    Object.assign(unsaved, changes);
    writing = writing.then(saveNow, saveNow);
    writing.catch(listener.onError);
  }

  async function saveNow() {
    const now = { ...unsaved };
    if (Object.keys(now).length > 0) await store.write(user, now);
    for (const key in now) {
      // What has changed meanwhile is stored next.
      if (unsaved[key] === now[key]) delete unsaved[key];
    }
  }

  function viewNow(): View {
    view ??= viewOf(entries);
    return view;
  }

  return {
    user,
    entries,
    write,
    /** Runs work while no other tab runs it. */
    inTurn: tabs.inTurn,

    view: viewNow,

    /** The rows in their order. The arrays are the same until something changes. */
    rows(): Shown {
      const { todo, list } = viewNow();
      shown ??= { todo: inOrder(todo.values()), list: inOrder(list.values()) };
      return shown;
    },

    /** Makes a change in the copy at once, and adds it at the end of the queue. */
    add(operation: Operation) {
      const last = Number.parseInt(newest, 10);
      const place = String(last + 1).padStart(16, "0");
      // Two tabs may choose the same place at the same time.
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

    save,

    /**
     * Resolves when everything so far is in the store.
     * @throws the error of the store when it has refused something. The next `save` tries again
     */
    saved: () => writing,

    /** Removes the copy from the store. */
    async clear() {
      await writing.catch(() => {});
      await store.clear(user);
      tabs.post("cleared");
    },

    close: tabs.close,
  };
}
