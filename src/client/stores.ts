/** Where a copy is kept between two visits: in memory, in `localStorage` or in IndexedDB. */
import { apply } from "./entries.ts";

/** Keeps entries for each user, by the user's id. An entry is a JSON value under a key. */
export interface SyncStore {
  /** A name that is the same in every tab that shares the store. Missing when nothing is shared. */
  readonly name?: string;
  /** All entries of the user, by their keys. */
  read(user: string): Promise<Record<string, unknown>>;
  /**
   * Sets entries; null removes an entry. Either all of `changes` are done or, after a crash, a part from their
   * beginning. Writes are done in the order of the calls. When it rejects, the client writes these entries again later.
   */
  write(user: string, changes: Record<string, unknown>): Promise<void>;
  /** Removes all entries of the user. */
  clear(user: string): Promise<void>;
}

/** For data that does not have to survive the page. */
export function memoryStore(): SyncStore {
  const users: Record<string, Record<string, unknown>> = {};
  return {
    read: async (user) => structuredClone(users[user] ?? {}),
    async write(user, changes) {
      users[user] ??= {};
      apply(users[user], structuredClone(changes));
    },
    async clear(user) {
      users[user] = {};
    },
  };
}

/**
 * Keeps the copy in `localStorage`, which holds about 5 MB: some thousand todos. Every script on the page can read it.
 * @param name the first part of its keys, so that an origin can have several stores
 */
export const localStorageStore = (name: string): SyncStore => webStorageStore(name, localStorage);

export function webStorageStore(name: string, storage: Storage): SyncStore {
  const prefixOf = (user: string) => `${name}/${user}/`;
  const entriesOf = (user: string) =>
    Object.entries(storage).filter(([key]) => key.startsWith(prefixOf(user)));
  return {
    name,
    read: async (user) =>
      Object.fromEntries(
        entriesOf(user).map(([key, text]) => [key.slice(prefixOf(user).length), JSON.parse(text)]),
      ),
    async write(user, changes) {
      for (const [key, value] of Object.entries(changes)) {
        if (value === null) storage.removeItem(prefixOf(user) + key);
        else storage.setItem(prefixOf(user) + key, JSON.stringify(value));
      }
    },
    async clear(user) {
      for (const [key] of entriesOf(user)) storage.removeItem(key);
    },
  };
}

const ENTRIES = "entries";

/**
 * Keeps the copy in IndexedDB, which may use much of the disk.
 * @param name the name of the database
 */
export function indexedDbStore(name: string): SyncStore {
  let opening: Promise<IDBDatabase> | undefined;

  async function open(): Promise<IDBDatabase> {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(ENTRIES);
    const database = await resultOf(request);
    // A browser may close the database, for example when the user deletes the data of a site. It is then opened again.
    database.onclose = () => {
      opening = undefined;
    };
    return database;
  }

  /** Does work in a new transaction. Resolves with its result when the transaction is on the disk. */
  async function transact<Result>(
    mode: IDBTransactionMode,
    work: (entries: IDBObjectStore) => Result,
  ): Promise<Result> {
    opening ??= open().catch((error) => {
      opening = undefined;
      throw error;
    });
    const transaction = (await opening).transaction(ENTRIES, mode, { durability: "strict" });
    const result = work(transaction.objectStore(ENTRIES));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return result;
  }

  /** The keys of a user are `[user, key]`. In IndexedDB an array sorts after every string. */
  const allOf = (user: string) => IDBKeyRange.bound([user], [user, []]);

  return {
    name,
    async read(user) {
      const { result } = await transact("readonly", (entries) => entries.getAll(allOf(user)));
      return Object.fromEntries(result);
    },
    write: (user, changes) =>
      transact("readwrite", (entries) => {
        for (const [key, value] of Object.entries(changes)) {
          if (value === null) entries.delete([user, key]);
          else entries.put([key, value], [user, key]);
        }
      }),
    clear: (user) => transact("readwrite", (entries) => void entries.delete(allOf(user))),
  };
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
