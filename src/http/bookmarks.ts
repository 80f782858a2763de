/**
 * Bookmarks: the header `Bookmark` of an answer says how far it has seen the database. A request that sends it back is
 * never answered from an older state. They exist where replicas answer reads.
 */
import { BEGINNING, later, type Position } from "../database/position.ts";
import { createRequestView, type RequestScope } from "../database/request-view.ts";
import type { Seal } from "../seal.ts";

const HEADER = "bookmark";

/** What a bookmark says under its seal: a position's count and, where there is one, its index. */
const TEXT = /^(?<count>\d{1,15})(?:-(?<index>\d{1,15}))?$/;

export interface Bookmarks {
  /**
   * Answers a request by `answer`, which sees at least what the request's bookmarks say, and bookmarks the answer.
   * @param answer may be called twice; the second answer then counts
   */
  follow(request: Request, answer: () => Response | Promise<Response>): Promise<Response>;
}

/** @param seal keeps clients from making up positions, which would let replicas wait for what never comes */
export function createBookmarks(scope: RequestScope, seal: Seal): Bookmarks {
  function open(bookmark: string): Position {
    const text = seal.open(HEADER, bookmark);
    const { count, index } = TEXT.exec(text ?? "")?.groups ?? {};
    // One that this service did not give counts for nothing.
    if (count === undefined) return BEGINNING;
    return { count: Number(count), index: index === undefined ? undefined : Number(index) };
  }

  function close({ count, index }: Position): string {
    return seal.close(HEADER, index === undefined ? `${count}` : `${count}-${index}`);
  }

  return {
    async follow(request, answer) {
      // A client whose requests have overlapped sends several. The size of a request's headers limits their number.
      const bookmarks = request.headers.get(HEADER)?.split(",") ?? [];
      const before = bookmarks.map((each) => open(each.trim())).reduce(later, BEGINNING);
      // Other methods write, and that is for the primary. A replica could refuse what a log-in needs.
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
