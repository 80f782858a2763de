/**
 * Pages as they were last answered. The statement still runs at each request, and tells whether the session is live and
 * what the user's revision is. A page of that revision is answered as it was, without its rows being read again.
 */
import { keepJson } from "../http/kept-json.ts";
import type { TodoPage } from "./model.ts";

/** Characters of JSON that are kept: some hundred pages of 50 todos. */
const CAPACITY = 4 * 1024 * 1024;

export interface KeptPage {
  page: TodoPage;
  /** Of the user, when it was read. */
  revision: number;
  /** Characters of its JSON. */
  size: number;
}

export interface Pages {
  get(key: string): KeptPage | undefined;
  /** Keeps a page. Those that were not asked for the longest time make room for it. */
  set(key: string, page: TodoPage, revision: number): void;
}

/** @param capacity characters of JSON */
export function createPages(capacity = CAPACITY): Pages {
  // A Map keeps the order of insertion, and a page that is asked for is inserted anew.
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
      const kept = { page, revision, size: keepJson(page) };
      pages.set(key, kept);
      size += kept.size;
      for (const oldest of pages.keys()) {
        if (size <= capacity) break;
        remove(oldest);
      }
    },
  };
}
