/** The header `Bookmark`: which answers have it, and how the service treats the bookmarks of clients. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openLine } from "../line.ts";
import { temporaryFolder } from "../process.ts";
import { type Service, startService } from "../service.ts";
import { type LibsqlServer, startPrimary, startReplica, until } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const folder = temporaryFolder();
let server: LibsqlServer;
let service: Service;
let token: string;

/** A service whose reads the server at `url` answers. */
const startOn = (url: string, more: Record<string, string> = {}) =>
  startService({
    DATABASE_URL: url,
    DATABASE_AUTH_TOKEN: server.token,
    READS: "local",
    DATABASE_STALE_READS: "60",
    CORS_ORIGINS: "https://app.example",
    ...more,
  });

beforeAll(async () => {
  server = await startPrimary(folder.path);
  service = await startOn(server.url);
  token = (await service.user()).token;
});
afterAll(async () => {
  await service.stop();
  await server.kill();
  folder[Symbol.dispose]();
});

/** The bookmark of an answer. */
async function bookmarkOf(method: string, path: string, options: Parameters<Service["call"]>[2]) {
  const { status, headers } = await service.call(method, path, options);
  return { status, bookmark: headers.get("bookmark") ?? "none" };
}
const get = (path: string, bookmark?: string) =>
  bookmarkOf("GET", path, { token, ...(bookmark !== undefined && { headers: { bookmark } }) });
const add = () => bookmarkOf("POST", "/todos", { token, json: { contents: "x" } });

/** A valid bookmark: its content, and a MAC. */
const BOOKMARK = /^[\d-]+\.[\w-]{43}$/;

test.each([
  ["GET", "/", 200, {}],
  ["GET", "/nowhere", 404, {}],
  ["DELETE", "/", 405, {}],
  ["OPTIONS", "/todos", 204, {}],
  ["GET", "/todos", 401, {}],
  ["POST", "/users/log-in", 422, { json: {} }],
  ["POST", "/users/log-in", 401, { json: { username: "nobody", password: "wrong horse" } }],
] as const)("%s %s has one in its answer, %d", async (method, path, status, options) => {
  const answer = await bookmarkOf(method, path, options);
  expect(answer).toEqual({ status, bookmark: expect.stringMatching(BOOKMARK) });
});

test("a page and a write have one in their answers", async () => {
  expect(await get("/todos")).toMatchObject({ bookmark: expect.stringMatching(BOOKMARK) });
  expect(await add()).toMatchObject({ bookmark: expect.stringMatching(BOOKMARK) });
});

test("each write has another one, and what sees nothing new has the same", async () => {
  const first = await add();
  const second = await add();
  expect(second.bookmark).not.toBe(first.bookmark);
  expect((await get("/", second.bookmark)).bookmark).toBe(second.bookmark);
  expect((await get("/todos", second.bookmark)).bookmark).toBe(second.bookmark);
});

test("of several the latest counts, in whatever order and with whatever between them", async () => {
  const earlier = (await add()).bookmark;
  const later = (await add()).bookmark;
  for (const list of [
    `${earlier}, ${later}`,
    `${later},${earlier}`,
    `${earlier}, ${later}, nonsense`,
    `,${later} ,, ${earlier}`,
    Array(100).fill(earlier).concat(later).join(", "),
  ]) {
    expect((await get("/", list)).bookmark).toBe(later);
  }
});

test("one that is not ours counts for nothing", async () => {
  const ours = (await add()).bookmark;
  const [text = "", mac = ""] = ours.split(".");
  const nothing = (await get("/")).bookmark;
  for (const bookmark of [
    "",
    "nonsense",
    "99999999999",
    `9${text}.${mac}`,
    `99999999999.${mac}`,
    `${text}.${mac.slice(0, -1)}`,
    `${text}.${mac}.${mac}`,
    `${text}.`,
    "\u00ff",
    "x".repeat(8000),
  ]) {
    expect((await get("/", bookmark)).bookmark).toBe(nothing);
    expect((await get("/todos", bookmark)).status).toBe(200);
  }
});

test("pages of listed origins may send and read it", async () => {
  const origin = "https://app.example";
  const answer = await service.call("GET", "/", { headers: { origin } });
  expect(answer.headers.get("access-control-expose-headers")).toContain("Bookmark");
  const preflight = await service.call("OPTIONS", "/todos", { headers: { origin } });
  expect(preflight.headers.get("access-control-allow-headers")).toContain("Bookmark");
});

describe("where the primary answers all reads", () => {
  test("there are none", async () => {
    const plain = await startService();
    const answer = await plain.call("GET", "/", {});
    const sent = await plain.call("GET", "/", { headers: { bookmark: "5.x" } });
    await plain.stop();
    expect([answer.headers.has("bookmark"), sent.headers.has("bookmark")]).toEqual([false, false]);
  });
});

describe("on a replica", () => {
  let line: Awaited<ReturnType<typeof openLine>>;
  let replica: Awaited<ReturnType<typeof startReplica>>;
  let near: Service;
  beforeAll(async () => {
    line = await openLine(server.grpc);
    replica = await startReplica(folder.path, "replica", line.port);
    near = await startOn(replica.url, { DATABASE_PRIMARY_URL: server.url });
  });
  afterAll(async () => {
    await near.stop();
    await replica.kill();
    line.close();
  });

  test("what is too new for it is asked of the primary, though there is no bookmark", async () => {
    const { username, ...user } = await service.user();
    /** Adds a todo at the primary. */
    async function add() {
      const json = { contents: "x" };
      return (await service.call("POST", "/todos", { token: user.token, json })).json();
    }
    const read = (path: string, token = user.token) => near.call("GET", path, { token });
    const count = async () => (await (await read("/todos")).json()).todos.length;
    // The replica receives some todos, but not the last one.
    let added = 0;
    await until(async () => {
      line.release();
      await add();
      await count();
      await Bun.sleep(100);
      line.hold();
      await add();
      added += 2;
      return (await count()) < added;
    });

    // A todo and a session that are too new for the replica.
    const { id } = await add();
    expect((await read(`/todos/${id}`)).status).toBe(200);
    const another = await service.logIn(username);
    expect((await read("/todos", another.token)).status).toBe(200);
    // If the primary does not know it either, it is refused.
    expect((await read("/todos/999999")).status).toBe(404);
    const logOut = await service.call("POST", "/users/log-out", { token: another.token });
    expect(logOut.status).toBe(204);
    expect((await read("/todos", another.token)).status).toBe(401);

    // All pieces of an export are at least as new as its bookmark says.
    const bookmarked = await service.call("GET", `/todos/${id}`, { token: user.token });
    const bookmark = bookmarked.headers.get("bookmark") ?? "";
    const headers = { bookmark };
    const exported = await near.call("GET", "/users/me/export", { token: user.token, headers });
    expect((await exported.json()).todos).toContainEqual(expect.objectContaining({ id }));

    // A client that has received an event asks for the changes, without a bookmark of the event.
    const { changes } = await (await read("/todos/changes")).json();
    expect(changes).toContainEqual(expect.objectContaining({ type: "todo", id }));
  });
});
