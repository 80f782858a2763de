/** How many todos and lists a user may have: never more, however many are added at the same time. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
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
