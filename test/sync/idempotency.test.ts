/** `Idempotency-Key`: a repeated request gets its answer again, and is carried out only once. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { expectProblem, stored } from "../http/answers.ts";
import { times } from "../parallel.ts";
import { type Service, startService } from "../service.ts";

type User = Awaited<ReturnType<Service["user"]>>;

/** Seconds. */
const TTL = 1000;
const TABLES = ["users", "todos", "trash", "lists", "deletions"];

let service: Service;
let mina: User;

beforeAll(async () => {
  service = await startService({ IDEMPOTENCY_TTL: String(TTL), TODOS_PER_USER: "30" });
});
afterAll(() => service.stop());
beforeEach(async () => {
  mina = await service.user();
});

const call = (
  method: string,
  path: string,
  json?: unknown,
  headers: Record<string, string> = {},
  { token } = mina,
) => service.call(method, path, { token, headers, ...(json !== undefined && { json }) });
const rowOf = async (answer: Promise<Response>) => (await answer).json();
const add = (json: object = {}) => rowOf(call("POST", "/todos", { contents: "x", ...json }));
const addList = () => rowOf(call("POST", "/lists", { name: "Garden" }));
const count = async (table: string): Promise<number> => {
  const sql = `SELECT count(*) FROM ${table} WHERE user_id = ?`;
  const { rows } = await service.services.database.$client.execute({ sql, args: [mina.id] });
  return Number(rows[0]?.[0]);
};

let keys = 0;
const newKey = () => ({ "idempotency-key": `key-${++keys}` });

/** Everything that a client sees of an answer, except the parts that differ in every answer. */
async function seen(answer: Response) {
  const own = ["x-request-id", "date", "idempotency-replayed"];
  const headers = [...answer.headers].filter(([name]) => !own.includes(name));
  return { status: answer.status, headers, body: await answer.text() };
}

const posts: [string, () => Promise<[path: string, json?: object]>][] = [
  [
    "POST /todos",
    async () => [
      "/todos",
      {
        contents: 'é "x"\n漢字',
        notes: "y",
        priority: 2,
        due: { date: "2026-11-30" },
        is_done: false,
      },
    ],
  ],
  [
    "POST /todos/:id/move",
    async () => {
      const [{ id }] = [await add(), await add()];
      return [`/todos/${id}/move`, {}];
    },
  ],
  ["POST /todos/:id/move to where it is", async () => [`/todos/${(await add()).id}/move`, {}]],
  [
    "POST /trash/:id/restore",
    async () => {
      const repeat = { every: 1, unit: "day", from: "due" };
      const { id } = await add({
        due: { date: "2026-11-30", time: "10:00", zone: "Asia/Seoul" },
        repeat,
      });
      await call("DELETE", `/todos/${id}`);
      return [`/trash/${id}/restore`];
    },
  ],
  ["POST /lists", async () => ["/lists", { name: "Kitchen" }]],
  [
    "POST /lists/:id/move",
    async () => {
      const [, { id }] = [await addList(), await addList()];
      return [`/lists/${id}/move`, { after: null }];
    },
  ],
];

describe.each(posts)("%s", (_what, make) => {
  test("sent again is answered byte for byte, and nothing is done", async () => {
    const [path, json] = await make();
    const key = newKey();
    const first = await call("POST", path, json, key);
    expect(first.ok).toBe(true);
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    const answer = await seen(first);
    // A change in between makes no difference.
    if (path.startsWith("/todos")) await add();
    const { id } = JSON.parse(answer.body);
    const row = path.startsWith("/lists") ? `/lists/${id}` : `/todos/${id}`;
    const change = path.startsWith("/lists") ? { name: "later" } : { contents: "later" };
    expect((await call("PATCH", row, change)).status).toBe(200);
    const before = await stored(service, TABLES);
    for (let i = 0; i < 2; i++) {
      const again = await call("POST", path, json, key);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect(await seen(again)).toEqual(answer);
    }
    expect(await stored(service, TABLES)).toBe(before);
  });

  test("of 20 that come at once does it once", async () => {
    const [path, json] = await make();
    const key = newKey();
    const { rows } = await revision();
    const answers = await times(20, () => call("POST", path, json, key));
    const [first, ...others] = await Promise.all(answers.map(seen));
    expect(first?.status).toBeOneOf([200, 201]);
    for (const other of others) expect(other).toEqual(first as never);
    const replayed = answers.filter(({ headers }) => headers.has("idempotency-replayed"));
    expect(replayed.length).toBe(19);
    expect(Number((await revision()).rows[0]?.[0]) - Number(rows[0]?.[0])).toBeLessThanOrEqual(1);
  });

  test("with the same key and other bytes or another path is refused", async () => {
    const [path, json] = await make();
    const key = newKey();
    expect((await call("POST", path, json, key)).ok).toBe(true);
    const before = await stored(service, TABLES);
    const others: [string, object][] = [["/lists", { name: "Kitchen!" }]];
    if (json) others.push([path, { ...json, more: 1 }], ["/todos", { contents: "Kitchen" }]);
    for (const [otherPath, otherJson] of others.filter(
      ([, { more }]: [string, { more?: number }]) => !more,
    )) {
      const answer = await call("POST", otherPath, otherJson, key);
      const errors = await expectProblem(answer, [422, "idempotency_key_reused"]);
      expect(errors).toMatchObject([{ parameter: "Idempotency-Key" }]);
    }
    expect(await stored(service, TABLES)).toBe(before);
  });
});

