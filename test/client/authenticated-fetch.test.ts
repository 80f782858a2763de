/** How the client keeps a session alive, tested against a running service. */
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setSystemTime,
  spyOn,
  test,
} from "bun:test";
import { type Client, createClient, type TokenStore } from "../../src/client/client.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import { connectTo, type Detour, keep, logIn } from "./connect.ts";

const ACCESS_TOKEN_TTL = 30 * 60;
const REFRESH = "POST /users/refresh";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const connect = (options?: Parameters<typeof connectTo>[1]) => connectTo(service.url, options);

/** Only by the clock of the service: the client finds out by a 401. */
const expireAccessTokens = () => service.passSeconds(ACCESS_TOKEN_TTL + 1);

/** Sends this number of requests at the same time. Returns their statuses. */
async function statusesOf(count: number, request: (i: number) => Promise<{ status: number }>) {
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => request(i)));
  return answers.map(({ status }) => status);
}

const outcome = (settled: PromiseSettledResult<unknown>) => ({ reason: undefined, ...settled });

/** Resolves when `open` is called. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

describe("logged in", () => {
  test("a log-in's tokens are kept and sent, but not where tokens are asked for", async () => {
    const { client, store, sent } = connect();
    await logIn(client);
    const tokens = await store.get();
    expect(tokens).toEqual({
      access_token: expect.any(String),
      token_type: "bearer",
      expires_in: ACCESS_TOKEN_TTL,
      refresh_token: expect.any(String),
      renew_at: expect.any(Number),
    });
    expect((await client.users.me.get()).status).toBe(200);
    expect(sent.at(-1)?.headers.get("authorization")).toBe(`Bearer ${tokens?.access_token}`);
    await client.users["log-in"].post({ username: "nobody", password: PASSWORD });
    expect(sent.at(-1)?.headers.get("authorization")).toBeNull();
  });

  test("a refresh by the caller is kept too", async () => {
    const { client, store } = connect();
    await logIn(client);
    const refresh_token = (await store.get())?.refresh_token ?? "";
    const { data } = await client.users.refresh.post({ refresh_token });
    expect(data).not.toBeNull();
    expect(await store.get()).toMatchObject({ ...data });
  });

  test("without a store the tokens are in memory, and without a fetch it is the runtime's", async () => {
    const client = createClient(service.url);
    await logIn(client);
    expect((await client.users.me.get()).status).toBe(200);
  });

  test("the service's address may end with a slash", async () => {
    const urls: string[] = [];
    const client = createClient(`${service.url}/`, {
      fetch(url, init) {
        urls.push(url);
        return fetch(url, init);
      },
    });
    await client.health.alive.get();
    expect(urls).toEqual([`${service.url}/health/alive`]);
  });

  test("a wrong password ends nothing, and refreshes nothing", async () => {
    const { client, store, count, ends } = connect();
    const username = await logIn(client);
    const tokens = await store.get();
    const answer = await client.users["log-in"].post({ username, password: "wrong horse" });
    expect(answer.error?.status).toBe(401);
    expect(await store.get()).toEqual(tokens);
    expect([count(REFRESH), ends()]).toEqual([0, 0]);
  });

  test("a caller's own Authorization is left alone, and so is its 401", async () => {
    const { client, sent, count } = connect();
    await logIn(client);
    const options = { headers: { authorization: "Bearer mine" } };
    expect((await client.users.me.get(options)).status).toBe(401);
    expect(sent.at(-1)?.headers.get("authorization")).toBe("Bearer mine");
    expect(count(REFRESH)).toBe(0);
  });

  const ends: [string, (client: Client) => Promise<{ status: number }>][] = [
    ["logging out", (client) => client.users["log-out"].post()],
    ["deleting oneself", (client) => client.users.me.delete({ password: PASSWORD })],
    ["ending every session", (client) => client.users.me.sessions.delete()],
  ];
  test.each(ends)("%s drops the tokens", async (_, end) => {
    const { client, store, ...seen } = connect();
    await logIn(client);
    expect((await end(client)).status).toBe(204);
    expect(await store.get()).toBeNull();
    const { error } = await client.users.me.get();
    expect(error?.status).toBe(401);
    expect([seen.count(REFRESH), seen.ends()]).toEqual([0, 0]);
  });

  test("a log-out that is answered after another user's log-in drops nothing", async () => {
    const one = connect({
      detour(route, init) {
        if (route !== "POST /users/log-out") return undefined;
        return logIn(two.client, "next-one").then(() =>
          fetch(`${service.url}/users/log-out`, init),
        );
      },
    });
    const two = connect({ store: one.store });
    await logIn(one.client);
    expect((await one.client.users["log-out"].post()).status).toBe(204);
    expect((await two.client.users.me.get()).data?.username).toBe("next-one");
  });

  test("logging out of a session that has ended is no end of the session", async () => {
    const { client, store, ends } = connect();
    const username = await logIn(client);
    const { token } = await service.logIn(username);
    await service.call("DELETE", "/users/me/sessions", { token });
    expect((await client.users["log-out"].post()).status).toBe(401);
    expect([await store.get(), ends()]).toEqual([null, 0]);
  });

  test("logging out without an answer is forgotten when the session turns out to live", async () => {
    let isDown = true;
    const { client, store, ends } = connect({
      detour: (route) =>
        isDown && route === "POST /users/log-out" ? Promise.reject(new TypeError()) : undefined,
    });
    const username = await logIn(client);
    const { token } = await service.logIn(username);
    await expect(client.users["log-out"].post()).rejects.toThrow(TypeError);
    isDown = false;
    expect((await client.users.me.get()).status).toBe(200);
    await service.call("DELETE", "/users/me/sessions", { token });
    expect((await client.users.me.get()).status).toBe(401);
    expect([await store.get(), ends()]).toEqual([null, 1]);
  });

  test("what fails to end the session drops nothing", async () => {
    const { client, store } = connect();
    await logIn(client);
    const { error } = await client.users.me.delete({ password: "wrong horse" });
    expect(error?.status).toBe(403);
    expect(await store.get()).not.toBeNull();
  });
});

describe("an access token that is about to expire", () => {
  afterEach(() => {
    setSystemTime();
  });

  /** By the clock of the client too. */
  const passMinutes = (minutes: number) => setSystemTime(Date.now() + minutes * 60_000);

  test("is renewed before it is sent: 25 calls at once are 26 requests", async () => {
    const { client, sent, count } = connect();
    await logIn(client);
    sent.length = 0;
    passMinutes(31);
    expect(await statusesOf(25, () => client.todos.get())).toEqual(Array(25).fill(200));
    expect([sent.length, count(REFRESH)]).toEqual([26, 1]);
  });

  test("is renewed shortly before, and not earlier", async () => {
    const { client, sent, count } = connect();
    await logIn(client);
    sent.length = 0;
    passMinutes(26);
    await client.todos.get();
    expect(count(REFRESH)).toBe(0);
    passMinutes(3);
    await client.todos.get();
    expect([sent.length, count(REFRESH)]).toEqual([3, 1]);
  });

  test("is renewed in time also when the clock of the service is an hour ahead", async () => {
    const { client, sent, count } = connect();
    service.passSeconds(3600);
    await logIn(client);
    sent.length = 0;
    await client.todos.get();
    expect([sent.length, count(REFRESH)]).toEqual([1, 0]);
    passMinutes(31);
    await client.todos.get();
    expect([sent.length, count(REFRESH)]).toEqual([3, 1]);
  });

  test("is renewed in time after a reload, since the store has the moment", async () => {
    const before = connect();
    await logIn(before.client);
    const kept = JSON.stringify(await before.store.get());
    passMinutes(31);
    const { client, sent, count } = connect({ store: keep(JSON.parse(kept)) });
    expect((await client.todos.get()).status).toBe(200);
    expect([sent.length, count(REFRESH)]).toEqual([2, 1]);
  });

  test("is used until it is refused, when the store has no moment", async () => {
    const { token: access_token, refresh_token } = await service.user();
    const store = keep({ access_token, token_type: "bearer", expires_in: 1800, refresh_token });
    const { client, sent, count } = connect({ store });
    passMinutes(31);
    expect((await client.todos.get()).status).toBe(200);
    expect([sent.length, count(REFRESH)]).toEqual([3, 1]);
  });

  test("is sent to nobody else's todos, when another user logs in before the renewal", async () => {
    const one = connect({
      detour: (route) => {
        // Another tab logs in as someone else while this one is about to renew.
        if (route !== REFRESH) return undefined;
        return logIn(two.client).then(() => {
          const headers = { "content-type": "application/problem+json" };
          return Response.json({ code: "invalid_refresh_token" }, { status: 401, headers });
        });
      },
    });
    const two = connect({ store: one.store });
    await logIn(one.client);
    passMinutes(31);
    expect((await one.client.todos.post({ contents: "mine" })).status).toBe(401);
    expect((await two.client.todos.get()).data?.todos).toEqual([]);
    expect(one.ends()).toBe(0);
  });
});

