/** `POST /todos/batch`: each operation does the same as the single request, all of them in one transaction. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { expectProblem, stored } from "../http/answers.ts";
import { times } from "../parallel.ts";
import { type Service, startService } from "../service.ts";

type User = Awaited<ReturnType<Service["user"]>>;

/** The parts of a result that are compared. */
interface Result {
  status: number;
  todo?: { id: number; rev: number; contents: string; [field: string]: unknown };
  problem?: {
    code: string;
    instance: string;
    errors?: object[];
    current?: { rev: number; contents: string };
  };
}

const LIMIT = 30;
const DAILY = { every: 1, unit: "day", from: "due" };

let service: Service;
let mina: User;
let keys = 0;

beforeAll(async () => {
  service = await startService({ TODOS_PER_USER: String(LIMIT) });
});
afterAll(() => service.stop());
beforeEach(async () => {
  mina = await service.user();
});

const newKey = () => ({ "idempotency-key": `batch-${++keys}` });
const call = (method: string, path: string, json?: unknown, headers = {}) =>
  service.call(method, path, { token: mina.token, headers, ...(json !== undefined && { json }) });
const send = (operations: unknown, headers = {}) =>
  call("POST", "/todos/batch", { operations }, headers);
async function batch(...operations: unknown[]): Promise<Result[]> {
  const answer = await send(operations);
  expect(answer.status).toBe(200);
  return (await answer.json()).results;
}
const add = async (json: object = {}) =>
  (await call("POST", "/todos", { contents: "x", ...json })).json();
const get = async (id: number) => (await call("GET", `/todos/${id}`)).json();
const all = async () => (await (await call("GET", "/todos?limit=100")).json()).todos;
const revision = async () => {
  const { changes } = await (await call("GET", "/todos/changes?limit=500")).json();
  return Math.max(0, ...changes.map(({ rev = 0 }) => rev));
};
const statuses = (results: Result[]) => results.map(({ status }) => status);

test("each operation is done, in order, with a revision of its own", async () => {
  const first = await add();
  const list = await (await call("POST", "/lists", { name: "Garden" })).json();
  const second = await add();
  const results = await batch(
    { op: "create", contents: "new", notes: "n", priority: 2, due: { date: "2126-01-01" } },
    { op: "update", id: first.id, contents: "changed" },
    { op: "update", id: first.id, is_done: true },
    { op: "move", id: first.id, list_id: list.id, after: null },
    { op: "delete", id: second.id },
  );
  expect(statuses(results)).toEqual([201, 200, 200, 200, 204]);
  const [created, , ticked, moved, deleted] = results;
  expect(created?.todo).toEqual(await get(Number(created?.todo?.id)));
  expect(ticked?.todo).toMatchObject({ contents: "changed", is_done: true, rev: second.rev + 3 });
  expect(moved?.todo).toMatchObject({ list_id: list.id, rev: second.rev + 4 });
  expect(moved?.todo).toEqual(await get(first.id));
  expect(deleted).toEqual({ status: 204 });
  expect((await call("GET", `/trash`)).json()).resolves.toMatchObject({
    todos: [{ id: second.id }],
  });
  expect(await revision()).toBe(second.rev + 4);
});

test("what changes nothing raises nothing", async () => {
  const { id, rev } = await add();
  const results = await batch(
    { op: "update", id, contents: "x" },
    { op: "move", id },
    { op: "update", id, is_done: false },
  );
  expect(results.map(({ todo }) => todo?.rev)).toEqual([rev, rev, rev]);
});