const revision = () =>
  service.services.database.$client.execute({
    sql: "SELECT revision FROM users WHERE id = ?",
    args: [mina.id],
  });

test("the bytes count, not what they mean", async () => {
  const key = { ...newKey(), "content-type": "application/json" };
  const post = (body: string) =>
    service.call("POST", "/todos", { token: mina.token, headers: key, body });
  expect((await post('{"contents":"x"}')).status).toBe(201);
  await expectProblem(await post('{"contents": "x"}'), [422, "idempotency_key_reused"]);
});

test("an error is not kept", async () => {
  const key = newKey();
  const { id } = await add();
  const move = () => call("POST", `/todos/${id}/move`, { list_id: list.id }, key);
  const list = await addList();
  await call("DELETE", `/lists/${list.id}`);
  expect((await move()).status).toBe(404);
  const limited = newKey();
  for (let i = await count("todos"); i < 30; i++) await add();
  const post = () => call("POST", "/todos", { contents: "y" }, limited);
  expect((await post()).status).toBe(403);
  await call("DELETE", `/todos/${id}`);
  await call("DELETE", "/trash");
  const done = await post();
  expect([done.status, done.headers.get("idempotency-replayed")]).toEqual([201, null]);
  expect((await post()).headers.get("idempotency-replayed")).toBe("true");
});

test("a key of one user means nothing to another", async () => {
  const key = newKey();
  const json = { contents: "mine" };
  const mine = await rowOf(call("POST", "/todos", json, key));
  const other = await service.user();
  const theirs = await call("POST", "/todos", json, key, other);
  expect([theirs.status, theirs.headers.get("idempotency-replayed")]).toEqual([201, null]);
  expect((await theirs.json()).id).not.toBe(mine.id);
});

test("a key counts before If-Match", async () => {
  const { id, rev } = await add();
  await add();
  const headers = { ...newKey(), "if-match": `"${rev}"` };
  const move = () => call("POST", `/todos/${id}/move`, {}, headers);
  expect((await move()).status).toBe(200);
  const again = await move();
  expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
});

test("a key is known for IDEMPOTENCY_TTL, and then forgotten", async () => {
  service.stopClock();
  const key = newKey();
  const post = () => call("POST", "/todos", { contents: "x" }, key);
  const first = await rowOf(post());
  service.passSeconds(TTL - 1);
  expect((await rowOf(post())).id).toBe(first.id);
  service.passSeconds(1);
  const second = await rowOf(post());
  expect(second.id).not.toBe(first.id);
  expect((await rowOf(post())).id).toBe(second.id);
  expect(await count("kept_answers")).toBe(1);
});

const SINGLE_AND_BATCH: [what: string, path: string, json: object][] = [
  ["a single request", "/todos", { contents: "x" }],
  ["a batch", "/todos/batch", { operations: [{ op: "create", contents: "x" }] }],
];

test.each(SINGLE_AND_BATCH)(
  "%s whose key another process has forgotten, by a clock that is ahead, is done again",
  async (_what, path, json) => {
    service.stopClock();
    const key = newKey();
    const first = await call("POST", path, json, key);
    service.passSeconds(TTL);
    // A failed log-in deletes expired rows of `ttl`, but not the outcomes.
    const wrong = { username: mina.username, password: "wrong-password" };
    await service.call("POST", "/users/log-in", { json: wrong });
    service.passSeconds(-1);
    const again = await call("POST", path, json, key);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([first.status, null]);
    expect(await again.json()).not.toEqual(await first.json());
    expect(await count("todos")).toBe(2);
  },
);

test.each(SINGLE_AND_BATCH)(
  "%s whose key ends while it runs is a repetition, or is done again",
  async (_what, path, json) => {
    service.stopClock();
    // The key ends at the first reading of the clock, or at the second, and so on.
    for (let reading = 0; reading < 12; reading++) {
      mina = await service.user();
      const key = newKey();
      const post = () => call("POST", path, json, key);
      const { status } = await post();
      service.passSeconds(TTL - reading / 1000);
      service.moveClockAtEachReading(1);
      const again = await post();
      service.moveClockAtEachReading(0);
      expect([reading, again.status]).toEqual([reading, status]);
      const isRepetition = again.headers.has("idempotency-replayed");
      expect(await count("todos")).toBe(isRepetition ? 1 : 2);
    }
  },
);

