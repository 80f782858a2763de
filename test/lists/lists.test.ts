/** `/lists`: adding, reading, renaming, moving and deleting lists, and only the user's own lists. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import {
  contentsOf,
  expectRefused,
  expectUnfit,
  type List,
  newUser,
  revisionOf,
  type User,
} from "../todos/actions.ts";

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let service: Service;
let other: User;

beforeAll(async () => {
  service = await startService();
  other = await newUser(service);
});
afterAll(() => service.stop());

const namesOf = (lists: List[]) => lists.map(({ name }) => name);

/** A user with lists of these names. */
async function userWith(...names: string[]) {
  const user = await newUser(service);
  const lists: Record<string, List> = {};
  for (const name of names) lists[name] = await user.addList(name);
  const at = (name: string) => lists[name]?.id ?? 0;
  const order = async () => namesOf(await user.lists()).join("");
  return { ...user, at, order };
}

describe("adding", () => {
  test("answers 201 with the list and where it is; it is last", async () => {
    const user = await newUser(service);
    const response = await user.call("POST", "/lists", { name: "Groceries" });
    expect(response.status).toBe(201);
    const list = await response.json();
    expect(response.headers.get("location")).toBe(`/lists/${list.id}`);
    expect(list).toEqual({
      id: expect.any(Number),
      name: "Groceries",
      position: expect.any(Number),
      rev: 1,
      created_at: expect.stringMatching(MOMENT),
      updated_at: list.created_at,
    });
    expect(await user.readList(list.id)).toEqual(list);
    const second = await user.addList("Work");
    expect(second.position).toBeGreaterThan(list.position);
    expect(second.rev).toBe(2);
    expect(await user.lists()).toEqual([list, second]);
  });

  test.each([["x"], ["x".repeat(100)], ["🦊".repeat(100)], ["  Groceries "], ["식료품"]])(
    "keeps the name exactly: %s",
    async (name) => {
      const user = await newUser(service);
      const { id } = await user.addList(name);
      expect((await user.readList(id)).name).toBe(name);
      await user.renameList(id, "y");
      expect((await user.renameList(id, name)).name).toBe(name);
    },
  );

  test.each([
    [""],
    ["   "],
    ["\u3000"],
    ["x".repeat(101)],
    ["a\tb"],
    ["a\nb"],
    ["a\u0000b"],
    ["\uD83E"],
    [null],
    [5],
    [["x"]],
  ])("refuses the name %j, as renaming does", async (name) => {
    const user = await newUser(service);
    const list = await user.addList("x");
    await expectUnfit(await user.call("POST", "/lists", { name }), "/name");
    await expectUnfit(await user.call("PATCH", `/lists/${list.id}`, { name }), "/name");
    expect(await user.lists()).toEqual([list]);
    expect(await revisionOf(service, user)).toBe(1);
  });

  test("may be of the same name twice", async () => {
    expect(await (await userWith("a")).addList("a")).toMatchObject({ name: "a" });
  });
});

describe("renaming", () => {
  test("changes the name, the revision and the time, and nothing else", async () => {
    const user = await newUser(service);
    const list = await user.addList("before");
    await Bun.sleep(5);
    const renamed = await user.renameList(list.id, "after");
    const { updated_at } = renamed;
    expect(renamed).toEqual({ ...list, name: "after", rev: 2, updated_at });
    expect(Date.parse(updated_at)).toBeGreaterThan(Date.parse(list.updated_at));
    expect(await user.renameList(list.id, "after")).toEqual(renamed);
    expect(await revisionOf(service, user)).toBe(2);
  });
});

