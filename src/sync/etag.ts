/**
 * Entity tags (RFC 9110 §8.8.3), by which a client asks whether what it has is still as it was. A row's is its `rev`. A
 * page's is weak: whose it is, and that user's revision. The user must be part of it, because a browser that had another
 * user before also sends the tag of what it got for that one.
 */
import { type Placeholder, type SQL, sql } from "drizzle-orm";
import { status } from "elysia";
import type { SessionRef } from "../auth/live-session.ts";
import { type ResponseHeaders, vary } from "../http/negotiation.ts";

interface EntityTag {
  isWeak: boolean;
  /** Without the quotes. */
  tag: string;
}

const TAG = /^\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*$/;

/** The tags in a list of them; none when it is malformed. */
export function entityTags(list: string): EntityTag[] {
  const tags: EntityTag[] = [];
  // No tag of ours has a comma. One that has is cut into pieces, and the list is malformed.
  for (const element of list.split(",")) {
    const [match, weak, tag = ""] = TAG.exec(element) ?? [];
    if (match === undefined) return [];
    tags.push({ isWeak: weak !== undefined, tag });
  }
  return tags;
}

const pageTag = ({ user_id }: SessionRef, revision: number) => `${user_id}.${revision}`;

/** Revisions of a user of which a page is there already, as values of statements; -1 for none. */
export interface KnownRevisions {
  /** Of the client's page. */
  known: number;
  /** Of the page that the service itself has kept. */
  kept: number;
}

/** @param kept the revision of the page that the service has */
export function knownRevisions(
  { headers }: Request,
  { user_id }: SessionRef,
  kept = -1,
): KnownRevisions {
  const prefix = `${user_id}.`;
  const tags = entityTags(headers.get("if-none-match") ?? "");
  // A client has one page of a kind. If it names more, the rows are read, and it is told all the same.
  const own = tags.find(({ tag }) => tag.startsWith(prefix))?.tag.slice(prefix.length) ?? "";
  // In any other spelling it is no tag of ours, and is not answered by 304.
  return { known: /^(0|[1-9]\d{0,14})$/.test(own) ? Number(own) : -1, kept };
}

/** Whether the page is there already. (By name: of columns, Drizzle would think that they are the query's own.) */
export const isKnown: SQL = sql`(
  (SELECT revision FROM users WHERE id = ${sql.placeholder("user_id")})
  IN (${sql.placeholder("known")}, ${sql.placeholder("kept")})
)`;

/**
 * The limit of a page's query: the value `limit` or, when the page is there already, none, so that it is not built.
 * `as`: SQLite takes an expression here, and Drizzle passes one on, but its types know placeholders and numbers alone.
 */
export const limitUnlessKnown =
  sql`iif(${isKnown}, 0, ${sql.placeholder("limit")})` as unknown as Placeholder;

/** The parts of an Elysia context that are needed to answer by a tag. */
interface Context {
  request: Request;
  set: { headers: ResponseHeaders };
}

/** An answer without a body. `as`: see `notModified` in `documentation.ts`. */
export const unchanged = () => status(304, undefined) as never;

/** Gives a row's answer its tag. True when the client has the row as it is: then the answer is 304. */
export const isRowKnown = (context: Context, { rev }: { rev: number }) =>
  tagAnswer(context, String(rev), `"${rev}"`);

/** The same for a page. */
export function isPageKnown(context: Context, session: SessionRef, revision: number): boolean {
  const tag = pageTag(session, revision);
  return tagAnswer(context, tag, `W/"${tag}"`);
}

function tagAnswer({ request, set }: Context, tag: string, etag: string): boolean {
  set.headers.etag = etag;
  // A browser may keep it, and asks before it uses it.
  set.headers["cache-control"] = "private, no-cache";
  vary(set.headers, "Authorization");
  const list = request.headers.get("if-none-match");
  if (list === null) return false;
  // Compared weakly (RFC 9110 §13.1.2).
  return list.trim() === "*" || entityTags(list).some((each) => each.tag === tag);
}
