/** The typed client of the service: the package's entry "./client". */
import type { Code, Problem } from "../http/problem.ts";
import type { Tokens } from "../model/tokens.ts";
import type { User as UserSchema } from "../model/user.ts";
import type { Session as SessionSchema } from "../sessions/model.ts";
import type { Todo as TodoSchema } from "../todos/model.ts";
import {
  authenticatedFetch,
  type ClientOptions,
  type ClientSession,
} from "./authenticated-fetch.ts";
import { type Client, createTreaty } from "./treaty.ts";

export type { StoredTokens, TokenStore } from "./tokens.ts";
export type { Client, ClientOptions, ClientSession, Tokens };
export type Todo = (typeof TodoSchema)["static"];
export type User = (typeof UserSchema)["static"];
export type Session = (typeof SessionSchema)["static"];
/** The body of each error (RFC 9457), by its `code`. */
export type Problems = { [C in Code]: Problem<C> };

/**
 * A client that stays logged in. A log-in through it keeps the tokens, a log-out drops them, and the access token is
 * sent with each request and renewed in time, once for all requests that wait for it. A request that gets no answer at
 * all (offline, aborted) rejects as `fetch` does, so a 503 is always the service's own.
 *
 * @param baseUrl with its scheme; in a browser also a path on the page's own origin, or "" for its root
 */
export function createClient(baseUrl: string, options: ClientOptions = {}): Client {
  const base = baseUrl.replace(/\/+$/, "");
  const { request, session } = authenticatedFetch(base, options);
  return createTreaty(base, request, session);
}