test.each([
  ["129 characters", "k".repeat(129)],
  ["a space", "a b"],
  ["none", ""],
])("a key of %s is refused, and nothing is done", async (_what, key) => {
  const answer = await call("POST", "/todos", { contents: "x" }, { "idempotency-key": key });
  const errors = await expectProblem(answer, [422, "validation_failed"]);
  expect(errors).toMatchObject([{ parameter: "Idempotency-Key" }]);
  expect(await count("todos")).toBe(0);
});

test("a key of 128 characters is good", async () => {
  const headers = { "idempotency-key": "~".repeat(128) };
  expect((await call("POST", "/todos", { contents: "x" }, headers)).status).toBe(201);
  expect(
    (await call("POST", "/todos", { contents: "x" }, headers)).headers.get("idempotency-replayed"),
  ).toBe("true");
});

test("what was undone since is not done again", async () => {
  const { id } = await add();
  await call("DELETE", `/todos/${id}`);
  const key = newKey();
  const restore = () => call("POST", `/trash/${id}/restore`, undefined, key);
  const first = await seen(await restore());
  expect(first.status).toBe(200);
  await call("DELETE", `/todos/${id}`);
  expect(await seen(await restore())).toEqual(first);
  expect((await call("GET", `/todos/${id}`)).status).toBe(404);
});

test("elsewhere it is ignored", async () => {
  const { id } = await add();
  for (const key of ["a b", "k"]) {
    const answer = await call("PATCH", `/todos/${id}`, { priority: 1 }, { "idempotency-key": key });
    expect([answer.status, answer.headers.get("idempotency-replayed")]).toEqual([200, null]);
  }
});

test("whoever has logged out gets nothing by a key", async () => {
  const key = newKey();
  await call("POST", "/todos", { contents: "x" }, key);
  await call("POST", "/users/log-out");
  expect((await call("POST", "/todos", { contents: "x" }, key)).status).toBe(401);
});

test("nothing of a text is kept that was deleted for good, and it is not done again", async () => {
  for (const purge of ["one", "all"]) {
    const key = newKey();
    const json = { contents: `canary ${purge}` };
    const { id } = await rowOf(call("POST", "/todos", json, key));
    await call("DELETE", `/todos/${id}`);
    await call("DELETE", purge === "one" ? `/trash/${id}` : "/trash");
    expect(await stored(service)).not.toContain(json.contents);
    await expectProblem(await call("POST", "/todos", json, key), [404, "todo_not_found"]);
    expect(await count("todos")).toBe(0);
  }
});

test("nothing of a list's name is kept after the list was deleted, and it is not made again", async () => {
  const [create, move] = [newKey(), newKey()];
  const json = { name: "canary list" };
  const { id } = await rowOf(call("POST", "/lists", json, create));
  expect((await call("POST", `/lists/${id}/move`, { after: null }, move)).status).toBe(200);
  await call("DELETE", `/lists/${id}`);
  expect(await stored(service)).not.toContain(json.name);
  await expectProblem(await call("POST", "/lists", json, create), [404, "list_not_found"]);
  expect(await count("lists")).toBe(0);
});

test("of one user 2,000 outcomes are kept, and what was before those is still not done again", async () => {
  const client = service.services.database.$client;
  const first = newKey();
  const json = { contents: "the oldest" };
  await call("POST", "/todos", json, first);
  await client.execute({
    sql: `WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 2000)
      INSERT INTO kept_answers (user_id, key, outcome, expires_at)
      SELECT ?, 'filler ' || n, '[]', (SELECT max(expires_at) FROM kept_answers) + 1 FROM counter`,
    args: [mina.id],
  });
  const other = await service.user();
  await call("POST", "/todos", json, newKey(), other);
  await call("POST", "/todos", { contents: "x" }, newKey());
  expect(await count("kept_answers")).toBe(2_000);
  await expectProblem(await call("POST", "/todos", json, first), [404, "todo_not_found"]);
  expect(await count("todos")).toBe(2);
  // The answer of a list is a list's.
  const ofList = newKey();
  await call("POST", "/lists", { name: "Home" }, ofList);
  await client.execute("DELETE FROM kept_answers WHERE outcome LIKE '%Home%'");
  await expectProblem(await call("POST", "/lists", { name: "Home" }, ofList), [
    404,
    "list_not_found",
  ]);
  // The limit is for each user.
  const { rows } = await client.execute({
    sql: "SELECT count(*) FROM kept_answers WHERE user_id = ?",
    args: [other.id],
  });
  expect(rows[0]?.[0]).toBe(1);
});

test("a row of the TTL table stays short", async () => {
  const headers = { "idempotency-key": "k".repeat(128) };
  await call("POST", "/todos", { contents: "x".repeat(1000) }, headers);
  const { rows } = await service.services.database.$client.execute(
    "SELECT max(length(kind || key || value)) FROM ttl WHERE kind = 'idempotency'",
  );
  expect(rows[0]?.[0]).toBeLessThan(200);
});
