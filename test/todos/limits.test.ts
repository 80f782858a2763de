/** How many todos and lists a user may have, and how much text: never more, however many are added at the same time. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { foldTexts } from "../../src/todos/folding.ts";
import { type Service, startService } from "../service.ts";
import { expectRefused, newUser, revisionOf } from "./actions.ts";

const TODOS = 10;
const LISTS = 5;

let service: Service;

beforeAll(async () => {
  service = await startService({ TODOS_PER_USER: String(TODOS), LISTS_PER_USER: String(LISTS) });
});
afterAll(() => service.stop());

const times = <T>(count: number, make: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)));

describe("TODOS_PER_USER", () => {
  test("bounds what is added at once, and what is refused leaves nothing", async () => {
    const user = await newUser(service);
    const answers = await times(40, (i) => user.call("POST", "/todos", { contents: `${i}` }));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(TODOS);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      await expectRefused(answer, 403, "limit_reached");
    }
    expect((await user.list("limit=100")).todos).toHaveLength(TODOS);
    expect(await revisionOf(service, user)).toBe(TODOS);
  });

  test("counts the trash, and what goes for good counts no more", async () => {
    const user = await newUser(service);
    const todos = await times(TODOS, (i) => user.add(`${i}`));
    const refused = async () =>
      expectRefused(await user.call("POST", "/todos", { contents: "x" }), 403, "limit_reached");
    await refused();
    const [one, two, three] = todos.map(({ id }) => id);
    await user.remove(one ?? 0);
    await user.remove(two ?? 0);
    await refused();
    await user.restore(one ?? 0);
    await refused();
    await user.purge(two ?? 0);
    await user.add("in its place");
    await refused();
    await user.remove(three ?? 0);
    await user.empty();
    await user.add("in its place");
    await refused();
  });

  test("counts the todos of a list that is deleted, and is each user's own", async () => {
    const user = await newUser(service);
    const { id } = await user.addList("x");
    await times(TODOS, (i) => user.add({ contents: `${i}`, list_id: id }));
    await user.removeList(id);
    const answer = await user.call("POST", "/todos", { contents: "x" });
    await expectRefused(answer, 403, "limit_reached");
    await (await newUser(service)).add("x");
    await user.empty();
    await user.add("x");
  });

  test("comes after a list that is not there", async () => {
    const user = await newUser(service);
    await times(TODOS, (i) => user.add(`${i}`));
    const answer = await user.call("POST", "/todos", { contents: "x", list_id: 999_999 });
    await expectRefused(answer, 404, "list_not_found");
  });

  test("holds for what a former version adds, too: it counts", async () => {
    const user = await newUser(service);
    await service.services.database.$client.execute({
      sql: `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
        SELECT ?, value, 0, 0, 0 FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]')`,
      args: [user.id],
    });
    const answer = await user.call("POST", "/todos", { contents: "x" });
    await expectRefused(answer, 403, "limit_reached");
  });

  test("is held while todos are added, deleted, restored and purged at once", async () => {
    const user = await newUser(service);
    const todos = await times(TODOS - 2, (i) => user.add(`${i}`));
    for (let round = 0; round < 5; round++) {
      await times(24, (i) => {
        const id = todos[i % todos.length]?.id ?? 0;
        if (i % 4 === 0) return user.call("DELETE", `/todos/${id}`);
        if (i % 4 === 1) return user.call("POST", `/trash/${id}/restore`);
        return user.call("POST", "/todos", { contents: "more" });
      });
    }
    const live = (await user.list("limit=100")).todos.length;
    const trashed = (await user.trash()).todos.length;
    expect(live + trashed).toBe(TODOS);
    const { rows } = await service.services.database.$client.execute({
      sql: "SELECT todo_count FROM users WHERE id = ?",
      args: [user.id],
    });
    expect(rows[0]?.[0]).toBe(TODOS);
  });
});

describe("TEXT_PER_USER", () => {
  const MEBIBYTE = 1024 * 1024;
  /** The longest notes. This character is searched as 18 others, so it takes 3 bytes and then 33. */
  const LONG = "\ufdfa".repeat(10_000);
  const SIZE = 10_000 * (3 + 33);

  let fresh: Service;
  beforeAll(async () => {
    fresh = await startService({ TEXT_PER_USER: "1" });
  });
  afterAll(() => fresh.stop());

  /** A user whose texts have reached the limit, and the user's todos. */
  async function fullUser() {
    const user = await newUser(fresh);
    const count = Math.ceil(MEBIBYTE / SIZE);
    const todos = await times(count, (i) => user.add({ contents: `${i}`, notes: LONG }));
    const refused = async (answer: Response) => expectRefused(answer, 403, "limit_reached");
    return { user, todos: todos.map(({ id }) => id), refused };
  }

  test("bounds what is added, also what is added again by ticking off", async () => {
    const { user, todos, refused } = await fullUser();
    await refused(await user.call("POST", "/todos", { contents: "x" }));
    const repeats = { due: { date: "2026-11-30" }, repeat: { every: 1, unit: "day", from: "due" } };
    const changed = await user.call("PATCH", `/todos/${todos[0]}`, repeats);
    expect(changed.status).toBe(200);
    await refused(await user.call("PATCH", `/todos/${todos[0]}`, { is_done: true }));
    expect((await user.list()).todos).toHaveLength(todos.length);
    await (await newUser(fresh)).add("x");
  });

  test("lets a text become shorter, and no longer", async () => {
    const { user, todos, refused } = await fullUser();
    const change = (json: object) => user.call("PATCH", `/todos/${todos[0]}`, json);
    await refused(await change({ contents: "00" }));
    await refused(await change({ notes: `${LONG.slice(1)}\u{1f95b}`, is_done: true }));
    expect(await revisionOf(fresh, user)).toBe(todos.length);
    for (const json of [{ contents: "1" }, { is_done: true }, { notes: LONG.slice(1) }]) {
      expect((await change(json)).status).toBe(200);
    }
    expect((await change({ notes: null })).status).toBe(200);
    await user.add("in its place");
  });

  test("counts the trash, and what goes for good counts no more", async () => {
    const { user, todos, refused } = await fullUser();
    await user.remove(todos[0] ?? 0);
    await refused(await user.call("POST", "/todos", { contents: "x" }));
    await user.restore(todos[0] ?? 0);
    await refused(await user.call("POST", "/todos", { contents: "x" }));
    await user.remove(todos[0] ?? 0);
    await user.empty();
    await user.add({ contents: "in its place", notes: LONG });
    await refused(await user.call("POST", "/todos", { contents: "x" }));
  });

  test("is the sum of the texts, whatever is done to them", async () => {
    const user = await newUser(fresh);
    const client = fresh.services.database.$client;
    await client.execute({
      // As a former version does it: without the folded text.
      sql: `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
        SELECT ?, 'Straße ' || value, 0, 0, 0 FROM json_each('[1, 2, 3]')`,
      args: [user.id],
    });
    const { id } = await user.addList("x");
    const added = await times(8, (i) =>
      user.add({ contents: `todo ${i}`, notes: i % 2 ? "우유" : null, list_id: i > 5 ? id : null }),
    );
    await times(4, (i) =>
      user.call("PATCH", `/todos/${added[i]?.id}`, { contents: "longer than before", notes: "²" }),
    );
    await user.remove(added[0]?.id ?? 0);
    await user.restore(added[0]?.id ?? 0);
    for (const i of [1, 2]) await user.remove(added[i]?.id ?? 0);
    await user.purge(added[1]?.id ?? 0);
    await user.removeList(id);
    await foldTexts(fresh.services.database);
    const sum = (table: string) => `(
      SELECT sum(octet_length(contents || ifnull(contents_folded, '') || ifnull(notes, '') || ifnull(notes_folded, '')))
      FROM ${table} WHERE user_id = users.id)`;
    const { rows } = await client.execute({
      sql: `SELECT text_size, ${sum("todos")} + ${sum("trash")} FROM users WHERE id = ?`,
      args: [user.id],
    });
    const [size, expected] = Array.from(rows[0] ?? []);
    expect(size).toBe(Number(expected));
    expect(size).toBeGreaterThan(100);
  });
});

