/** The typed client of the service: Eden treaty, with a session around it that keeps itself alive. */
import { type Treaty, treaty } from "@elysiajs/eden";
import type { App } from "./app.ts";
import type { Code, Problem } from "./http/problem.ts";
import type { User as UserSchema } from "./model/user.ts";
import type { Session as SessionSchema, Tokens } from "./sessions/model.ts";
import type { Todo as TodoSchema } from "./todos/model.ts";

export type { Tokens };
export type Todo = (typeof TodoSchema)["static"];
export type User = (typeof UserSchema)["static"];
export type Session = (typeof SessionSchema)["static"];
/** The body of each error (RFC 9457), by its `code`. */
export type Problems = { [C in Code]: Problem<C> };

/** Where a client keeps its tokens. Clients may share a store, as a page's tabs do; null is: logged out. */
export interface TokenStore {
  get(): Tokens | null | Promise<Tokens | null>;
  set(tokens: Tokens | null): void | Promise<void>;
}

export interface ClientOptions {
  /** In memory, unless told. */
  store?: TokenStore;
  /**
   * Called when the session has ended without being asked to: the access token was refused, and then the refresh
   * token. The store is empty by then, and every request that waited gets its 401.
   */
  onSessionEnd?: () => void;
  /** Sends each request; the global `fetch`, unless told. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Aborts every request of this client, beside the signal that a request may have of its own. */
  signal?: AbortSignal;
}

/**
 * The Eden treaty client of the service: the path, then the method, as in `client.todos({ id: 1 }).get()`. Left out are
 * the page for people and `/token`, which takes a form, as Eden sends none.
 */
export type Client = Omit<Treaty.Create<App>, "swagger" | "token">;

const LOG_IN = "POST /users/log-in";
/** Their answers are tokens to keep. They take no access token, so their 401 is about what they were sent. */
const GIVE_TOKENS = [LOG_IN, "POST /users/refresh"];
const END_SESSION = ["POST /users/log-out", "DELETE /users/me", "DELETE /users/me/sessions"];

/** What came of a refresh: tokens, or an answer that tells why not now; neither when the session has ended. */
interface Renewal {
  tokens?: Tokens | null;
  answer?: Response;
}

/**
 * Logging in through the client keeps the tokens, logging out drops them. Requests carry the access token; when it is
 * refused, the tokens are refreshed once for all requests that wait, and these are sent again. A request that gets
 * no answer at all (offline, aborted) rejects as `fetch` does, so that a 503 is always the service's own.
 *
 * @param baseUrl with its scheme; in a browser also a path of the page's own origin, or "" for its root
 */
export function createClient(baseUrl: string, options: ClientOptions = {}): Client {
  const { store = memoryStore(), onSessionEnd, fetch: send = fetch, signal } = options;
  const base = baseUrl.replace(/\/+$/, "");
  let logIns = 0;
  let refreshing: Promise<Renewal> | undefined;

  async function request(url: string, init: RequestInit): Promise<Response> {
    const [path] = url.slice(base.length).split("?", 1);
    const route = `${init.method} ${path}`;
    const signals = AbortSignal.any([signal, init.signal].filter((each) => each != null));
    const attempt = (tokens: Tokens | null) => {
      const headers = new Headers(init.headers);
      if (tokens) headers.set("authorization", `Bearer ${tokens.access_token}`);
      return send(url, { ...init, headers, signal: signals });
    };

    const bringsItsOwn =
      GIVE_TOKENS.includes(route) || new Headers(init.headers).has("authorization");
    const tokens = bringsItsOwn ? null : await store.get();
    const logInsBefore = logIns;
    let answer = await attempt(tokens);
    if (answer.status === 401 && tokens) {
      const renewal = await unlessAborted(signals, renew(tokens));
      if (renewal.answer) return renewal.answer.clone();
      // What was sent for one user is not sent again for another who has logged in meanwhile.
      if (renewal.tokens && logIns === logInsBefore) {
        await answer.body?.cancel();
        answer = await attempt(renewal.tokens);
      }
    }
    if (!answer.ok) return answer;
    if (route === LOG_IN) logIns++;
    if (GIVE_TOKENS.includes(route)) await store.set(await answer.clone().json());
    if (END_SESSION.includes(route)) await store.set(null);
    return answer;
  }

  function renew(refused: Tokens): Promise<Renewal> {
    refreshing ??= refresh(refused).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  async function refresh(refused: Tokens): Promise<Renewal> {
    const held = await store.get();
    // An earlier request, or another client of this store, was faster.
    if (held?.access_token !== refused.access_token) return { tokens: held };
    const answer = await send(`${base}/users/refresh`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refresh_token: held.refresh_token }),
      signal: signal ?? null,
    });
    // Anything but a refusal of the token itself may pass: the session is kept.
    if (!answer.ok && answer.status !== 401 && answer.status !== 422) return { answer };
    const tokens: Tokens | null = answer.ok ? await answer.json() : null;
    // A log-in, a log-out or another client's refresh meanwhile outranks this one.
    const heldNow = await store.get();
    if (heldNow?.access_token !== refused.access_token) return { tokens: heldNow };
    await store.set(tokens);
    if (!tokens) onSessionEnd?.();
    return { tokens };
  }

  return treaty<App>(base, {
    keepDomain: true,
    // A todo that reads "2024-01-01" is text.
    parseDate: false,
    // Eden calls it with an address and options alone; a runtime's type of `fetch` may have more to it.
    fetcher: ((url: string, init: RequestInit) =>
      request(url, init).catch((cause) => {
        throw new Error("no answer", { cause });
      })) as typeof fetch,
    // Eden would make a 503 of what `fetcher` throws, and that 503 no problem of the service's.
    throwHttpError({ value }) {
      if (value instanceof Error) throw value.cause;
      return false;
    },
  });
}

function memoryStore(): TokenStore {
  let kept: Tokens | null = null;
  return {
    get: () => kept,
    set(tokens) {
      kept = tokens;
    },
  };
}

/** Settles as `promise` does, or rejects as soon as `signal` aborts: one who gives up need not wait for a refresh. */
function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    promise.finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
  });
}