describe("an access token that has expired", () => {
  test("is refreshed once for 20 requests at once, and each is sent again with its body", async () => {
    const { client, store, count, ends } = connect();
    await logIn(client);
    const before = await store.get();
    expireAccessTokens();
    const add = (i: number) => client.todos.post({ contents: `todo ${i}` });
    expect(await statusesOf(20, add)).toEqual(Array(20).fill(201));
    expect([count(REFRESH), ends()]).toEqual([1, 0]);
    expect((await store.get())?.refresh_token).not.toBe(before?.refresh_token);
    const { data } = await client.todos.get();
    const contents = data?.todos.map((todo) => todo.contents).sort();
    expect(contents).toEqual(Array.from({ length: 20 }, (_, i) => `todo ${i}`).sort());
  });

  test("is refreshed again when the next one has expired", async () => {
    const { client, count } = connect();
    await logIn(client);
    for (const times of [1, 2]) {
      expireAccessTokens();
      expect((await client.users.me.get()).status).toBe(200);
      expect(count(REFRESH)).toBe(times);
    }
  });

  test("ends the session when the refresh token is refused too: one callback, and a 401 each", async () => {
    const { client, store, count, ends } = connect();
    await logIn(client);
    const { token } = await otherSession(client);
    await service.call("DELETE", "/users/me/sessions", { token });
    expect(await statusesOf(20, () => client.todos.get())).toEqual(Array(20).fill(401));
    expect([count(REFRESH), ends()]).toEqual([1, 1]);
    expect(await store.get()).toBeNull();

    await logIn(client);
    expect((await client.todos.get()).status).toBe(200);
  });

  /** Logs in the client's user once more, on another client. */
  async function otherSession(client: Client) {
    const { data } = await client.users.me.get();
    return service.logIn(data?.username ?? "");
  }

  test("ends the session when what is kept for a refresh token is none", async () => {
    const { client, store, ends } = connect({
      store: keep({ access_token: "x", token_type: "bearer", expires_in: 1, refresh_token: "" }),
    });
    expect((await client.todos.get()).status).toBe(401);
    expect([ends(), await store.get()]).toEqual([1, null]);
  });

  test("outlasts a network that fails: requests reject as fetch does, and nothing is dropped", async () => {
    let isDown = true;
    const { client, store, ends } = connect({
      detour: (route) =>
        isDown && route === REFRESH ? Promise.reject(new TypeError("no network")) : undefined,
    });
    await logIn(client);
    const tokens = await store.get();
    expireAccessTokens();
    const waiting = Array.from({ length: 3 }, () => client.todos.get());
    for (const { status, reason } of (await Promise.allSettled(waiting)).map(outcome)) {
      expect([status, reason]).toEqual(["rejected", new TypeError("no network")]);
    }
    expect([ends(), await store.get()]).toEqual([0, tokens]);
    isDown = false;
    expect((await client.todos.get()).status).toBe(200);
  });

  test("outlasts a service that fails: each request gets that failure, and nothing is dropped", async () => {
    let isDown = true;
    let refused = 0;
    const { passed, open } = gate();
    const { client, store, count, ends } = connect({
      detour(route, init) {
        if (!isDown) return undefined;
        if (route === "GET /todos") {
          return fetch(`${service.url}/todos`, init).then((answer) => {
            if (++refused === 3) open();
            return answer;
          });
        }
        // Not before all three requests wait for it.
        return route === REFRESH
          ? passed
              .then(() => Bun.sleep(1))
              .then(() => Response.json({ code: "unavailable" }, { status: 503 }))
          : undefined;
      },
    });
    await logIn(client);
    const tokens = await store.get();
    expireAccessTokens();
    const answers = await Promise.all(Array.from({ length: 3 }, () => client.todos.get()));
    for (const { error } of answers) {
      if (error?.status !== 503) throw new Error("expected 503");
      expect(error.value.code).toBe("unavailable");
    }
    expect([count(REFRESH), ends(), await store.get()]).toEqual([1, 0, tokens]);
    isDown = false;
    expect((await client.todos.get()).status).toBe(200);
  });

  const refusals: [what: string, status: number, body: string, type: string][] = [
    ["a page with 401", 401, "<h1>Log in to this network</h1>", "text/html"],
    ["a page with 422", 422, "<h1>Unprocessable Content</h1>", "text/html"],
    ["another service's 401", 401, '{"code":"no_api_key"}', "application/problem+json"],
  ];
  test.each(refusals)(
    "outlasts a proxy that answers a refresh: %s",
    async (_, status, body, type) => {
      let isDown = true;
      const { client, store, ends } = connect({
        detour: (route) =>
          route === REFRESH && isDown
            ? Promise.resolve(new Response(body, { status, headers: { "content-type": type } }))
            : undefined,
      });
      await logIn(client);
      const tokens = await store.get();
      expireAccessTokens();
      expect((await client.todos.get()).status).toBe(status);
      expect([ends(), await store.get()]).toEqual([0, tokens]);
      isDown = false;
      expect((await client.todos.get()).status).toBe(200);
    },
  );

  test("is not replaced by another user's: what was sent for one is not sent again for another", async () => {
    const { passed, open } = gate();
    const { client, sent } = connect({
      detour: (route, init) =>
        route === "POST /todos"
          ? passed.then(() => fetch(`${service.url}/todos`, init))
          : undefined,
    });
    await logIn(client);
    expireAccessTokens();
    const adding = client.todos.post({ contents: "mine" });
    await logIn(client);
    open();
    expect((await adding).status).toBe(401);
    expect(sent.filter(({ route }) => route === "POST /todos")).toHaveLength(1);
    expect((await client.todos.get()).data?.todos).toEqual([]);
  });
});