describe("moving", () => {
  test.each([
    ["c", null, "cabd"],
    ["a", "b", "bacd"],
    ["a", "d", "bcda"],
    ["d", "a", "adbc"],
    ["b", "a", "abcd"],
    ["a", null, "abcd"],
  ])("%s behind %s makes it %s", async (name, after, expected) => {
    const user = await userWith("a", "b", "c", "d");
    const moved = await user.moveList(user.at(name), after === null ? null : user.at(after));
    expect(moved.name).toBe(name);
    expect(await user.order()).toBe(expected);
    expect(await revisionOf(service, user)).toBe(expected === "abcd" ? 4 : 5);
  });

  test("behind what is not another of one's lists is 422 at /after", async () => {
    const user = await userWith("a", "b");
    const theirs = await other.addList("theirs");
    for (const after of [user.at("a"), theirs.id, 999_999]) {
      const answer = await user.call("POST", `/lists/${user.at("a")}/move`, { after });
      await expectUnfit(answer, "/after");
    }
    await expectUnfit(await user.call("POST", `/lists/${user.at("a")}/move`, {}), "/after");
    expect(await user.order()).toBe("ab");
    expect(await revisionOf(service, user)).toBe(2);
  });

  test("200 times to the same place leaves every list once, in the order that it made", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const user = await userWith(...names);
    const order = [...names];
    for (let i = 0; i < 200; i++) {
      const name = names[1 + (i % 4)] ?? "";
      await user.moveList(user.at(name), user.at("a"));
      order.splice(order.indexOf(name), 1);
      order.splice(1, 0, name);
    }
    expect(await user.order()).toBe(order.join(""));
  }, 120_000);

  test("by many at once leaves every list once", async () => {
    const names = Array.from({ length: 16 }, (_, i) => String.fromCharCode(97 + i));
    const user = await userWith(...names);
    const answers = await Promise.all(
      names.map((name) => user.call("POST", `/lists/${user.at(name)}/move`, { after: null })),
    );
    for (const { status } of answers) expect(status).toBe(200);
    expect([...(await user.order())].sort()).toEqual(names);
  });
});

describe("deleting", () => {
  test("puts its todos into the trash, and leaves all others", async () => {
    const user = await userWith("x", "y");
    for (const name of ["a", "b"]) await user.add({ contents: name, list_id: user.at("x") });
    await user.add({ contents: "c", list_id: user.at("y") });
    await user.add("d");
    const before = await revisionOf(service, user);
    await user.removeList(user.at("x"));
    expect(await user.order()).toBe("y");
    expect(contentsOf(await user.walk("", 100))).toEqual(["c", "d"]);
    const { todos } = await user.trash();
    expect(contentsOf(todos).sort()).toEqual(["a", "b"]);
    // One revision for all of these changes.
    expect(await revisionOf(service, user)).toBe(before + 1);
    for (const { rev } of todos) expect(rev).toBe(before + 1);
  });

  test("is told as a deletion", async () => {
    const user = await userWith("x");
    await user.removeList(user.at("x"));
    const { rows } = await service.services.database.$client.execute({
      sql: "SELECT type, id, rev FROM deletions WHERE user_id = ?",
      args: [user.id],
    });
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { type: "list", id: user.at("x"), rev: 2 },
    ] as never);
  });

  test("never hands out an id again", async () => {
    const user = await userWith("x");
    await user.removeList(user.at("x"));
    expect((await user.addList("y")).id).toBeGreaterThan(user.at("x"));
  });

  test("while todos are added to it and moved into it leaves none in a list that is gone", async () => {
    for (let round = 0; round < 5; round++) {
      const user = await userWith("x");
      const { id } = await user.add("mover");
      const list_id = user.at("x");
      await Promise.all([
        ...Array.from({ length: 8 }, () => user.call("POST", "/todos", { contents: "n", list_id })),
        user.call("DELETE", `/lists/${list_id}`),
        user.call("POST", `/todos/${id}/move`, { list_id }),
        ...Array.from({ length: 8 }, () => user.call("POST", "/todos", { contents: "n", list_id })),
      ]);
      const { rows } = await service.services.database.$client.execute({
        sql: "SELECT count(*) FROM todos WHERE user_id = ? AND list_id IS NOT NULL",
        args: [user.id],
      });
      expect(rows[0]?.[0]).toBe(0);
    }
  });
});

describe("a list that is not there", () => {
  test("or not one's own, or whose id is none, is the same 404", async () => {
    const user = await userWith("x");
    const theirs = await other.addList("theirs");
    for (const id of [theirs.id, 999_999, 0, "x", `0${user.at("x")}`, `${user.at("x")}.0`]) {
      for (const [method, path, json] of [
        ["GET", `/lists/${id}`],
        ["PATCH", `/lists/${id}`, { name: "y" }],
        ["POST", `/lists/${id}/move`, { after: 999_999 }],
        ["DELETE", `/lists/${id}`],
      ] as const) {
        await expectRefused(await user.call(method, path, json), 404, "list_not_found");
      }
    }
    expect(await other.readList(theirs.id)).toEqual(theirs);
  });
});
