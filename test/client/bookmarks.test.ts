/** Bookmarks, tested against an HTTP server that sends a new one with each answer and records the requests. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { createClient } from "../../src/client/client.ts";
import { keep } from "./connect.ts";

let count = 0;
let received: { route: string; bookmark: string | null }[] = [];
/** Answers wait for this promise. */
let gate: Promise<void> | undefined;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const route = `${request.method} ${pathname}`;
    const bookmark = request.headers.get("bookmark");
    received.push({ route, bookmark });
    const headers = { bookmark: `b${++count}` };
    await gate;
    if (request.headers.get("authorization")?.includes("expired")) {
      return Response.json({ code: "unauthorized" }, { status: 401 });
    }
    if (pathname === "/health/alive") return Response.json({ status: "ok" });
    if (route === "POST /users/log-in")
      return Response.json(tokens(await request.json()), { headers });
    if (route === "POST /users/refresh")
      return Response.json(tokens({ username: "mina" }), { headers });
    if (route === "POST /users/log-out") return new Response(null, { status: 204, headers });
    return Response.json({}, { headers });
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  count = 0;
  received = [];
  gate = undefined;
});

const tokens = ({ username }: { username: string }) => ({
  access_token: `e30.${Buffer.from(JSON.stringify({ sub: username })).toString("base64url")}.sign`,
  token_type: "bearer" as const,
  expires_in: 1800,
  refresh_token: username,
});

const address = server.url.href;
const logInAs = (client: ReturnType<typeof createClient>, username: string) =>
  client.users["log-in"].post({ username, password: "correct horse battery" });
const bookmarks = () => received.map(({ bookmark }) => bookmark);

test("the last one is sent with the next request, from the log-in on", async () => {
  const client = createClient(address);
  await logInAs(client, "mina");
  await client.todos.get();
  await client.todos.post({ contents: "Buy milk" });
  await client.todos.get();
  expect(bookmarks()).toEqual([null, "b1", "b2", "b3"]);
});

test("an answer without one leaves it as it is", async () => {
  const client = createClient(address);
  await logInAs(client, "mina");
  await client.health.alive.get();
  await client.todos.get();
  expect(bookmarks()).toEqual([null, "b1", "b1"]);
});

test("those of answers that overlapped are all sent, until one answer has seen them all", async () => {
  const client = createClient(address);
  await logInAs(client, "mina");
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  const overlapping = [client.todos.get(), client.todos.post({ contents: "Buy milk" })];
  while (received.length < 3) await Bun.sleep(1);
  resolve();
  await Promise.all(overlapping);
  await client.todos.get();
  await client.todos.get();
  const [, one, two, all, next] = bookmarks();
  expect([one, two]).toEqual(["b1", "b1"]);
  expect(all?.split(", ").sort()).toEqual(["b2", "b3"]);
  expect(next).toBe("b4");
});

test("no user's is sent for another", async () => {
  const client = createClient(address);
  // The base64url of these names contains both characters that base64 does not have.
  await logInAs(client, "mina~~~???");
  await client.todos.get();
  await client.users["log-out"].post();
  await logInAs(client, "jiho~~~???");
  await client.todos.get();
  await client.todos.get({ headers: { authorization: "Bearer of-someone-else" } });
  await client.todos.get();
  expect(bookmarks()).toEqual([null, "b1", "b2", null, "b4", null, "b5"]);
});

test("a request that brings its own counts for itself", async () => {
  const client = createClient(address);
  await logInAs(client, "mina");
  await client.todos.get({ headers: { bookmark: "mine" } });
  expect(bookmarks()).toEqual([null, "mine"]);
});

test("a refresh carries the last one, and brings the next", async () => {
  const store = keep();
  const client = createClient(address, { store });
  await logInAs(client, "mina");
  const valid = tokens({ username: "mina" });
  await store.set({ ...valid, access_token: `${valid.access_token}-expired` });
  await client.todos.get();
  expect(received).toEqual([
    { route: "POST /users/log-in", bookmark: null },
    { route: "GET /todos", bookmark: "b1" },
    { route: "POST /users/refresh", bookmark: "b1" },
    { route: "GET /todos", bookmark: "b3" },
  ]);
});