describe("a password change", () => {
  const CHANGE = "PUT /users/me/password";
  const change = { current_password: PASSWORD, new_password: "quiet river lantern" };

  /** An answer with new tokens, as after a change that replaces the refresh token. */
  const newTokens = (username: string) =>
    service.call("POST", "/users/log-in", { json: { username, password: PASSWORD } });

  test("leaves the client logged in", async () => {
    const { client, ends } = connect();
    await logIn(client);
    expect((await client.users.me.password.put(change)).error).toBeNull();
    expireAccessTokens();
    expect((await client.todos.get()).status).toBe(200);
    expect(ends()).toBe(0);
  });

  test("may answer with new tokens, which are kept", async () => {
    let username = "";
    const { client, store, sent } = connect({
      detour: (route) => (route === CHANGE ? newTokens(username) : undefined),
    });
    username = await logIn(client);
    const before = await store.get();
    expect((await client.users.me.password.put(change)).status).toBe(200);
    const after = await store.get();
    expect(after?.refresh_token).not.toBe(before?.refresh_token);
    expect(after?.renew_at).toBeNumber();
    expect((await client.todos.get()).status).toBe(200);
    expect(sent.at(-1)?.headers.get("authorization")).toBe(`Bearer ${after?.access_token}`);
  });

  test("is not overtaken by a refresh, which would come with the old refresh token", async () => {
    const { passed, open } = gate();
    let username = "";
    const { client, count, ends } = connect({
      detour: (route) => (route === CHANGE ? passed.then(() => newTokens(username)) : undefined),
    });
    username = await logIn(client);
    const changing = client.users.me.password.put(change);
    while (count(CHANGE) === 0) await Bun.sleep(1);
    // This request is refused, so it asks for a refresh while the change is under way.
    expireAccessTokens();
    const listing = client.todos.get();
    while (count("GET /todos") === 0) await Bun.sleep(1);
    await service.call("GET", "/health/alive");
    expect(count(REFRESH)).toBe(0);
    open();
    expect((await changing).status).toBe(200);
    expect((await listing).status).toBe(200);
    expect([count(REFRESH), count("GET /todos"), ends()]).toEqual([0, 2, 0]);
  });

  test("does not log its user in again after another has logged in", async () => {
    let username = "";
    const one = connect({
      detour(route) {
        if (route !== CHANGE) return undefined;
        return logIn(two.client, "the-other").then(() => newTokens(username));
      },
    });
    const two = connect({ store: one.store });
    username = await logIn(one.client);
    expect((await one.client.users.me.password.put(change)).status).toBe(200);
    const { data: me } = await two.client.users.me.get();
    expect(me?.username).toBe("the-other");
  });
});

