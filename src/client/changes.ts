/** Fetches what has changed since the last time, page by page. */
import { failureOf } from "./backoff.ts";
import type { Changes, Entries } from "./entries.ts";
import type { Type } from "./rows.ts";

/** One page of `GET /todos/changes`. */
interface Page {
  /** Complete rows. Of a deleted row, only the id. */
  changes: { type: Type; id: number; rev?: number; deleted?: true }[];
  next: string;
  has_more: boolean;
}

/**
 * @param get fetches a path and returns the answer, whatever its status
 * @param write takes over a page
 * @throws Error when the answer is neither a page nor 410
 */
export async function catchUp(
  entries: Entries,
  get: (path: string) => Promise<Response>,
  write: (changes: Changes) => void,
): Promise<void> {
  let since = entries.next;
  /** The rows that exist, while all of them are fetched again. */
  const found = since === undefined ? new Set<string>() : undefined;
  for (;;) {
    const query = since === undefined ? "" : `&since=${encodeURIComponent(since)}`;
    const answer = await get(`/todos/changes?limit=500${query}`);
    if (answer.status === 410) {
      // The cursor is too old: fetch everything again. The queue stays as it is.
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
    // While all rows are fetched, there is no cursor to continue from.
    if (!found || !page.has_more) changes.next = since;
    // Rows under the key of a type are of that type.
    write(changes as Changes);
    if (!page.has_more) return;
  }
}
