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
 * A client that stays logged in. After a log-in it keeps the tokens, and after a log-out it drops them. It sends the
 * access token with each request, and renews it in time, once for all requests that wait. A request that gets no answer
 * at all (offline, aborted) rejects as `fetch` does. So a 503 always comes from the service.
 *
 * @param baseUrl with its scheme. In a browser it can also be a path on the page's own origin, or "" for its root
 */
export function createClient(baseUrl: string, options: ClientOptions = {}): Client {
  const base = baseUrl.replace(/\/+$/, "");
  const { request, session } = authenticatedFetch(base, options);
  return createTreaty(base, request, session);
}