describe("a store that clients share", () => {
  /** As slow as a store may be, and it never returns the same object twice. */
  function slowStore(): TokenStore {
    let text = "null";
    return {
      async get() {
        await Bun.sleep(1);
        return JSON.parse(text);
      },
      async set(tokens) {
        await Bun.sleep(1);
        text = JSON.stringify(tokens);
      },
    };
  }

  test("logs all of them in", async () => {
    const store = slowStore();
    const [one, two] = [connect({ store }), connect({ store })];
    await logIn(one.client);
    expect((await two.client.users.me.get()).status).toBe(200);
  });

  test("is read again before a refresh: one client's is the other's", async () => {
    const store = slowStore();
    const { passed, open } = gate();
    const one = connect({ store });
    const two = connect({
      store,
      // Sent with the old token. The answer comes when the other client has a new one.
      detour: (route, init) =>
        route === "GET /todos"
          ? fetch(`${service.url}/todos`, init).then((answer) => passed.then(() => answer))
          : undefined,
    });
    await logIn(one.client);
    expireAccessTokens();
    const listing = two.client.todos.get();
    while (two.count("GET /todos") === 0) await Bun.sleep(1);
    expect((await one.client.users.me.get()).status).toBe(200);
    open();
    expect((await listing).status).toBe(200);
    expect([one.count(REFRESH), two.count(REFRESH)]).toEqual([1, 0]);
  });

  test("stands two refreshes at once", async () => {
    const store = slowStore();
    const { passed, open } = gate();
    let waiting = 0;
    // Neither refresh is sent before both are ready to send.
    const detour: Detour = (route, init) => {
      if (route !== REFRESH) return undefined;
      if (++waiting === 2) open();
      return passed.then(() => fetch(`${service.url}/users/refresh`, init));
    };
    const clients = [connect({ store, detour }), connect({ store, detour })];
    await logIn(createClient(service.url, { store }));
    expireAccessTokens();
    for (const { status } of await Promise.all(clients.map(({ client }) => client.todos.get()))) {
      expect(status).toBe(200);
    }
    expect(waiting).toBe(2);
    // The result is still valid after the leeway.
    expireAccessTokens();
    expect((await createClient(service.url, { store }).todos.get()).status).toBe(200);
  });

  test("keeps a log-out that comes while another client refreshes", async () => {
    const store = slowStore();
    const { client, ends } = connect({
      store,
      detour: (route, init) =>
        route === REFRESH
          ? fetch(`${service.url}/users/refresh`, init).then(async (answer) => {
              await store.set(null);
              return answer;
            })
          : undefined,
    });
    await logIn(client);
    expireAccessTokens();
    expect((await client.todos.get()).status).toBe(401);
    expect([await store.get(), ends()]).toEqual([null, 0]);
  });
});