/** An operation, and the single request that does the same. */
type Twin = [what: string, operation: (id: number) => object, method: string, path: string];
const twins: [...Twin, body?: unknown][] = [
  ["create: no contents", () => ({ op: "create" }), "POST", "/todos", {}],
  [
    "create: values",
    () => ({ op: "create", contents: " ", priority: 4, due: { date: "2026-02-30" }, more: 1 }),
    "POST",
    "/todos",
    { contents: " ", priority: 4, due: { date: "2026-02-30" }, more: 1 },
  ],
  [
    "create: an id",
    () => ({ op: "create", contents: "x", id: 1 }),
    "POST",
    "/todos",
    { contents: "x", id: 1 },
  ],
  [
    "create: repeats without due",
    () => ({ op: "create", contents: "x", repeat: DAILY }),
    "POST",
    "/todos",
    { contents: "x", repeat: DAILY },
  ],
  [
    "create: into no list",
    () => ({ op: "create", contents: "x", list_id: 99 }),
    "POST",
    "/todos",
    { contents: "x", list_id: 99 },
  ],
  ["update: of nothing", (id) => ({ op: "update", id }), "PATCH", "/todos/:id", {}],
  [
    "update: values",
    (id) => ({ op: "update", id, is_done: "true", list_id: 1 }),
    "PATCH",
    "/todos/:id",
    { is_done: "true", list_id: 1 },
  ],
  [
    "update: a zone without a time",
    (id) => ({ op: "update", id, due: { date: "2026-01-01", zone: "Asia/Seoul" } }),
    "PATCH",
    "/todos/:id",
    { due: { date: "2026-01-01", zone: "Asia/Seoul" } },
  ],
  [
    "update: repeats without due",
    (id) => ({ op: "update", id, repeat: DAILY }),
    "PATCH",
    "/todos/:id",
    { repeat: DAILY },
  ],
  [
    "update: none",
    () => ({ op: "update", id: 2 ** 53 - 1, is_done: true }),
    "PATCH",
    "/todos/9007199254740991",
    { is_done: true },
  ],
  [
    "move: behind itself",
    (id) => ({ op: "move", id, after: id }),
    "POST",
    "/todos/:id/move",
    { after: ":id" },
  ],
  [
    "move: to no list",
    (id) => ({ op: "move", id, list_id: 99 }),
    "POST",
    "/todos/:id/move",
    { list_id: 99 },
  ],
  [
    "move: values",
    (id) => ({ op: "move", id, after: "1", more: 1 }),
    "POST",
    "/todos/:id/move",
    { after: "1", more: 1 },
  ],
  [
    "delete: none",
    () => ({ op: "delete", id: 2 ** 53 - 1 }),
    "DELETE",
    "/todos/9007199254740991",
    undefined,
  ],
];

test.each(twins)(
  "%s is the problem of the single request",
  async (_what, make, method, path, body) => {
    const { id } = await add();
    const before = await stored(service, ["todos", "trash", "users"]);
    const single = await call(method, path.replace(":id", id), bodyWith(body, id));
    expect(single.ok).toBe(false);
    const { instance, ...problem } = await single.json();
    const [result] = await batch(make(id));
    expect(result?.status).toBe(single.status);
    expect(result?.problem).toEqual({
      ...problem,
      instance: expect.stringMatching(/^urn:request:/),
    });
    expect(await stored(service, ["todos", "trash", "users"])).toBe(before);
  },
);

const bodyWith = (body: unknown, id: number) =>
  body === undefined ? undefined : JSON.parse(JSON.stringify(body).replace('":id"', String(id)));

test.each([
  ["nothing", null, ""],
  ["a list", [], ""],
  ["a text", "create", ""],
  ["no op", { contents: "x" }, "/op"],
  ["another op", { op: "restore", id: 1 }, "/op"],
  ["no id", { op: "move" }, "/id"],
  ["an id that is none", { op: "delete", id: 0 }, "/id"],
  ["a text for an id", { op: "delete", id: "1" }, "/id"],
  ["a tag for if_match", { op: "delete", id: 1, if_match: '"1"' }, "/if_match"],
  ["if_match where it has no meaning", { op: "move", id: 1, if_match: 1 }, ""],
  ["fields of a deletion", { op: "delete", id: 1, contents: "x" }, ""],
])("an operation that is %s is refused by itself", async (_what, operation, pointer) => {
  const results = await batch({ op: "create", contents: "a" }, operation, {
    op: "create",
    contents: "b",
  });
  expect(statuses(results)).toEqual([201, 422, 201]);
  const { code, errors } = { ...results[1]?.problem };
  expect(code).toBe("validation_failed");
  expect(errors).toContainEqual({ pointer, detail: expect.any(String) });
});

