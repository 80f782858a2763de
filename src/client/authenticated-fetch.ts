/**
 * Keeps a client logged in: keeps the tokens that a log-in brings, sends the access token with each request, renews it
 * in time, and drops the tokens when the session ends.
 */
import { createBookmarks } from "./bookmarks.ts";
import { inTime, unlessAborted } from "./limit.ts";
import { problemOf } from "./problem.ts";
import {
  arrived,
  isDue,
  memoryStore,
  type StoredTokens,
  type TokenStore,
  userOf,
} from "./tokens.ts";

export interface ClientOptions {
  /** Where the tokens are kept. In memory by default. */
  store?: TokenStore;
  /**
   * Called when the session has ended without a log-out: the service has refused the access token and then the refresh
   * token. The store is already empty. Every request that was waiting gets 401. Other clients with this store do not call
   * it.
   */
  onSessionEnd?: () => void;
  /** Sends each request. The global `fetch` by default. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Aborts every request of this client. A request may also have its own signal. */
  signal?: AbortSignal;
}

/** What the sync part of this package needs of a client. */
export interface ClientSession {
  /** The id of the user who is logged in, or null. */
  user(): Promise<string | null>;
  /**
   * Sends a request to a path of the service, only for this user.
   * @throws Error as `fetch` does, and when this user is not logged in
   */
  fetch(user: string, path: string, init: RequestInit): Promise<Response>;
  /**
   * Calls `listener` after each log-in, log-out and end of a session through this client, and when `fetch` finds that
   * its user is no longer logged in, because of another client with the same store.
   * @returns a function that stops this
   */
  subscribe(listener: (event: SessionEvent) => void): () => void;
}

export type SessionEvent = "log-in" | "log-out" | "end" | "other-user";

const LOG_IN = "POST /users/log-in";
const LOG_OUT = "POST /users/log-out";
const REFRESH = "POST /users/refresh";
const CHANGE_PASSWORD = "PUT /users/me/password";
/** These routes take no access token. Their 401 is about the values in the body. */
const WITHOUT_TOKEN = [LOG_IN, REFRESH];
/** The tokens in their answers replace those in the store. */
const GIVE_TOKENS = [LOG_IN, REFRESH, CHANGE_PASSWORD];
const END_SESSION = [LOG_OUT, "DELETE /users/me", "DELETE /users/me/sessions"];

/** Milliseconds. All other requests wait for a refresh, so it must not wait for ever itself. */
const REFRESH_LIMIT = 30_000;

/** New tokens, null when the session has ended, or an answer that says why there are no new tokens now. */
type Renewal = { tokens: StoredTokens | null } | { answer: Response };

/**
 * @param base the address of the service, without a slash at the end
 * @returns `request`, a `fetch` that rejects only when there is no answer at all (offline, aborted)
 */
