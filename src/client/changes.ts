/** Fetches what has changed since the last time, page by page. */
import { failureOf } from "./backoff.ts";
import type { Changes, Entries } from "./entries.ts";
import type { Type } from "./rows.ts";

/** One page of `GET /todos/changes`. */
interface Page {
  /** Whole rows, and what is left of deleted ones: their ids. */
  changes: { type: Type; id: number; rev?: number; deleted?: true }[];
  next: string;
  has_more: boolean;
}

/**
 * @param get answers with what is at a path, whatever its status
 * @param write takes over a page
 * @throws Error when the answer is neither a page nor 410
 */
export async function catchUp(
  entries: Entries,
  get: (path: string) => Promise<Response>,
  write: (changes: Changes) => void,
): Promise<void> {
  let since = entries.next;
  /** The rows that there are, when all of them are fetched. */
  const found = since === undefined ? new Set<string>() : undefined;
  for (;;) {
    const query = since === undefined ? "" : `&since=${encodeURIComponent(since)}`;
    const answer = await get(`/todos/changes?limit=500${query}`);
    if (answer.status === 410) {
      // Too long ago: everything again. The queue is not touched.
      write({ next: null });
      return catchUp(entries, get, write);
    }
    if (!answer.ok) throw failureOf(answer);
    const page: Page = await answer.json();
    const changes: Record<string, unknown> = {};
    for (const { type, deleted, ...row } of page.changes) {
      const key = `${type}/${row.id}` as const;
      if (deleted) {
        changes[key] = null;
        continue;
      }
      found?.add(key);
      if (entries[key]?.rev !== row.rev) changes[key] = row;
    }
    since = page.next;
    if (found && !page.has_more) {
      for (const key of Object.keys(entries)) {
        if (/^(todo|list)\//.test(key) && !found.has(key)) changes[key] = null;
      }
    }
    // While all rows are fetched, there is no cursor yet to go on from.
    if (!found || !page.has_more) changes.next = since;
    // Under the key of a type are rows of that type.
    write(changes as Changes);
    if (!page.has_more) return;
  }
}