test.each([
  ["no operations", {}, "/operations"],
  ["none", { operations: [] }, "/operations"],
  [
    "101",
    { operations: Array.from({ length: 101 }, () => ({ op: "move", id: 1 })) },
    "/operations",
  ],
  ["no list", { operations: { op: "move", id: 1 } }, "/operations"],
  ["more", { operations: [{ op: "move", id: 1 }], more: 1 }, ""],
])("a batch with %s is refused whole", async (_what, body, pointer) => {
  const errors = await expectProblem(await call("POST", "/todos/batch", body), [
    422,
    "validation_failed",
  ]);
  expect(errors).toMatchObject([{ pointer }]);
});

test("100 operations are done, and a body of 256 KiB is taken, but not more", async () => {
  const { id } = await add();
  const updates = Array.from({ length: 100 }, (_, i) => ({ op: "update", id, priority: i % 2 }));
  const results = await batch(...updates);
  // The first operation changes nothing, because the todo already has this priority.
  expect(results.map(({ todo }) => todo?.priority)).toEqual(
    updates.map(({ priority }) => priority),
  );
  expect((await get(id)).rev).toBe(Number(results.at(-1)?.todo?.rev));

  const KIB_256 = 256 * 1024;
  const sized = (bytes: number) => {
    const text = JSON.stringify({ operations: [{ op: "move", id }] });
    return text + " ".repeat(bytes - text.length);
  };
  const post = (body: string, path = "/todos/batch") => {
    const headers = { "content-type": "application/json" };
    return service.call("POST", path, { token: mina.token, headers, body });
  };
  expect((await post(sized(KIB_256))).status).toBe(200);
  await expectProblem(await post(sized(KIB_256 + 1)), [413, "body_too_large"]);
  await expectProblem(await post(sized(65_537), "/todos"), [413, "body_too_large"]);
});

test("if_match holds an operation to the todo as it is known, and tells how it is", async () => {
  const { id, rev } = await add();
  const results = await batch(
    { op: "update", id, if_match: rev, contents: "first" },
    { op: "update", id, if_match: rev, contents: "second" },
    { op: "delete", id, if_match: rev },
    { op: "delete", id, if_match: rev + 1 },
  );
  expect(statuses(results)).toEqual([200, 412, 412, 204]);
  for (const result of results.slice(1, 3)) {
    expect(result.problem?.code).toBe("precondition_failed");
    expect(result.problem?.current).toMatchObject({ rev: rev + 1, contents: "first" });
  }
});

test("the limit of todos counts within a batch", async () => {
  const creates = Array.from({ length: LIMIT + 2 }, () => ({ op: "create", contents: "x" }));
  const results = await batch(...creates);
  const [first] = results;
  expect(statuses(results.slice(0, LIMIT))).toEqual(creates.slice(2).map(() => 201));
  expect(results.slice(LIMIT).map(({ problem }) => problem?.code)).toEqual([
    "limit_reached",
    "limit_reached",
  ]);
  // Todos in the trash count too.
  const ids = { op: "delete", id: first?.todo?.id };
  expect(statuses(await batch(ids, { op: "create", contents: "x" }))).toEqual([204, 403]);
});

test("another user's todo is one that is not there", async () => {
  const { id } = await add();
  const mine = mina;
  mina = await service.user();
  const results = await batch(
    { op: "update", id, contents: "theirs" },
    { op: "move", id },
    { op: "delete", id },
    { op: "create", contents: "x" },
  );
  expect(statuses(results)).toEqual([404, 404, 404, 201]);
  mina = mine;
  expect((await get(id)).contents).toBe("x");
});

test("whoever has logged out can do nothing", async () => {
  await call("POST", "/users/log-out");
  for (const operation of [{ op: "create", contents: "x" }, { op: "none" }]) {
    for (const headers of [{}, newKey()]) {
      await expectProblem(await send([operation], headers), [401, "unauthorized"]);
    }
  }
});