export function authenticatedFetch(base: string, options: ClientOptions) {
  const { store = memoryStore(), onSessionEnd, fetch: send = fetch, signal } = options;
  const bookmarks = createBookmarks();
  let renewing: Promise<Renewal> | undefined;
  let replacing: Promise<unknown> = Promise.resolve();
  /** The user who has asked for the end of the session, as long as nothing says whether the service has heard it. */
  let leaving: string | null | undefined;
  const listeners = new Set<(event: SessionEvent) => void>();

  const session: ClientSession = {
    user: async () => userOf(await store.get()),
    fetch: (user, path, init) => request(base + path, init, user),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };

  return { request, session };

  /** @param only the user whose request it is; by default, the user who is logged in */
  async function request(url: string, init: RequestInit, only?: string): Promise<Response> {
    const [path] = url.slice(base.length).split("?", 1);
    const route = `${init.method} ${path}`;
    const takesToken = !WITHOUT_TOKEN.includes(route);
    const signals = AbortSignal.any([signal, init.signal].filter((each) => each != null));
    const signaled = { ...init, signal: signals };
    if (takesToken && new Headers(init.headers).has("authorization")) return send(url, signaled);

    let tokens = takesToken ? await store.get() : null;
    const user = userOf(tokens);
    if (only !== undefined && user !== only) {
      tell("other-user");
      throw new Error(`User ${only} is not logged in.`);
    }
    if (END_SESSION.includes(route)) leaving = user;
    const attempt = () => {
      const once = () => exchange(route, url, signaled, tokens);
      return route === CHANGE_PASSWORD ? inTurn(once) : once();
    };
    if (tokens && isDue(tokens)) {
      // An aborted request does not wait for a refresh.
      const renewal = await unlessAborted(signals, renew(tokens));
      if ("answer" in renewal) return renewal.answer.clone();
      // If this user has no new token, the service refuses the old one, and that is the answer.
      if (isFor(user, renewal.tokens)) tokens = renewal.tokens;
    }
    const answer = await attempt();
    // Another tab may have dropped the tokens before. Then nothing else tells the listeners of this log-out.
    if (answer.status === 401 && !tokens && route === LOG_OUT) tell("log-out");
    if (answer.status !== 401 || !tokens) return answer;
    const renewal = await unlessAborted(signals, renew(tokens));
    if ("answer" in renewal) return renewal.answer.clone();
    // Another user may have logged in meanwhile. A request of one user is never sent for another.
    if (!isFor(user, renewal.tokens)) return answer;
    await answer.body?.cancel();
    tokens = renewal.tokens;
    return attempt();
  }

  /** Sends a request once, and updates the store according to its answer. */
  async function exchange(
    route: string,
    url: string,
    init: RequestInit,
    tokens: StoredTokens | null,
  ): Promise<Response> {
    const user = userOf(tokens);
    const headers = new Headers(init.headers);
    if (tokens) headers.set("authorization", `Bearer ${tokens.access_token}`);
    const remember = bookmarks.attach(user, headers);
    const wasLeaving = leaving === user;
    const answer = await send(url, { ...init, headers });
    // This request was sent after the log-out and succeeds, so the session has not ended.
    if (answer.ok && wasLeaving) leaving = undefined;
    remember(answer, await keep(route, answer, user));
    return answer;
  }

  /** @returns the user whom the answer belongs to: after a log-in, the user who has just logged in */
  async function keep(route: string, answer: Response, user: string | null) {
    if (!answer.ok) return user;
    if (END_SESSION.includes(route) && isFor(user, await store.get())) {
      await store.set(null);
      tell("log-out");
    }
    if (!GIVE_TOKENS.includes(route) || answer.status === 204) return user;
    const tokens = arrived(await answer.clone().json());
    if (route === CHANGE_PASSWORD && !isFor(user, await store.get())) return user;
    await store.set(tokens);
    if (route === LOG_IN) tell("log-in");
    return userOf(tokens);
  }

  /** At most one refresh at a time, for all requests that wait for it. */
  function renew(old: StoredTokens): Promise<Renewal> {
    renewing ??= inTurn(() => refresh(old)).finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  async function refresh(old: StoredTokens): Promise<Renewal> {
    const held = await store.get();
    // An earlier request, or another client with this store, has already refreshed the tokens.
    if (held?.access_token !== old.access_token) return { tokens: held };
    const user = userOf(held);
    const headers = new Headers({ "content-type": "application/json" });
    const remember = bookmarks.attach(user, headers);
    const body = JSON.stringify({ refresh_token: held.refresh_token });
    const answer = await inTime(REFRESH_LIMIT, signal, (signal) =>
      send(`${base}/users/refresh`, { method: "POST", headers, body, signal }),
    );
    remember(answer, user);
    if (!answer.ok && !(await isRefusal(answer))) return { answer };
    const tokens = answer.ok ? arrived(await answer.json()) : null;
    // A log-in, a log-out or another client's refresh has happened meanwhile. It wins over this one.
    const heldNow = await store.get();
    if (heldNow?.access_token !== old.access_token) return { tokens: heldNow };
    await store.set(tokens);
    if (tokens) return { tokens };
    // A log-out of a session that has ended is a log-out all the same. So is one whose answer was lost.
    const isLogOut = leaving === user;
    tell(isLogOut ? "log-out" : "end");
    if (!isLogOut) onSessionEnd?.();
    return { tokens };
  }

  function tell(event: SessionEvent) {
    leaving = undefined;
    for (const listener of listeners) listener(event);
  }

  /**
   * Runs requests that replace the refresh token one after the other. A password change replaces it at once. A refresh
   * with the old token would then look like theft, and the service would end the session.
   */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = replacing.then(work);
    replacing = result.catch(() => {});
    return result;
  }
}

const isFor = (user: string | null, tokens: StoredTokens | null) =>
  tokens !== null && userOf(tokens) === user;

/** The problems of a refresh token that is no longer valid, or that never was one. */
const REFUSALS = ["invalid_refresh_token", "validation_failed"];

/** Whether the service itself refuses the refresh token. Any other failure may be temporary, also a proxy's 401. */
async function isRefusal(answer: Response): Promise<boolean> {
  const problem = await problemOf(answer);
  return problem !== undefined && REFUSALS.includes(problem.code);
}