describe("no answer", () => {
  test("rejects as fetch does, so that a 503 is the service's own", async () => {
    const cause = new TypeError("no network");
    const { client } = connect({ detour: () => Promise.reject(cause) });
    await expect(client.get()).rejects.toBe(cause);
  });

  test("a request's own signal aborts it", async () => {
    const { client } = connect();
    await logIn(client);
    const controller = new AbortController();
    const listing = client.todos.get({ fetch: { signal: controller.signal } });
    controller.abort();
    await expect(listing).rejects.toMatchObject({ name: "AbortError" });
    expect((await client.todos.get()).status).toBe(200);
  });

  test("the client's signal aborts every request, and those to come", async () => {
    const controller = new AbortController();
    const { client } = connect({ signal: controller.signal });
    await logIn(client);
    const { signal } = new AbortController();
    const listings = [client.todos.get(), client.todos.get({ fetch: { signal } })];
    controller.abort("closed");
    for (const each of [...listings, client.get()]) {
      expect(await each.catch((reason) => reason)).toBe("closed");
    }
  });

  test("who gives up waiting for a refresh leaves it to the others", async () => {
    const { passed, open } = gate();
    const { client, count } = connect({
      detour: (route, init) =>
        route === REFRESH
          ? passed.then(() => fetch(`${service.url}/users/refresh`, init))
          : undefined,
    });
    await logIn(client);
    expireAccessTokens();
    const controller = new AbortController();
    const impatient = client.todos.get({ fetch: { signal: controller.signal } });
    const patient = client.todos.get();
    while (count(REFRESH) === 0) await Bun.sleep(1);
    controller.abort("enough");
    expect(await impatient.catch((reason) => reason)).toBe("enough");
    open();
    expect((await patient).status).toBe(200);
    expect(count(REFRESH)).toBe(1);
  });

  test("a refresh that hangs ends with the client's signal", async () => {
    const controller = new AbortController();
    let refreshSignal: AbortSignal | null | undefined;
    const { client, count } = connect({
      signal: controller.signal,
      detour(route, { signal }) {
        if (route !== REFRESH) return undefined;
        refreshSignal = signal;
        return new Promise(() => {});
      },
    });
    await logIn(client);
    expireAccessTokens();
    const listing = client.todos.get();
    while (count(REFRESH) === 0) await Bun.sleep(1);
    controller.abort("closed");
    expect(await listing.catch((reason) => reason)).toBe("closed");
    expect(refreshSignal?.aborted).toBe(true);
  });

  const hanging: [what: string, hang: (init: RequestInit) => Promise<Response>][] = [
    ["without an answer", () => new Promise(() => {})],
    ["in the midst of its answer", async () => new Response(new ReadableStream())],
  ];
  test.each(hanging)(
    "a refresh that hangs %s is given up, and the next one works",
    async (_, hang) => {
      const { timeout } = AbortSignal;
      // The time until then is not part of the test.
      using limit = spyOn(AbortSignal, "timeout").mockImplementation(() => timeout(50));
      let hangs = true;
      const { client, store, ends } = connect({
        detour: (route, init) => (route === REFRESH && hangs ? hang(init) : undefined),
      });
      await logIn(client);
      const tokens = await store.get();
      expireAccessTokens();
      const waiting = await Promise.allSettled([client.todos.get(), client.users.me.get()]);
      expect(waiting.map(outcome)).toMatchObject(
        Array(2).fill({ reason: { name: "TimeoutError" } }),
      );
      expect([ends(), await store.get()]).toEqual([0, tokens]);
      hangs = false;
      expect((await client.todos.get()).status).toBe(200);
      expect(limit).toHaveBeenCalledWith(30_000);
    },
  );
});
