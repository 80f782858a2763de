/** `GET /todos/events`: a change is reported at once, and no stream outlives its session. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { BEGIN_EPOCH } from "../../src/sync/revision.ts";
import { adminQueries } from "../../src/users/admin.ts";
import { expectProblem } from "../http/answers.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import { type Events, listenTo } from "./listen.ts";

type User = Awaited<ReturnType<Service["user"]>>;

let service: Service;
let mina: User;
const open: Events[] = [];

beforeAll(async () => {
  service = await startService({ HEARTBEAT: "1", STREAMS: "12" });
});
afterAll(() => service.stop());
beforeEach(async () => {
  await Promise.all(open.splice(0).map((events) => events.close()));
  // The service notices it a moment later.
  while (service.services.watch.listening > 0) await Bun.sleep(2);
  mina = await service.user();
});

const call = (method: string, path: string, json?: unknown, { token } = mina) =>
  service.call(method, path, { token, ...(json !== undefined && { json }) });
const add = async (user = mina) => (await call("POST", "/todos", { contents: "x" }, user)).json();
async function listen(user = mina, since = "", headers = {}, from = service): Promise<Events> {
  const events = await listenTo(from, user.token, since, headers);
  open.push(events);
  return events;
}
const changesSince = async (since: string) =>
  (await call("GET", `/todos/changes?since=${since}`)).json();

test("has the headers that keep every proxy from holding it back", async () => {
  const { response } = await listen();
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-accel-buffering")).toBe("no");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
});

test("reports each change with its revision and a cursor right after it", async () => {
  const events = await listen();
  const { id, rev } = await add();
  const first = await events.next();
  expect(first).toMatchObject({ event: "changed", data: { rev } });
  await call("PATCH", `/todos/${id}`, { contents: "y" });
  const second = await events.next();
  expect(second.data).toEqual({ rev: rev + 1 });
  expect(await changesSince(first.id)).toMatchObject({
    changes: [{ id, contents: "y" }],
    has_more: false,
  });
  expect(await changesSince(second.id)).toMatchObject({ changes: [], has_more: false });
});

test.each<[what: string, change: (id: number, listId: number) => Promise<unknown>]>([
  ["adding", () => add()],
  ["moving", (id) => call("POST", `/todos/${id}/move`, {})],
  ["deleting", (id) => call("DELETE", `/todos/${id}`)],
  ["a batch", (id) => call("POST", "/todos/batch", { operations: [{ op: "delete", id }] })],
  ["adding a list", () => call("POST", "/lists", { name: "y" })],
  ["renaming a list", (_, listId) => call("PATCH", `/lists/${listId}`, { name: "y" })],
  ["deleting a list", (_, listId) => call("DELETE", `/lists/${listId}`)],
  [
    "with a key",
    () =>
      service.call("POST", "/todos", {
        token: mina.token,
        json: { contents: "x" },
        headers: { "idempotency-key": "k" },
      }),
  ],
])("%s is reported at once, also to the user's other sessions", async (_what, change) => {
  const { id } = await add();
  await add();
  const list = await (await call("POST", "/lists", { name: "x" })).json();
  const other = await service.logIn(mina.username);
  const streams = [await listen(), await listen({ ...mina, ...other })];
  await change(id, list.id);
  for (const events of streams) {
    expect(await events.next()).toMatchObject({ event: "changed", data: { rev: list.rev + 1 } });
  }
});

test("restoring and deleting for good is reported", async () => {
  const { id, rev } = await add();
  await call("DELETE", `/todos/${id}`);
  const events = await listen();
  for (const [i, [method, path]] of [
    ["POST", `/trash/${id}/restore`],
    ["DELETE", `/todos/${id}`],
    ["DELETE", `/trash/${id}`],
  ].entries()) {
    await call(String(method), String(path));
    expect((await events.next()).data).toEqual({ rev: rev + 2 + i });
  }
});

test("requests that change nothing and changes of other users are not reported", async () => {
  const { id } = await add();
  const jiho = await service.user();
  const events = await listen();
  await call("PATCH", `/todos/${id}`, { contents: "x" });
  await call("POST", `/todos/${id}/move`, {});
  await call("DELETE", "/todos/999999");
  await add(jiho);
  const { rev } = await add();
  expect((await events.next()).data).toEqual({ rev });
});

test("a write by another process is reported by the look of each second", async () => {
  const events = await listen();
  const { rows } = await service.services.database.$client.execute({
    sql: "UPDATE users SET revision = revision + 5 WHERE id = ? RETURNING revision",
    args: [mina.id],
  });
  expect((await events.next()).data).toEqual({ rev: Number(rows[0]?.[0]) });
});

test("one look a second asks for all, and none when nobody listens", async () => {
  const users = [mina, await service.user(), await service.user()];
  const streams = await Promise.all(users.flatMap((user) => [listen(user), listen(user)]));
  const before = service.trips();
  // The heartbeats of each stream mark the seconds.
  await Promise.all(streams.map((events) => events.comments(3)));
  const looks = service.trips() - before;
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThanOrEqual(8);
  await Promise.all(streams.map((events) => events.close()));
  while (service.services.watch.listening > 0) await Bun.sleep(5);
  const after = service.trips();
  await Bun.sleep(1500);
  expect(service.trips()).toBe(after);
});

describe("where it goes on", () => {
  test("without a cursor, earlier changes are not reported", async () => {
    await add();
    const events = await listen();
    const { rev } = await add();
    expect((await events.next()).data).toEqual({ rev });
  });

  test.each(["since", "Last-Event-ID"])(
    "by %s, one event tells that something has changed",
    async (by) => {
      const events = await listen();
      await add();
      const { id } = await events.next();
      await add();
      const { rev } = await add();
      const again = await (by === "since" ? listen(mina, id) : listen(mina, "", { [by]: id }));
      expect((await again.next()).data).toEqual({ rev });
      const next = await add();
      expect((await again.next()).data).toEqual({ rev: next.rev });
    },
  );

  test("from the current cursor, nothing is reported until the next change", async () => {
    await add();
    const { next } = await (await call("GET", "/todos/changes")).json();
    const events = await listen(mina, next);
    const { rev } = await add();
    expect((await events.next()).data).toEqual({ rev });
  });

  test("from a cursor in the middle of a revision, the rest of that revision is reported", async () => {
    const ids = [await add(), await add()].map(({ id }) => id);
    // One revision for both.
    const list = await (await call("POST", "/lists", { name: "x" })).json();
    for (const id of ids) await call("POST", `/todos/${id}/move`, { list_id: list.id });
    const { next: before } = await (await call("GET", "/todos/changes")).json();
    await call("DELETE", `/lists/${list.id}`);
    const page = await (await call("GET", `/todos/changes?limit=1&since=${before}`)).json();
    expect(page.has_more).toBe(true);
    const events = await listen(mina, page.next);
    expect((await events.next()).event).toBe("changed");
  });

  test("Last-Event-ID counts in place of since", async () => {
    await add();
    const { next } = await (await call("GET", "/todos/changes")).json();
    await add();
    const { next: now } = await (await call("GET", "/todos/changes")).json();
    const events = await listen(mina, next, { "Last-Event-ID": now });
    const { rev } = await add();
    expect((await events.next()).data).toEqual({ rev });
  });

  test("an empty Last-Event-ID is ignored", async () => {
    await add();
    const { next } = await (await call("GET", "/todos/changes")).json();
    const { rev } = await add();
    const events = await listen(mina, next, { "Last-Event-ID": "" });
    expect((await events.next()).data).toEqual({ rev });
  });

  test("a bad cursor is refused, and another user's", async () => {
    const { next } = await (await call("GET", "/todos/changes")).json();
    const jiho = await service.user();
    for (const [path, headers, parameter] of [
      ["/todos/events?since=x", {}, "since"],
      [`/todos/events?since=${next}`, {}, "since"],
      ["/todos/events", { "last-event-id": "x" }, "Last-Event-ID"],
      ["/todos/events", { "last-event-id": next }, "Last-Event-ID"],
    ] as const) {
      const answer = await service.call("GET", path, { token: jiho.token, headers });
      const errors = await expectProblem(answer, [422, "validation_failed"]);
      expect(errors).toMatchObject([{ parameter }]);
    }
    expect(service.services.watch.listeningFor(jiho.id)).toBe(0);
  });

  test("one from before a backup was restored has expired, and that of a newer event has not", async () => {
    await add();
    const { next } = await (await call("GET", "/todos/changes")).json();
    await service.services.database.$client.execute(BEGIN_EPOCH);
    const events = await listen();
    const { rev } = await add();
    const { id, data } = await events.next();
    expect(data).toEqual({ rev });
    await expectProblem(await call("GET", `/todos/events?since=${next}`), [410, "cursor_expired"]);
    const { changes } = await (await call("GET", `/todos/changes?since=${id}`)).json();
    expect(changes).toEqual([]);
  });

  test("one that is ahead of the user, as after a backup was restored, has expired", async () => {
    await add();
    const { next } = await (await call("GET", "/todos/changes")).json();
    await service.services.database.$client.execute({
      sql: "UPDATE users SET revision = 0 WHERE id = ?",
      args: [mina.id],
    });
    const answer = await call("GET", `/todos/events?since=${next}`);
    await expectProblem(answer, [410, "cursor_expired"]);
    expect(service.services.watch.listeningFor(mina.id)).toBe(0);
  });
});

describe("it ends", () => {
  // These run in parallel, because each waits for a look at the database.
  test("when the user logs out, ends all sessions, is deleted or is disabled", async () => {
    const ends: ((user: User) => Promise<unknown>)[] = [
      (user) => call("POST", "/users/log-out", undefined, user),
      (user) => call("DELETE", "/users/me/sessions", undefined, user),
      (user) => call("DELETE", "/users/me", { password: PASSWORD }, user),
      ({ id }) => adminQueries(service.services.database, Date.now).disable(id),
    ];
    await Promise.all(
      ends.map(async (end) => {
        const user = await service.user();
        const events = await listen(user);
        await end(user);
        expect(await events.next()).toMatchObject({ event: "end", data: {} });
        await events.closed;
        expect(service.services.watch.listeningFor(user.id)).toBe(0);
      }),
    );
  });

  test("with its own session, and not with another", async () => {
    const other = { ...mina, ...(await service.logIn(mina.username)) };
    const [mine, theirs] = [await listen(), await listen(other)];
    await call("POST", "/users/log-out", undefined, other);
    expect((await theirs.next()).event).toBe("end");
    const { rev } = await add();
    expect((await mine.next()).data).toEqual({ rev });
  });

  test("when its token expires", async () => {
    const brief = await startService();
    try {
      const events = await listen(await brief.user(), "", {}, brief);
      brief.passSeconds(brief.config.accessTokenTtl);
      expect((await events.next()).event).toBe("end");
      await events.closed;
    } finally {
      await brief.stop();
    }
  });

  test("when the service drains", async () => {
    const draining = await startService();
    try {
      const events = await listen(await draining.user(), "", {}, draining);
      void draining.services.drain.begin();
      expect((await events.next()).event).toBe("end");
      await events.closed;
    } finally {
      await draining.stop();
    }
  });

  test("on the service's side, too, when the client goes away", async () => {
    const events = await listen();
    expect(service.services.watch.listeningFor(mina.id)).toBe(1);
    await events.close();
    while (service.services.watch.listeningFor(mina.id) > 0) await Bun.sleep(5);
  });
});

test("a stream that is requested right before the service drains does not begin", async () => {
  const draining = await startService();
  try {
    const { token } = await draining.user();
    const request = new Request("http://localhost/todos/events", {
      headers: { authorization: `Bearer ${token}` },
    });
    const answering = draining.app.fetch(request);
    const drained = draining.services.drain.begin();
    await expectProblem(await answering, [503, "unavailable"]);
    await drained;
    expect(draining.services.watch.listening).toBe(0);
  } finally {
    await draining.stop();
  }
});

test("HEAD tells the headers, and holds no place", async () => {
  for (let i = 0; i < 10; i++) {
    const answer = await call("HEAD", "/todos/events");
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  }
  expect(service.services.watch.listeningFor(mina.id)).toBe(0);
});

test("a user has 5 at most, and a process as many as it is set to", async () => {
  const streams: Events[] = [];
  for (let i = 0; i < 5; i++) streams.push(await listen());
  const refused = await call("GET", "/todos/events");
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  await expectProblem(refused, [429, "too_many_streams"]);
  await streams[0]?.close();
  while (service.services.watch.listeningFor(mina.id) === 5) await Bun.sleep(5);
  await listen();

  const others = [await service.user(), await service.user()];
  for (let i = 0; i < 5; i++) await listen(others[0]);
  for (let i = 0; i < 2; i++) await listen(others[1]);
  await expectProblem(await call("GET", "/todos/events", undefined, others[1]), [
    429,
    "too_many_streams",
  ]);
});

test("the places hold however many come at once", async () => {
  const answers = await Promise.all(
    Array.from({ length: 9 }, () => listenTo(service, mina.token).catch(() => undefined)),
  );
  const taken = answers.filter((events) => events !== undefined);
  open.push(...taken);
  expect(taken.length).toBe(5);
});

test("a client that does not read is cut off, and nothing is kept for it", async () => {
  const { watch } = service.services;
  const { port } = new URL(service.url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(
    `GET /todos/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${mina.token}\r\n\r\n`,
  );
  while (watch.listeningFor(mina.id) === 0) await Bun.sleep(5);
  // As if from another process, and more than the system's own buffers can hold.
  let revision = 1;
  for (let told = 0; told < 1_000_000 && watch.listeningFor(mina.id) > 0; told++) {
    watch.tell(mina.id, ++revision);
    if (told % 500 === 0) await Bun.sleep(1);
  }
  expect(watch.listeningFor(mina.id)).toBe(0);
  socket.destroy();
}, 60_000);
