/** `GET /todos/changes`: a client that follows all pages has the same rows as the service, and no others. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { BEGIN_EPOCH } from "../../src/sync/revision.ts";
import { expectProblem } from "../http/answers.ts";
import { type Service, startService } from "../service.ts";

type User = Awaited<ReturnType<Service["user"]>>;
interface Row {
  id: number;
  rev: number;
}
interface Page {
  changes: { type: string; id: number; rev?: number; deleted?: true }[];
  next: string;
  has_more: boolean;
}

/** Seconds. */
const CHANGES_TTL = 1000;

let service: Service;
let mina: User;

beforeAll(async () => {
  service = await startService({ CHANGES_TTL: String(CHANGES_TTL) });
});
afterAll(() => service.stop());
beforeEach(async () => {
  mina = await service.user();
});

const call = (method: string, path: string, json?: unknown, { token } = mina) =>
  service.call(method, path, { token, ...(json !== undefined && { json }) });

async function ask<T>(method: string, path: string, json?: unknown): Promise<T> {
  const answer = await call(method, path, json);
  expect(answer.ok).toBe(true);
  return answer.status === 204 ? (undefined as T) : answer.json();
}
const addTodo = (json: object = {}) => ask<Row>("POST", "/todos", { contents: "x", ...json });
const addList = () => ask<Row>("POST", "/lists", { name: "Garden" });
const pageAfter = (since?: string, limit = 500) =>
  ask<Page>("GET", `/todos/changes?limit=${limit}${since ? `&since=${since}` : ""}`);

/** The rows of a client that applies each change as it arrives. */
async function follow(copy: Map<string, object>, since?: string, limit?: number): Promise<string> {
  for (let cursor = since; ; ) {
    const { changes, next, has_more } = await pageAfter(cursor, limit);
    for (const { type, ...row } of changes) {
      if (row.deleted) copy.delete(`${type} ${row.id}`);
      else copy.set(`${type} ${row.id}`, row);
    }
    cursor = next;
    if (!has_more) return next;
  }
}

/** The rows that exist, as other routes show them. */
async function everything(): Promise<Map<string, object>> {
  const { lists } = await ask<{ lists: Row[] }>("GET", "/lists");
  const { todos } = await ask<{ todos: Row[] }>("GET", "/todos?limit=100");
  return new Map([
    ...lists.map((row) => [`list ${row.id}`, row] as const),
    ...todos.map((row) => [`todo ${row.id}`, row] as const),
  ]);
}

const sorted = (rows: Map<string, object>) => [...rows].sort(([a], [b]) => a.localeCompare(b));

