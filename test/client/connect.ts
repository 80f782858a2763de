/** A client whose traffic is recorded and can be redirected, and ways to log in with it. */
import { expect } from "bun:test";
import {
  type Client,
  type ClientOptions,
  createClient,
  type StoredTokens,
  type TokenStore,
} from "../../src/client/client.ts";
import { PASSWORD } from "../service.ts";

/** Handles requests on their way. Without an answer from this function, a request goes to the service. */
export type Detour = (route: string, init: RequestInit) => Promise<Response> | undefined;

/** A client whose traffic is recorded, with its store, which the test can read. */
export function connectTo(
  url: string,
  { detour, ...options }: ClientOptions & { detour?: Detour } = {},
) {
  const sent: { route: string; headers: Headers }[] = [];
  const store = options.store ?? keep();
  let ends = 0;
  const client = createClient(url, {
    ...options,
    store,
    onSessionEnd: () => {
      ends++;
    },
    fetch(url, init) {
      const route = `${init.method} ${new URL(url).pathname}`;
      sent.push({ route, headers: new Headers(init.headers) });
      return detour?.(route, init) ?? fetch(url, init);
    },
  });
  return {
    client,
    store,
    sent,
    count: (route: string) => sent.filter((each) => each.route === route).length,
    ends: () => ends,
  };
}

export function keep(tokens: StoredTokens | null = null): TokenStore {
  return {
    get: () => tokens,
    set(next) {
      tokens = next;
    },
  };
}

let names = 0;

/** Signs up a new user and logs in with the client. Returns the user's name. */
export async function logIn(client: Client, username = `client-${++names}`): Promise<string> {
  const json = { username, password: PASSWORD };
  await client.users["sign-up"].post(json);
  const { error } = await client.users["log-in"].post(json);
  expect(error).toBeNull();
  return username;
}
