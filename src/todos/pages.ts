/**
 * Keeps pages as they were last answered. The statement still runs for each request, and returns whether the session is
 * live and the user's revision. A page of that revision is answered again without reading its rows.
 */
import { keepJson } from "../http/kept-json.ts";
import type { TodoPage } from "./model.ts";

/** Maximum number of characters that are kept. This is a few hundred pages of 50 todos. */
const CAPACITY = 4 * 1024 * 1024;
/** What a page takes besides its key and its JSON, counted as characters. An empty page is not free. */
const PER_PAGE = 500;

export interface KeptPage {
  page: TodoPage;
  /** The user's revision when the page was read. */
  revision: number;
  /** Characters of its key and its JSON, and `PER_PAGE`. */
  size: number;
}

export interface Pages {
  get(key: string): KeptPage | undefined;
  /** Keeps a page. The pages that were not requested for the longest time are dropped for it. */
  set(key: string, page: TodoPage, revision: number): void;
}

/** @param capacity characters */
export function createPages(capacity = CAPACITY): Pages {
  // A Map keeps the order of insertion. A page that is requested is inserted again.
  const pages = new Map<string, KeptPage>();
  let size = 0;

  function remove(key: string): void {
    size -= pages.get(key)?.size ?? 0;
    pages.delete(key);
  }

  return {
    get(key) {
      const kept = pages.get(key);
      if (!kept) return undefined;
      pages.delete(key);
      pages.set(key, kept);
      return kept;
    },
    set(key, page, revision) {
      remove(key);
      const kept = { page, revision, size: key.length + keepJson(page) + PER_PAGE };
      pages.set(key, kept);
      size += kept.size;
      for (const oldest of pages.keys()) {
        if (size <= capacity) break;
        remove(oldest);
      }
    },
  };
}
