/**
 * Bookmarks: an answer may tell how far its server had seen the database. A request that carries that bookmark is
 * never answered from an older state, whichever server answers it.
 */

const HEADER = "bookmark";

/** Keeps the newest bookmarks of each user, in memory. Null stands for requests without a user. */
export function createBookmarks() {
  const newest = new Map<string | null, Set<string>>();

  return {
    /**
     * Adds the bookmarks of `sender` to a request. After requests that overlapped there are several, because bookmarks
     * are opaque: only the service can tell which is the newest.
     * @returns what to call with the answer, and with the user whose it is (at a log-in, that is not the sender)
     */
    attach(sender: string | null, headers: Headers) {
      // A request that brings a bookmark of its own is left alone.
      const carried = headers.has(HEADER) ? [] : [...(newest.get(sender) ?? [])];
      if (carried.length > 0) headers.set(HEADER, carried.join(", "));
      return (answer: Response, receiver: string | null) => {
        const bookmark = answer.headers.get(HEADER);
        if (!bookmark) return;
        const kept = newest.get(receiver) ?? new Set();
        // The answer has seen all that its request carried.
        for (const older of carried) kept.delete(older);
        newest.set(receiver, kept.add(bookmark));
      };
    },
  };
}
