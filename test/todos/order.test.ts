/** A manual order: todos within a list and between lists, after any number of moves. */
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

/** A user with todos of these names in the inbox. */
async function userWith(...names: string[]) {
  const user = await newUser(service);
  const todos: Record<string, Todo> = {};
  for (const name of names) todos[name] = await user.add(name);
  const at = (name: string) => todos[name]?.id ?? 0;
  const order = async (list: number | "inbox" = "inbox") =>
    contentsOf(await user.walk(`sort=position&list_id=${list}`, 100)).join("");
  return { ...user, at, order };
}

test("a new todo is last in its list", async () => {
  const { order, add, addList } = await userWith("a", "b");
  const { id } = await addList("x");
  await add({ contents: "c", list_id: id });
  await add("d");
  await add({ contents: "e", list_id: id });
  expect([await order(), await order(id)]).toEqual(["abd", "ce"]);
});

describe("a move", () => {
  test.each([
    ["c", { after: null }, "cabd"],
    ["a", { after: null }, "abcd"],
    ["a", { after: "b" }, "bacd"],
    ["a", { after: "d" }, "bcda"],
    ["d", { after: "a" }, "adbc"],
    ["b", { after: "a" }, "abcd"],
    ["d", { after: "c" }, "abcd"],
    ["a", {}, "bcda"],
    ["d", {}, "abcd"],
    ["b", { list_id: null }, "acdb"],
    ["b", { list_id: null, after: null }, "bacd"],
  ])(
    "of %s to %j makes it %s",
    async (name, where: { after?: string | null; list_id?: null }, expected) => {
      const { at, move, order } = await userWith("a", "b", "c", "d");
      const { after, ...rest } = where;
      const json = { ...rest, ...(after !== undefined && { after: after && at(after) }) };
      const moved = await move(at(name), json);
      expect(moved.id).toBe(at(name));
      expect(await order()).toBe(expected);
    },
  );

  test("answers with the todo as it is now, and changes that one alone", async () => {
    const user = await userWith("a", "b", "c");
    const before = await user.walk("sort=id", 100);
    await Bun.sleep(5);
    const moved = await user.move(user.at("c"), { after: user.at("a") });
    const { position, updated_at, rev } = moved;
    expect(moved).toEqual({ ...(before[2] as Todo), position, updated_at, rev });
    expect(rev).toBe(4);
    expect(Date.parse(updated_at)).toBeGreaterThan(Date.parse(before[2]?.updated_at ?? ""));
    expect(await user.walk("sort=id", 100)).toEqual([...before.slice(0, 2), moved]);
  });

  test.each(["a", "b", "c"])("of %s to where it is changes nothing", async (name) => {
    const user = await userWith("a", "b", "c");
    const before = await user.walk("sort=id", 100);
    const inFront = { a: null, b: user.at("a"), c: user.at("b") }[name];
    await user.move(user.at(name), { after: inFront });
    if (name === "c") await user.move(user.at(name), {});
    expect(await user.walk("sort=id", 100)).toEqual(before);
    expect(await revisionOf(service, user)).toBe(3);
  });

  test("may go into another list, to any place there, and back", async () => {
    const user = await userWith("a", "b", "c");
    const { id: list_id } = await user.addList("x");
    expect((await user.move(user.at("b"), { list_id })).list_id).toBe(list_id);
    await user.move(user.at("c"), { list_id, after: null });
    await user.move(user.at("a"), { list_id, after: user.at("c") });
    expect([await user.order(), await user.order(list_id)]).toEqual(["", "cab"]);
    // Without `list_id`, the todo stays in its own list.
    await user.move(user.at("c"), {});
    expect(await user.order(list_id)).toBe("abc");
    expect((await user.move(user.at("b"), { list_id: null })).list_id).toBeNull();
    expect([await user.order(), await user.order(list_id)]).toEqual(["b", "ac"]);
  });

  test("behind what is not another todo of that list is 422 at /after", async () => {
    const user = await userWith("a", "b");
    const { id: list_id } = await user.addList("x");
    const listed = await user.add({ contents: "c", list_id });
    const theirs = await mina.add("not yours");
    const before = await user.walk("sort=id", 100);
    const attempts: [string, object][] = [
      ["a", { after: user.at("a") }],
      ["a", { after: listed.id }],
      ["a", { list_id, after: user.at("b") }],
      ["a", { list_id, after: user.at("a") }],
      ["a", { after: theirs.id }],
      ["a", { after: 999_999 }],
    ];
    for (const [name, json] of attempts) {
      await expectUnfit(await user.call("POST", `/todos/${user.at(name)}/move`, json), "/after");
    }
    expect(await user.walk("sort=id", 100)).toEqual(before);
    expect(await revisionOf(service, user)).toBe(4);
  });

  test("of no such todo, or into no such list, is 404, and that comes before /after", async () => {
    const user = await userWith("a");
    const theirs = await mina.add("not yours");
    const theirList = await mina.addList("not yours");
    for (const id of [theirs.id, 999_999, "x", "01"]) {
      const answer = await user.call("POST", `/todos/${id}/move`, { list_id: 999_999, after: 1 });
      await expectRefused(answer, 404, "todo_not_found");
    }
    for (const list_id of [theirList.id, 999_999]) {
      const json = { list_id, after: 999_999 };
      const answer = await user.call("POST", `/todos/${user.at("a")}/move`, json);
      await expectRefused(answer, 404, "list_not_found");
    }
    expect(await user.order()).toBe("a");
  });
});

