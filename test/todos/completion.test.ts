/** Ticking off a todo that repeats: it stays as done, and the next todo of its series is added once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import {
  contentsOf,
  expectRefused,
  expectUnfit,
  newUser,
  revisionOf,
  type Todo,
  type User,
} from "./actions.ts";

let service: Service;
let mina: User;

beforeAll(async () => {
  service = await startService();
  mina = await newUser(service);
});
afterAll(() => service.stop());

const daily = { every: 1, unit: "day", from: "due" };
const monthly = { every: 1, unit: "month", from: "due" };

/** Ticks it off. Returns it and the next todo. */
async function complete(user: User, id: number, json: object = {}): Promise<[Todo, Todo]> {
  const response = await user.call("PATCH", `/todos/${id}`, { is_done: true, ...json });
  expect(response.status).toBe(200);
  const [, next] = /^<\/todos\/(\d+)>; rel="next"$/.exec(response.headers.get("link") ?? "") ?? [];
  expect(next).toBeDefined();
  return [await response.json(), await user.read(Number(next))];
}

describe("ticking off a todo that repeats", () => {
  test("leaves it done without its repeat, and adds the next", async () => {
    const todo = await mina.add({
      contents: "Pay rent",
      notes: "To the new account",
      priority: 2,
      due: { date: "2126-01-31", time: "09:00", zone: "Asia/Seoul" },
      repeat: monthly,
    });
    await Bun.sleep(5);
    const [done, next] = await complete(mina, todo.id);
    const { updated_at } = done;
    expect(done).toEqual({
      ...todo,
      is_done: true,
      done_at: updated_at,
      repeat: null,
      rev: todo.rev + 1,
      updated_at,
    });
    expect(await mina.read(todo.id)).toEqual(done);
    expect(next).toEqual({
      ...todo,
      id: next.id,
      due: {
        date: "2126-02-28",
        time: "09:00",
        zone: "Asia/Seoul",
        at: "2126-02-28T00:00:00.000Z",
      },
      position: next.position,
      rev: done.rev,
      created_at: updated_at,
      updated_at,
    });
    expect(await revisionOf(service, mina)).toBe(done.rev);
  });

  test("puts the next at the end of its list", async () => {
    const user = await newUser(service);
    const { id: list_id } = await user.addList("Chores");
    const due = { date: "2126-01-01" };
    const { id } = await user.add({ contents: "Sweep", list_id, due, repeat: daily });
    await user.add({ contents: "Dust", list_id });
    await user.add("not in the list");
    const [, next] = await complete(user, id);
    expect(next.list_id).toBe(list_id);
    const { todos } = await user.list(`sort=position&list_id=${list_id}`);
    expect(todos.map(({ contents, is_done }) => [contents, is_done])).toEqual([
      ["Sweep", true],
      ["Dust", false],
      ["Sweep", false],
    ]);
  });

  test("makes the next of what the change leaves", async () => {
    const { id } = await mina.add({
      contents: "before",
      notes: "before",
      due: { date: "2126-01-01" },
      repeat: daily,
    });
    const weekly = { every: 2, unit: "week", from: "due" };
    const [done, next] = await complete(mina, id, {
      contents: "after",
      notes: null,
      priority: 3,
      due: { date: "2126-03-01", time: "10:00" },
      repeat: weekly,
    });
    const shared = { contents: "after", notes: null, priority: 3 };
    expect(done).toMatchObject({ ...shared, due: { date: "2126-03-01" }, repeat: null });
    const due = { date: "2126-03-15", time: "10:00", zone: null, at: null };
    expect(next).toMatchObject({ ...shared, due, repeat: weekly, is_done: false, done_at: null });
    // And the search finds it by its new text.
    const { todos } = await mina.list("q=AFTER");
    expect(todos.map((todo) => todo.id)).toEqual([id, next.id]);
  });

  test("with a repeat that the change brings repeats too", async () => {
    const { id } = await mina.add({ contents: "x", due: { date: "2126-01-01" } });
    const [done, next] = await complete(mina, id, { repeat: daily });
    expect(done.repeat).toBeNull();
    expect(next).toMatchObject({ due: { date: "2126-01-02" }, repeat: daily });
  });

  test("keeps the day of the month that was set, until a due date is sent with another", async () => {
    const add = { contents: "x", due: { date: "2127-01-31" }, repeat: monthly };
    let { id } = await mina.add(add);
    const dates: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      const [, next] = await complete(mina, id);
      dates.push(next.due?.date);
      id = next.id;
    }
    expect(dates).toEqual(["2127-02-28", "2127-03-31", "2127-04-30", "2127-05-31"]);
    // The same date with a time of day does not set another day.
    const june = (await complete(mina, id))[1];
    expect(june.due?.date).toBe("2127-06-30");
    await mina.change(june.id, { due: { date: "2127-06-30", time: "09:00" } });
    const [, july] = await complete(mina, june.id);
    expect(july.due?.date).toBe("2127-07-31");
    await mina.change(july.id, { due: { date: "2127-07-30" } });
    const [, august] = await complete(mina, july.id);
    expect(august.due?.date).toBe("2127-08-30");
  });

  test("late goes on from today, in its zone", async () => {
    const { id } = await mina.add({
      contents: "x",
      due: { date: "2020-01-01", time: "08:00", zone: "Pacific/Auckland" },
      repeat: daily,
    });
    const [, next] = await complete(mina, id);
    const there = new Intl.DateTimeFormat("en-CA", { timeZone: "Pacific/Auckland" });
    expect(next.due?.date).toBe(there.format(service.services.clock()));
  });

  test("counts from today when it repeats from done", async () => {
    const repeat = { every: 3, unit: "day", from: "done" };
    const { id } = await mina.add({ contents: "x", due: { date: "2126-01-01" }, repeat });
    const [, next] = await complete(mina, id);
    const inThreeDays = new Date(service.services.clock() + 3 * 86_400_000).toISOString();
    expect(next.due?.date).toBe(inThreeDays.slice(0, 10));
  });

  test("past the year 9999 is 422, and changes nothing", async () => {
    const todo = await mina.add({ contents: "x", due: { date: "9999-12-31" }, repeat: daily });
    await expectUnfit(await mina.call("PATCH", `/todos/${todo.id}`, { is_done: true }), "/due");
    expect(await mina.read(todo.id)).toEqual(todo);
  });
});