test("LISTS_PER_USER bounds what is added at once, and a deleted list counts no more", async () => {
  const user = await newUser(service);
  const answers = await times(20, (i) => user.call("POST", "/lists", { name: `${i}` }));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(LISTS);
  for (const answer of answers.filter(({ status }) => status !== 201)) {
    await expectRefused(answer, 403, "limit_reached");
  }
  const lists = await user.lists();
  expect(lists).toHaveLength(LISTS);
  expect(await revisionOf(service, user)).toBe(LISTS);
  await user.removeList(lists[0]?.id ?? 0);
  await user.addList("in its place");
});

test("a page of long texts ends before its limit, and the next one goes on where it ended", async () => {
  const big = await startService();
  try {
    const user = await newUser(big);
    const list = await user.addList("x");
    await big.services.database.$client.execute({
      sql: `WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 60)
        INSERT INTO todos (user_id, list_id, contents, notes, is_done, created_at, updated_at)
        SELECT ?, ?, n, printf('%.*c', 10000, 'x'), 0, 0, 0 FROM counter`,
      args: [user.id, list.id],
    });
    const all = Array.from({ length: 60 }, (_, i) => `${i + 1}`);
    const texts = (todos: { contents: string }[]) => todos.map(({ contents }) => contents);
    for (const sort of ["id", "position"]) {
      expect((await user.list(`sort=${sort}&limit=100`)).todos).toHaveLength(27);
      expect(texts(await user.walk(`sort=${sort}`, 100))).toEqual(all);
    }
    await user.removeList(list.id);
    const sizes: number[] = [];
    const trashed: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = await user.trash(`limit=100${cursor && `&cursor=${cursor}`}`);
      sizes.push(page.todos.length);
      trashed.push(...texts(page.todos));
      cursor = page.next_cursor;
    }
    expect(sizes).toEqual([27, 27, 6]);
    expect(trashed.toSorted()).toEqual(all.toSorted());
  } finally {
    await big.stop();
  }
});