describe("without since", () => {
  test("a user without rows gets no changes, and then the new ones", async () => {
    const { changes, next, has_more } = await pageAfter();
    expect({ changes, has_more }).toEqual({ changes: [], has_more: false });
    const todo = await addTodo();
    expect(await pageAfter(next)).toMatchObject({ changes: [{ type: "todo", ...todo }] });
  });

  test.each([1, 2, 3, 500])(
    "pages of %i have all rows once, in the order of revisions",
    async (limit) => {
      const list = await addList();
      const todos = [await addTodo(), await addTodo({ list_id: list.id }), await addTodo()];
      await ask("PATCH", `/todos/${todos[0]?.id}`, { notes: "later" });
      const told: Page["changes"] = [];
      let page = await pageAfter(undefined, limit);
      told.push(...page.changes);
      while (page.has_more) {
        expect(page.changes.length).toBe(limit);
        page = await pageAfter(page.next, limit);
        told.push(...page.changes);
      }
      const revs = told.map(({ rev }) => rev);
      expect(revs).toEqual(revs.toSorted((a, b) => Number(a) - Number(b)));
      expect(new Map(told.map(({ type, ...row }) => [`${type} ${row.id}`, row]))).toEqual(
        (await everything()) as Map<string, never>,
      );
      expect(told.length).toBe(4);
      expect((await pageAfter(page.next)).changes).toEqual([]);
    },
  );

  test("a page of long texts ends early, and no row is missed", async () => {
    const notes = "😀".repeat(10_000);
    const ids = [];
    for (let n = 0; n < 30; n++) ids.push((await addTodo({ notes })).id);
    await addList();
    const pages = [await pageAfter()];
    for (let last = pages[0]; last?.has_more; last = pages.at(-1)) {
      pages.push(await pageAfter(last.next));
    }
    // 30 notes of 40 kB each, in pages of 512 KiB and the note that reaches it.
    expect(pages.map(({ changes }) => changes.length)).toEqual([14, 14, 3]);
    const told = pages.flatMap(({ changes }) => changes).filter(({ type }) => type === "todo");
    expect(told.map(({ id }) => id)).toEqual(ids);
  });

  test("earlier deletions are left out on all pages, and deletions meanwhile are reported", async () => {
    const todos = [await addTodo(), await addTodo(), await addTodo()];
    const gone = [await addTodo(), await addTodo()];
    for (const { id } of gone) await ask("DELETE", `/todos/${id}`);
    await ask("DELETE", `/trash/${gone[0]?.id}`);
    await ask("DELETE", `/lists/${(await addList()).id}`);
    const first = await pageAfter(undefined, 1);
    expect(first.changes).toMatchObject([{ type: "todo", id: todos[0]?.id }]);
    await ask("DELETE", `/todos/${todos[0]?.id}`);
    await ask("DELETE", `/todos/${todos[1]?.id}`);
    const copy = new Map<string, object>([[`todo ${todos[0]?.id}`, {}]]);
    const deleted: number[] = [];
    let page = first;
    while (page.has_more) {
      page = await pageAfter(page.next, 1);
      for (const { type, ...row } of page.changes) {
        if (row.deleted) deleted.push(row.id);
        copy[row.deleted ? "delete" : "set"](`${type} ${row.id}`, row);
      }
    }
    expect(sorted(copy)).toEqual(sorted(await everything()));
    expect(deleted).toEqual([Number(todos[0]?.id), Number(todos[1]?.id)]);
  });
});

describe("since", () => {
  test.each<
    [string, (todo: Row, list: Row) => Promise<unknown>, (todo: Row, list: Row) => object[]]
  >([
    ["nothing", async () => {}, () => []],
    [
      "a change of nothing",
      (todo) => ask("PATCH", `/todos/${todo.id}`, { contents: "x" }),
      () => [],
    ],
    [
      "a deletion",
      (todo) => ask("DELETE", `/todos/${todo.id}`),
      ({ id }) => [{ type: "todo", id, deleted: true }],
    ],
    [
      "a deletion for good",
      async (todo) => {
        await ask("DELETE", `/todos/${todo.id}`);
        await ask("DELETE", `/trash/${todo.id}`);
      },
      ({ id }) => [{ type: "todo", id, deleted: true }],
    ],
    [
      "a deletion for good, with all that is in the trash",
      async (todo) => {
        await ask("DELETE", `/todos/${todo.id}`);
        await ask("DELETE", "/trash");
      },
      ({ id }) => [{ type: "todo", id, deleted: true }],
    ],
    [
      "a deletion of a list",
      (_todo, list) => ask("DELETE", `/lists/${list.id}`),
      (todo, { id }) => [
        { type: "list", id, deleted: true },
        { type: "todo", id: todo.id, deleted: true },
      ],
    ],
  ])("%s is reported in its current state", async (_what, change, expected) => {
    const list = await addList();
    const todo = await addTodo({ list_id: list.id });
    const { next } = await pageAfter();
    await change(todo, list);
    const { changes, has_more } = await pageAfter(next);
    expect({ changes, has_more }).toEqual({
      changes: expected(todo, list),
      has_more: false,
    } as never);
  });

  test("a restored todo is told as a todo", async () => {
    const { id } = await addTodo();
    const { next } = await pageAfter();
    await ask("DELETE", `/todos/${id}`);
    const after = await pageAfter(next);
    await ask("POST", `/trash/${id}/restore`);
    const todo = await ask<Row>("GET", `/todos/${id}`);
    const expected = [{ type: "todo", ...todo }];
    expect((await pageAfter(next)).changes).toEqual(expected);
    expect((await pageAfter(after.next)).changes).toEqual(expected);
  });

  test("rows that one request changed are not lost between two pages", async () => {
    const list = await addList();
    for (let i = 0; i < 5; i++) await addTodo({ list_id: list.id });
    const { next } = await pageAfter();
    await ask("DELETE", `/lists/${list.id}`);
    for (const limit of [1, 2, 4]) {
      const copy = new Map((await everything()).entries());
      await follow(copy, next, limit);
      expect(copy.size).toBe(0);
    }
    expect((await pageAfter(next)).changes.length).toBe(6);
  });

  test("rows that were only renumbered are reported", async () => {
    const todos = [await addTodo(), await addTodo(), await addTodo()];
    const copy = new Map<string, object>();
    const next = await follow(copy);
    // Each halves the gap behind the first.
    for (let i = 0; i < 24; i++) {
      await ask("POST", `/todos/${todos[1 + (i % 2)]?.id}/move`, { after: todos[0]?.id });
    }
    await follow(copy, next, 1);
    expect(sorted(copy)).toEqual(sorted(await everything()));
  });
});