/** The number of todos in the list with each position and each id. All are one, when nothing is lost or doubled. */
function expectSound(todos: Todo[], count: number): void {
  expect(todos).toHaveLength(count);
  expect(new Set(todos.map(({ id }) => id)).size).toBe(count);
  for (const { position } of todos) expect(Number.isSafeInteger(position)).toBe(true);
}

describe("a gap that has closed", () => {
  test("1,000 moves to the same place leave every todo once, in the order that they made", async () => {
    const names = Array.from({ length: 8 }, (_, i) => String.fromCharCode(97 + i));
    const user = await userWith(...names);
    const order = [...names];
    for (let i = 0; i < 1000; i++) {
      const name = names[1 + (i % (names.length - 1))] ?? "";
      // Always directly after the first one.
      await user.move(user.at(name), { after: user.at("a") });
      order.splice(order.indexOf(name), 1);
      order.splice(1, 0, name);
    }
    expect(await user.order()).toBe(order.join(""));
    expectSound(await user.walk("", 100), names.length);
  }, 120_000);

  test("is opened by numbering that list alone anew, in one revision", async () => {
    const user = await userWith("a", "b", "c");
    const { id: list_id } = await user.addList("x");
    await user.add({ contents: "d", list_id });
    const client = service.services.database.$client;
    await client.execute({
      sql: "UPDATE todos SET position = 7 WHERE user_id = ? AND list_id IS NULL",
      args: [user.id],
    });
    const before = await user.walk("sort=id", 100);
    const revision = await revisionOf(service, user);
    const moved = await user.move(user.at("c"), { after: user.at("a") });
    expect(await user.order()).toBe("acb");
    expect(await revisionOf(service, user)).toBe(revision + 1);
    const after = await user.walk("sort=id", 100);
    // The renumbered todos have the new revision, and nothing else of them has changed.
    const renumbered = after.slice(0, 2);
    for (const [i, todo] of renumbered.entries()) {
      const { position } = todo;
      expect(todo).toEqual({ ...(before[i] as Todo), position, rev: revision + 1 });
    }
    expect(moved.rev).toBe(revision + 1);
    expect(after[3]).toEqual(before[3] as Todo);
  });

  test("todos that a former version left without a place are in the order of their ids", async () => {
    const user = await newUser(service);
    await service.services.database.$client.execute({
      sql: `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
        SELECT ?, value, 0, 0, 0 FROM json_each('["a", "b", "c"]')`,
      args: [user.id],
    });
    const [a, , c] = await user.walk("sort=position", 100);
    await user.move(c?.id ?? 0, { after: a?.id });
    expect(contentsOf(await user.walk("sort=position", 100))).toEqual(["a", "c", "b"]);
  });
});

describe("64 moves at once", () => {
  test("to the same place leave every todo exactly once", async () => {
    const names = Array.from({ length: 64 }, (_, i) => `${i}`);
    const user = await userWith("first", ...names);
    const answers = await Promise.all(
      names.map((name) =>
        user.call("POST", `/todos/${user.at(name)}/move`, { after: user.at("first") }),
      ),
    );
    for (const { status } of answers) expect(status).toBe(200);
    const todos = await user.walk("sort=position", 100);
    expectSound(todos, 65);
    expect(new Set(todos.map(({ position }) => position)).size).toBe(65);
    expect(todos[0]?.contents).toBe("first");
    expect(contentsOf(todos).sort()).toEqual(["first", ...names].sort());
  });

  test("between lists leave every todo in one of them, where the last move put it", async () => {
    const names = Array.from({ length: 16 }, (_, i) => `${i}`);
    const user = await userWith(...names);
    const lists = [await user.addList("x"), await user.addList("y")];
    const moves = Array.from({ length: 64 }, (_, i) => {
      const name = names[i % names.length] ?? "";
      const list_id = [null, lists[0]?.id, lists[1]?.id][i % 3] ?? null;
      return user.call("POST", `/todos/${user.at(name)}/move`, {
        list_id,
        ...(i % 2 && { after: null }),
      });
    });
    const answers: Todo[] = await Promise.all(moves.map(async (move) => (await move).json()));
    const todos = await user.walk("sort=position", 100);
    expectSound(todos, 16);
    for (const todo of todos) {
      const last = answers.filter(({ id }) => id === todo.id).sort((a, b) => b.rev - a.rev)[0];
      expect(todo.list_id).toBe(last?.list_id ?? null);
    }
  });
});
