/**
 * The part of the package that keeps a copy of the todos: the entry "./sync". The copy can be changed at any time, also
 * offline. The changes are sent as soon as possible.
 */
import type { ClientSession, SessionEvent } from "./authenticated-fetch.ts";
import { delayAfter } from "./backoff.ts";
import { type Lists, listsIn, type Todos, todosIn } from "./collections.ts";
import { type Copy, openCopy, type Status } from "./copy.ts";
import { type Engine, type EngineOptions, startEngine } from "./engine.ts";
import { queueOf } from "./entries.ts";
import { unlessAborted } from "./limit.ts";
import { memoryStore, type SyncStore } from "./stores.ts";

export type { Lists, LocalList, LocalTodo, Todos } from "./collections.ts";
export type { Operation } from "./entries.ts";
export type { Conflict, ResolveConflict } from "./merge.ts";
export type { Problem } from "./problem.ts";
export type { Refusal } from "./results.ts";
export type {
  List,
  ListCreate,
  ListMove,
  ListUpdate,
  Todo,
  TodoCreate,
  TodoMove,
  TodoUpdate,
} from "./rows.ts";
export { indexedDbStore, localStorageStore, memoryStore, type SyncStore } from "./stores.ts";

export interface SyncOptions extends EngineOptions {
  /** Where the copy is kept. In memory by default. */
  store?: SyncStore;
  /** Called when the store fails, for example because it is full. Nothing is sent until the store works again. */
  onStoreError?: (error: unknown) => void;
}

export interface Sync {
  todos: Todos;
  lists: Lists;
  /** Calls `listener` after every change of the rows or of the status. @returns a function that stops this */
  subscribe(listener: () => void): () => void;
  /**
   * Resolves when the copy of the user who is logged in is loaded, or when nobody is logged in. Also when the store has
   * failed to load it: this is tried again and again.
   */
  ready(): Promise<void>;
  /**
   * `live`: changes by others arrive at once. `polling`: they arrive after some seconds. `offline`: the service cannot
   * be reached, or nothing can be sent because the store fails. `connecting`: this is not known yet. `logged-out`: there
   * is no copy.
   */
  status(): SyncStatus;
  /** The number of changes that the service does not have yet. */
  pending(): number;
  /** Why the status is `offline`. */
  error(): unknown;
  /** Resolves when the service has every change, or when nobody is logged in. Offline, this may take long. */
  flush(): Promise<void>;
  /**
   * Tries again at once when offline, or when the store has failed, and looks whether another tab has logged in or out.
   * This also happens by itself when a browser reports that the network is back.
   */
  retry(): void;
  /** Stops the synchronization. The copy stays in the store, which gets the last changes before this resolves. */
  close(): Promise<void>;
}

export type SyncStatus = Status | "logged-out";

/** Milliseconds. If another tab has logged out, its message that it has cleared the store comes within this time. */
const LOOK_AFTER = 1_000;

/** Milliseconds for the last writes to the store before a copy is closed. */
const SAVE_LIMIT = 3_000;

/**
 * Keeps a copy of the todos of the user who is logged in with `client`. The copy works offline. The tabs that use the
 * same store share it. A log-out removes it from the store.
 */
export function createSync(client: { "~session": ClientSession }, options: SyncOptions = {}): Sync {
  const { store = memoryStore(), onStoreError = () => {} } = options;
  const session = client["~session"];
  const listeners = new Set<() => void>();
  let current: { copy: Copy; engine: Engine } | undefined;
  /** The former copy, until it is closed. No other copy is opened before. */
  let former: { copy: Copy; engine: Engine; isForgotten: boolean } | undefined;
  const closing = new AbortController();
  let failures = 0;
  let looking: ReturnType<typeof setTimeout> | undefined;
  let retrying: ReturnType<typeof setTimeout> | undefined;
  let switching = enter();
  const unsubscribe = session.subscribe((event) =>
    event === "other-user" ? look() : switchUser(event),
  );
  // After each of these events, another tab may have logged in or out. Outside of browsers there are none.
  for (const type of ["storage", "visibilitychange", "online"]) {
    globalThis.addEventListener?.(type, look, { signal: closing.signal });
  }

  function look() {
    looking ??= setTimeout(switchUser, LOOK_AFTER);
  }

  function switchUser(event?: SessionEvent | "cleared") {
    switching = switching.then(() => enter(event));
  }

  /** Opens the copy of the user who is logged in now. The copy of another user is closed first. */
  async function enter(event?: SessionEvent | "cleared") {
    clearTimeout(retrying);
    clearTimeout(looking);
    looking = undefined;
    try {
      const user = closing.signal.aborted ? null : await session.user();
      const isSame = (current?.copy.user ?? null) === user;
      if (isSame && !former && event !== "cleared") return;
      if (current) {
        // This is also needed when another tab has cleared the store: this tab may have written something since.
        const isForgotten = (event === "log-out" || event === "cleared") && !isSame;
        former = { ...current, isForgotten };
        current = undefined;
      }
      if (former) {
        const { copy, engine, isForgotten } = former;
        // A store whose writes never end must not hold this up for ever.
        const last = engine.close().then(copy.saved);
        await unlessAborted(AbortSignal.timeout(SAVE_LIMIT), last).catch(() => {});
        if (isForgotten) await copy.clear();
        copy.close();
        former = undefined;
      }
      if (user !== null) {
        const copy = await openCopy(user, store, {
          onChange: tell,
          onQueued: () => current?.engine.wake(),
          onCleared: () => switchUser("cleared"),
          onError: onStoreError,
        });
        current = { copy, engine: startEngine(copy, session, options) };
      }
      failures = 0;
    } catch (error) {
      // An error in this callback is the app's own error. It must not stop the work here.
      queueMicrotask(() => onStoreError(error));
      if (closing.signal.aborted) former?.copy.close();
      else retrying = setTimeout(switchUser, delayAfter(error, ++failures));
    }
    tell();
  }

  function tell() {
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        // This is an error of the app. It is reported, but it must not stop the work here.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  function subscribe(listener: () => void) {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  const copyNow = () => current?.copy;
  const pending = () => (current ? queueOf(current.copy.entries).length : 0);

  return {
    todos: todosIn(copyNow),
    lists: listsIn(copyNow),
    subscribe,
    ready: () => switching,
    status: () => current?.copy.status() ?? "logged-out",
    pending,
    error: () => current?.engine.lastError(),
    async flush() {
      await switching;
      while (pending() > 0) {
        await new Promise<void>((resolve) => {
          const end = subscribe(() => {
            end();
            resolve();
          });
        });
      }
    },
    retry() {
      current?.engine.retry();
      switchUser();
    },
    async close() {
      closing.abort();
      unsubscribe();
      switchUser();
      await switching;
    },
  };
}