describe("a cursor", () => {
  const isRefused = async (answer: Response) =>
    expect(await expectProblem(answer, [422, "validation_failed"])).toMatchObject([
      { parameter: "since" },
    ]);

  test("is its user's own", async () => {
    const { next } = await pageAfter();
    mina = await service.user();
    await isRefused(await call("GET", `/todos/changes?since=${next}`));
  });

  test("cannot be made up", async () => {
    const { next } = await pageAfter();
    await isRefused(await call("GET", `/todos/changes?since=${next.replace(/^\d+/, "9")}`));
    await isRefused(await call("GET", "/todos/changes?since=7"));
    const page = await (await call("GET", "/todos?limit=1")).json();
    if (page.next_cursor)
      await isRefused(await call("GET", `/todos/changes?since=${page.next_cursor}`));
  });

  test("is valid for CHANGES_TTL after it was given, and then expired", async () => {
    service.stopClock();
    const { next } = await pageAfter();
    service.passSeconds(CHANGES_TTL - 1);
    const renewed = await pageAfter(next);
    service.passSeconds(1);
    await expectProblem(await call("GET", `/todos/changes?since=${next}`), [410, "cursor_expired"]);
    expect((await pageAfter(renewed.next)).changes).toEqual([]);
  });

  test("between two pages expires with the cursor of the first page, so that no deletion is missed", async () => {
    const gone = await addTodo();
    const before = await follow(new Map());
    await addTodo();
    await addTodo();
    await ask("DELETE", `/todos/${gone.id}`);
    await ask("DELETE", `/trash/${gone.id}`);
    service.passSeconds(CHANGES_TTL - 100);
    const { next, has_more } = await pageAfter(before, 1);
    expect(has_more).toBe(true);
    expect((await pageAfter(next)).changes).toContainEqual({
      type: "todo",
      id: gone.id,
      deleted: true,
    });
    service.passSeconds(101);
    // By now the note of the deletion is deleted.
    await service.services.upkeep.run();
    await expectProblem(await call("GET", `/todos/changes?since=${next}`), [410, "cursor_expired"]);
  });

  test("from before a backup was restored is gone, also when newer revisions have passed it", async () => {
    await addTodo();
    const { next } = await pageAfter();
    await service.services.database.$client.execute(BEGIN_EPOCH);
    await addTodo();
    await expectProblem(await call("GET", `/todos/changes?since=${next}`), [410, "cursor_expired"]);
    const first = await pageAfter(undefined, 1);
    expect(first.has_more).toBe(true);
    const second = await pageAfter(first.next);
    expect(second).toMatchObject({ changes: [{ type: "todo" }], has_more: false });
    expect((await pageAfter(second.next)).changes).toEqual([]);
  });

  test("that is ahead of the user, as after a restored backup, is gone", async () => {
    await addTodo();
    const { next } = await pageAfter();
    await service.services.database.$client.execute({
      sql: "UPDATE users SET revision = 0 WHERE id = ?",
      args: [mina.id],
    });
    await expectProblem(await call("GET", `/todos/changes?since=${next}`), [410, "cursor_expired"]);
  });
});

test.each(["0", "501", "1.5", "x"])("limit=%s is invalid", async (limit) => {
  const answer = await call("GET", `/todos/changes?limit=${limit}`);
  expect(await expectProblem(answer, [422, "validation_failed"])).toMatchObject([
    { parameter: "limit" },
  ]);
});

test("a user's changes are shown to nobody else", async () => {
  await addTodo();
  mina = await service.user();
  expect((await pageAfter()).changes).toEqual([]);
});