describe("no next comes", () => {
  const repeating = () => mina.add({ contents: "x", due: { date: "2126-01-01" }, repeat: daily });
  const count = async () => (await mina.walk("", 100)).length;

  test("of ticking off twice", async () => {
    const { id } = await repeating();
    const [done] = await complete(mina, id);
    const before = await count();
    const again = await mina.call("PATCH", `/todos/${id}`, { is_done: true });
    expect(again.headers.get("link")).toBeNull();
    expect(await again.json()).toEqual(done);
    expect(await count()).toBe(before);
  });

  test("and none goes, when the tick is taken back", async () => {
    const { id } = await repeating();
    const [, next] = await complete(mina, id);
    const before = await count();
    expect(await mina.change(id, { is_done: false })).toMatchObject({
      is_done: false,
      repeat: null,
    });
    expect(await mina.read(next.id)).toEqual(next);
    await mina.change(id, { is_done: true });
    expect(await count()).toBe(before);
  });

  test("when the same change ends the series", async () => {
    const { id } = await repeating();
    const before = await count();
    const response = await mina.call("PATCH", `/todos/${id}`, { is_done: true, repeat: null });
    expect(response.headers.get("link")).toBeNull();
    expect(await response.json()).toMatchObject({ is_done: true, repeat: null });
    expect(await count()).toBe(before);
  });

  test("of a change of anything else", async () => {
    const { id } = await repeating();
    const before = await count();
    expect(await mina.change(id, { contents: "y", is_done: false })).toMatchObject({
      repeat: daily,
    });
    expect(await count()).toBe(before);
  });
});

test("at the limit of todos it is 403, and nothing changes", async () => {
  const small = await startService({ TODOS_PER_USER: "2" });
  const user = await newUser(small);
  const todo = await user.add({ contents: "x", due: { date: "2126-01-01" }, repeat: daily });
  const { id: other } = await user.add("y");
  const tick = () => user.call("PATCH", `/todos/${todo.id}`, { is_done: true, contents: "z" });
  await expectRefused(await tick(), 403, "limit_reached");
  expect(await user.read(todo.id)).toEqual(todo);
  expect(await revisionOf(small, user)).toBe(2);
  // A series that ends adds no todo.
  await user.remove(other);
  await expectRefused(await tick(), 403, "limit_reached");
  await user.empty();
  expect((await tick()).status).toBe(200);
  await small.stop();
});

describe("at once", () => {
  test("two dozen devices tick it off, and one next comes", async () => {
    const user = await newUser(service);
    for (let round = 0; round < 5; round++) {
      const due = { date: `2126-01-0${round + 1}` };
      const { id } = await user.add({ contents: `round ${round}`, due, repeat: daily });
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, i) =>
          user.call("PATCH", `/todos/${id}`, { is_done: true, ...(i % 2 && { priority: 1 }) }),
        ),
      );
      for (const { status } of answers) expect(status).toBe(200);
      expect(answers.filter(({ headers }) => headers.has("link"))).toHaveLength(1);
      const open = await user.walk(`is_done=false&q=${encodeURIComponent(`round ${round}`)}`, 10);
      expect(open).toHaveLength(1);
    }
  });

  test("some change its due date meanwhile, and the next follows from what it then was", async () => {
    const user = await newUser(service);
    for (let round = 0; round < 10; round++) {
      const { id } = await user.add({ contents: "x", due: { date: "2126-01-01" }, repeat: daily });
      await Promise.all([
        user.call("PATCH", `/todos/${id}`, { is_done: true }),
        user.call("PATCH", `/todos/${id}`, { due: { date: "2126-06-01" } }),
      ]);
      const todos = await user.walk("sort=due", 100);
      const dates = todos.map(({ due }) => due?.date);
      // Either changed first, or ticked off first.
      expect([
        ["2126-06-01", "2126-06-02"],
        ["2126-01-02", "2126-06-01"],
      ]).toContainEqual(dates as string[]);
      for (const todo of todos) await user.remove(todo.id);
    }
  });

  test("at the limit no more come than there is room for", async () => {
    const small = await startService({ TODOS_PER_USER: "12" });
    const user = await newUser(small);
    const series = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        user.add({ contents: `${i}`, due: { date: "2126-01-01" }, repeat: daily }),
      ),
    );
    const answers = await Promise.all(
      series.map(({ id }) => user.call("PATCH", `/todos/${id}`, { is_done: true })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 200, 200, 200, 403, 403, 403, 403]);
    const todos = await user.walk("", 100);
    expect(todos).toHaveLength(12);
    expect(todos.filter(({ is_done }) => is_done)).toHaveLength(4);
    expect(new Set(contentsOf(todos)).size).toBe(8);
    await small.stop();
  });
});
