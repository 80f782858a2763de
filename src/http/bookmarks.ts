/**
 * Bookmarks: the header `Bookmark` of an answer says how new the state is that the answer has seen. A request that
 * sends it back is never answered from an older state. Bookmarks exist only where replicas answer reads.
 */
import { BEGINNING, later, type Position } from "../database/position.ts";
import { createRequestView, type RequestScope } from "../database/request-view.ts";
import type { Seal } from "../seal.ts";

const HEADER = "bookmark";

/** The content of a bookmark under its seal: a position's count and, if there is one, its index. */
const TEXT = /^(?<count>\d{1,15})(?:-(?<index>\d{1,15}))?$/;

export interface Bookmarks {
  /**
   * Answers a request with `answer`. The request sees at least the state of its bookmarks, and the answer gets a
   * bookmark.
   * @param answer may be called twice; then the second answer is used
   */
  follow(request: Request, answer: () => Response | Promise<Response>): Promise<Response>;
}

/** @param seal prevents clients from inventing positions. A replica could wait for an invented position forever */
export function createBookmarks(scope: RequestScope, seal: Seal): Bookmarks {
  function open(bookmark: string): Position {
    const text = seal.open(HEADER, bookmark);
    const { count, index } = TEXT.exec(text ?? "")?.groups ?? {};
    // A bookmark that this service did not make is ignored.
    if (count === undefined) return BEGINNING;
    return { count: Number(count), index: index === undefined ? undefined : Number(index) };
  }

  function close({ count, index }: Position): string {
    return seal.close(HEADER, index === undefined ? `${count}` : `${count}-${index}`);
  }

  return {
    async follow(request, answer) {
      // A client whose requests have overlapped sends several. The size limit for the headers of a request limits their
      // number.
      const bookmarks = request.headers.get(HEADER)?.split(",") ?? [];
      const before = bookmarks.map((each) => open(each.trim())).reduce(later, BEGINNING);
      // Other methods write, so they need the primary. A replica could refuse what a log-in needs.
      const replicaAllowed = request.method === "GET" || request.method === "HEAD";
      let view = createRequestView(before, replicaAllowed);
      let response = await scope.run(view, answer);
      if (isRefusal(response) && view.hasSeenReplica()) {
        // A session or a todo may be too new for the replica.
        view = createRequestView(view.seen(), false);
        response = await scope.run(view, answer);
      }
      response.headers.set(HEADER, close(view.seen()));
      return response;
    },
  };
}

const isRefusal = ({ status }: Response) => status >= 400 && status < 500;