describe("ticking off todos that repeat", () => {
  const repeating = (json: object = {}) =>
    add({ due: { date: "2126-01-30" }, repeat: DAILY, ...json });
  const open = async () => (await all()).filter(({ is_done }: { is_done: boolean }) => !is_done);
  const dates = async () =>
    (await open()).map(({ due }: { due: { date: string } | null }) => due?.date);
  test("adds the next of each", async () => {
    const [a, b, c] = [
      await repeating(),
      await repeating({ due: { date: "2126-03-01" } }),
      await add(),
    ];
    const results = await batch(
      { op: "update", id: a.id, is_done: true },
      { op: "update", id: c.id, is_done: true },
      { op: "update", id: b.id, is_done: true, contents: "as changed" },
    );
    expect(results.map(({ todo }) => [todo?.is_done, todo?.repeat])).toEqual([
      [true, null],
      [true, null],
      [true, null],
    ]);
    expect(await open()).toMatchObject([
      { due: { date: "2126-01-31" }, repeat: DAILY, contents: "x" },
      { due: { date: "2126-03-02" }, repeat: DAILY, contents: "as changed" },
    ]);
  });

  test("adds none for those that do not repeat, or are not ticked off", async () => {
    const [{ id }, other] = [await add({ due: { date: "2126-01-01" } }), await repeating()];
    await batch(
      { op: "update", id, is_done: true },
      { op: "update", id: other.id, contents: "not ticked off" },
    );
    expect(await dates()).toEqual(["2126-01-30"]);
  });

  test("counts from what the operations before have made of it", async () => {
    const { id } = await repeating();
    const { id: plain } = await add({ due: { date: "2126-05-01" } });
    const results = await batch(
      { op: "update", id, due: { date: "2126-02-10" } },
      { op: "update", id, repeat: { ...DAILY, every: 3 } },
      { op: "move", id },
      { op: "update", id, is_done: true },
      { op: "update", id: plain, repeat: DAILY },
      { op: "update", id: plain, is_done: true },
    );
    expect(statuses(results)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(await dates()).toEqual(["2126-02-13", "2126-05-02"]);
  });

  test("keeps the day of the month that was set", async () => {
    const MONTHLY = { every: 1, unit: "month", from: "due" };
    const { id } = await repeating({ due: { date: "2126-01-31" }, repeat: MONTHLY });
    await batch({ op: "update", id, is_done: true });
    const [february] = await open();
    expect(february.due.date).toBe("2126-02-28");
    await batch(
      { op: "update", id: february.id, due: { date: "2126-02-28", time: "10:00" } },
      { op: "update", id: february.id, is_done: true },
    );
    expect(await dates()).toEqual(["2126-03-31"]);
  });

  test("twice in one batch, and by batches at once, adds one", async () => {
    const { id } = await repeating();
    const tick = { op: "update", id, is_done: true };
    const answers = await times(8, () => batch(tick, tick));
    for (const results of answers) expect(statuses(results)).toEqual([200, 200]);
    expect(await dates()).toEqual(["2126-01-31"]);
  });

  test("and its series at once ends it", async () => {
    const { id } = await repeating();
    await batch({ op: "update", id, is_done: true, repeat: null });
    expect(await dates()).toEqual([]);
  });

  test("is done although an operation before it was refused", async () => {
    for (const refused of [
      { if_match: 99_999, due: { date: "2126-05-31" } },
      { if_match: 99_999, is_done: true },
      { due: null },
    ]) {
      const { id } = await repeating();
      const [first, second] = await batch(
        { op: "update", id, ...refused },
        { op: "update", id, is_done: true },
      );
      expect(first?.status).toBe("if_match" in refused ? 412 : 422);
      expect(second?.status).toBe(200);
    }
  });

  test("is refused for the same reasons as by itself", async () => {
    const late = await repeating({ due: { date: "9999-12-31" } });
    const { id, rev } = await repeating();
    const results = await batch(
      { op: "update", id: late.id, is_done: true },
      { op: "update", id, is_done: true, due: null },
      { op: "update", id, is_done: true, if_match: rev + 7 },
      { op: "delete", id },
      { op: "update", id, is_done: true },
    );
    expect(statuses(results)).toEqual([422, 422, 412, 204, 404]);
    expect(results.slice(0, 2).map(({ problem }) => problem?.errors)).toMatchObject([
      [{ pointer: "/due" }],
      [{ pointer: "/due" }],
    ]);
    expect(await dates()).toEqual(["9999-12-31"]);
  });

  test("at the limit of todos is refused, and what follows is done", async () => {
    const { id } = await repeating();
    while ((await all()).length < LIMIT) await add();
    const results = await batch(
      { op: "update", id, is_done: true },
      { op: "update", id, priority: 3 },
    );
    expect(results.map(({ status, problem }) => [status, problem?.code])).toEqual([
      [403, "limit_reached"],
      [200, undefined],
    ]);
    expect(await get(id)).toMatchObject({ is_done: false, priority: 3, repeat: DAILY });
  });
});

describe("with an Idempotency-Key", () => {
  async function seen(answer: Response) {
    return { status: answer.status, body: await answer.text() };
  }
  const isReplay = ({ headers }: Response) => headers.get("idempotency-replayed") === "true";
  const TABLES = ["users", "todos", "trash", "lists", "deletions"];

  /** Operations of all kinds. Two of them are refused. */
  async function mixed() {
    const [a, b, c] = [
      await add(),
      await add({ due: { date: "2126-01-30" }, repeat: DAILY }),
      await add(),
    ];
    return [
      { op: "create", contents: "new" },
      { op: "update", id: a.id, contents: "changed" },
      { op: "update", id: b.id, is_done: true },
      { op: "update", id: a.id, contents: "again", if_match: a.rev },
      { op: "move", id: a.id, after: null },
      { op: "none" },
      { op: "move", id: a.id, after: 2 ** 53 - 1 },
      { op: "delete", id: c.id },
      { op: "delete", id: c.id },
    ];
  }

  test("sent again is answered byte for byte, refusals too, and nothing is done", async () => {
    const operations = await mixed();
    const key = newKey();
    const first = await send(operations, key);
    expect(isReplay(first)).toBe(false);
    const answer = await seen(first);
    expect(statuses(JSON.parse(answer.body).results)).toEqual([
      201, 200, 200, 412, 200, 422, 422, 204, 404,
    ]);
    // A change in between makes no difference.
    const [, update] = operations;
    await call("PATCH", `/todos/${update?.id}`, { contents: "later" });
    const before = await stored(service, TABLES);
    const again = await send(operations, key);
    expect(isReplay(again)).toBe(true);
    expect(await seen(again)).toEqual(answer);
    expect(await stored(service, TABLES)).toBe(before);
  });

  test("of 20 that come at once does it once", async () => {
    const operations = await mixed();
    const key = newKey();
    const answers = await times(20, () => send(operations, key));
    expect(answers.filter(isReplay).length).toBe(19);
    const [first, ...others] = await Promise.all(answers.map(seen));
    for (const other of others) expect(other).toEqual(first as never);
    const created = (await all()).filter(
      ({ contents }: { contents: string }) => contents === "new",
    );
    expect(created.length).toBe(1);
  });

  test("of which all were refused is answered the same", async () => {
    const key = newKey();
    const answer = await seen(await send([{ op: "none" }, { op: "delete", id: 99 }], key));
    const again = await send([{ op: "none" }, { op: "delete", id: 99 }], key);
    expect([isReplay(again), await seen(again)]).toEqual([true, answer]);
  });

  test("that another batch was sent with is refused", async () => {
    const key = newKey();
    expect((await send([{ op: "create", contents: "x" }], key)).status).toBe(200);
    const other = await send([{ op: "create", contents: "y" }], key);
    const errors = await expectProblem(other, [422, "idempotency_key_reused"]);
    expect(errors).toMatchObject([{ parameter: "Idempotency-Key" }]);
    expect((await all()).length).toBe(1);
  });

  test("nothing of a text is kept that was deleted for good", async () => {
    const { id, rev } = await add({ contents: "canary" });
    const operations = [
      { op: "update", id, notes: "canary" },
      { op: "update", id, priority: 1, if_match: rev },
      { op: "create", contents: "stays" },
    ];
    const key = newKey();
    await send(operations, key);
    await call("DELETE", `/todos/${id}`);
    await call("DELETE", "/trash");
    expect(await stored(service)).not.toContain("canary");
    const { results } = await (await send(operations, key)).json();
    expect(statuses(results)).toEqual([404, 404, 201]);
    expect((await all()).length).toBe(1);
  });

  test("leaves no row of the TTL table behind when it was held up", async () => {
    const { id } = await add({ due: { date: "2126-01-30" }, repeat: DAILY });
    await batch({ op: "update", id, is_done: true });
    expect(await stored(service, ["ttl"])).not.toContain("held");
  });
});
