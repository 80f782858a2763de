/**
 * Bookmarks: an answer may say how new the state is that its server has seen. A request that carries this bookmark is
 * never answered from an older state, whichever server answers it.
 */

const HEADER = "bookmark";

/** Keeps the newest bookmarks of each user, in memory. The key null is for requests without a user. */
export function createBookmarks() {
  const newest = new Map<string | null, Set<string>>();

  return {
    /**
     * Adds the bookmarks of `sender` to a request. After requests that overlapped there are several: bookmarks are
     * opaque, so only the service can tell which one is the newest.
     * @returns a function to call with the answer, and with the user whom the answer belongs to. At a log-in this is
     *   not the sender
     */
    attach(sender: string | null, headers: Headers) {
      // A request that has its own bookmark is not changed.
      const carried = headers.has(HEADER) ? [] : [...(newest.get(sender) ?? [])];
      if (carried.length > 0) headers.set(HEADER, carried.join(", "));
      return (answer: Response, receiver: string | null) => {
        const bookmark = answer.headers.get(HEADER);
        if (!bookmark) return;
        const kept = newest.get(receiver) ?? new Set();
        // The answer has seen everything that the bookmarks of its request stand for.
        for (const older of carried) kept.delete(older);
        newest.set(receiver, kept.add(bookmark));
      };
    },
  };
}
