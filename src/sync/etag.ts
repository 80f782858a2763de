/**
 * Entity tags (RFC 9110 §8.8.3). With them a client asks whether its copy is still current. The tag of a row is its
 * `rev`. The tag of a page is weak, and contains the user's id and the user's revision. The id is needed because a
 * browser may still send the tag of a page of the user who was logged in before.
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

/** The tags in a list of tags. Empty when the list is malformed. */
export function entityTags(list: string): EntityTag[] {
  const tags: EntityTag[] = [];
  // The service's own tags have no comma. A tag with a comma is cut into pieces, and then the list counts as malformed.
  for (const element of list.split(",")) {
    const [match, weak, tag = ""] = TAG.exec(element) ?? [];
    if (match === undefined) return [];
    tags.push({ isWeak: weak !== undefined, tag });
  }
  return tags;
}

const pageTag = ({ user_id }: SessionRef, revision: number) => `${user_id}.${revision}`;

/** Revisions of a user for which a page already exists, as values of statements; -1 for none. */
export interface KnownRevisions {
  /** The revision of the client's page. */
  known: number;
  /** The revision of the page that the service itself has kept. */
  kept: number;
}

/** @param kept the revision of the page that the service has kept */
export function knownRevisions(
  { headers }: Request,
  { user_id }: SessionRef,
  kept = -1,
): KnownRevisions {
  const prefix = `${user_id}.`;
  const tags = entityTags(headers.get("if-none-match") ?? "");
  // A client has one page of each kind. If it sends several tags, only the first one counts. With another one the rows
  // are read and sent.
  const own = tags.find(({ tag }) => tag.startsWith(prefix))?.tag.slice(prefix.length) ?? "";
  // A number in another spelling is not a tag of this service, so it never gives 304.
  return { known: /^(0|[1-9]\d{0,14})$/.test(own) ? Number(own) : -1, kept };
}

/**
 * Whether the page already exists. (The columns are written as text, because Drizzle would take them for columns of the
 * surrounding query.)
 */
export const isKnown: SQL = sql`(
  (SELECT revision FROM users WHERE id = ${sql.placeholder("user_id")})
  IN (${sql.placeholder("known")}, ${sql.placeholder("kept")})
)`;

/**
 * The limit of a page's query: the value `limit`, or 0 when the page already exists, so that it is not read. `as`:
 * SQLite accepts an expression here, and Drizzle passes it on, but its types allow only placeholders and numbers.
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

/** Sets the tag of a row's answer. Returns true when the client has the current row: then the answer is 304. */
export const isRowKnown = (context: Context, { rev }: { rev: number }) =>
  tagAnswer(context, String(rev), `"${rev}"`);

/** The same for a page. */
export function isPageKnown(context: Context, session: SessionRef, revision: number): boolean {
  const tag = pageTag(session, revision);
  return tagAnswer(context, tag, `W/"${tag}"`);
}

function tagAnswer({ request, set }: Context, tag: string, etag: string): boolean {
  set.headers.etag = etag;
  // A browser may keep the answer, and asks before it uses it.
  set.headers["cache-control"] = "private, no-cache";
  vary(set.headers, "Authorization");
  const list = request.headers.get("if-none-match");
  if (list === null) return false;
  // Compared weakly (RFC 9110 §13.1.2).
  return list.trim() === "*" || entityTags(list).some((each) => each.tag === tag);
}
