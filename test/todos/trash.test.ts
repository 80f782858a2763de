/** `/trash`: a deleted todo is kept there, is restored completely, or is deleted for good. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startProcess, temporaryFolder } from "../process.ts";
import { type Service, startService } from "../service.ts";
import {
  contentsOf,
  expectRefused,
  idsOf,
  newUser,
  revisionOf,
  type Todo,
  type User,
} from "./actions.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

let service: Service;
let other: User;

beforeAll(async () => {
  service = await startService();
  other = await newUser(service);
});
afterAll(() => service.stop());

const FIELDS = {
  contents: "Pay rent",
  notes: "To the new account",
  priority: 3,
  due: { date: "2126-01-31", time: "09:00", zone: "Asia/Seoul" },
  repeat: { every: 1, unit: "month", from: "due" },
};

type DeletedTodo = Todo & { deleted_at: string };

describe("a deleted todo", () => {
  test("is in the trash with all that it was, and when it was deleted, and nowhere else", async () => {
    const user = await newUser(service);
    const { id: list_id } = await user.addList("x");
    const todo = await user.add({ ...FIELDS, list_id });
    await Bun.sleep(5);
    const now = service.services.clock();
    await user.remove(todo.id);
    const { todos, next_cursor } = await user.trash();
    const deleted_at = todos[0]?.deleted_at;
    expect(todos).toEqual([{ ...todo, rev: todo.rev + 1, deleted_at }]);
    expect(Math.abs(Date.parse(deleted_at) - now)).toBeLessThan(5000);
    expect(next_cursor).toBeNull();
    expect((await user.list()).todos).toEqual([]);
    expect((await user.list(`list_id=${list_id}`)).todos).toEqual([]);
    const path = `/todos/${todo.id}`;
    await expectRefused(await user.call("GET", path), 404, "todo_not_found");
    await expectRefused(await user.call("PATCH", path, { priority: 1 }), 404, "todo_not_found");
    await expectRefused(await user.call("POST", `${path}/move`, {}), 404, "todo_not_found");
    await expectRefused(await user.call("DELETE", path), 404, "todo_not_found");
    expect(await revisionOf(service, user)).toBe(todo.rev + 1);
  });

  test("comes back by restoring, last in its list", async () => {
    const user = await newUser(service);
    const { id: list_id } = await user.addList("x");
    const todo = await user.add({ ...FIELDS, list_id });
    const last = await user.add({ contents: "last", list_id });
    await user.remove(todo.id);
    const restored = await user.restore(todo.id);
    const { position, updated_at, rev } = restored;
    expect(restored).toEqual({ ...todo, position, updated_at, rev });
    expect(position).toBeGreaterThan(last.position);
    expect(rev).toBe(last.rev + 2);
    expect(await user.read(todo.id)).toEqual(restored);
    expect((await user.trash()).todos).toEqual([]);
    // It repeats as before.
    await user.change(todo.id, { is_done: true });
    expect((await user.list(`list_id=${list_id}`)).todos).toHaveLength(3);
  });

  test("comes back into the inbox when its list is gone", async () => {
    const user = await newUser(service);
    const before = await user.addList("x");
    const kept = await user.addList("y");
    const early = await user.add({ contents: "early", list_id: before.id });
    const late = await user.add({ contents: "late", list_id: before.id });
    const elsewhere = await user.add({ contents: "elsewhere", list_id: kept.id });
    await user.remove(early.id);
    await user.remove(elsewhere.id);
    await user.removeList(before.id);
    const { todos } = await user.trash();
    expect(todos.map(({ contents, list_id }: Todo) => [contents, list_id])).toEqual([
      ["late", null],
      ["elsewhere", kept.id],
      ["early", null],
    ]);
    for (const { id } of [early, late]) expect((await user.restore(id)).list_id).toBeNull();
    expect((await user.restore(elsewhere.id)).list_id).toBe(kept.id);
  });

  test("that is not in the trash is 404, and so is another user's", async () => {
    const theirs = await other.add("not yours");
    await other.remove(theirs.id);
    const user = await newUser(service);
    const live = await user.add("x");
    for (const id of [theirs.id, live.id, 999_999, "x", "01"]) {
      await expectRefused(await user.call("POST", `/trash/${id}/restore`), 404, "todo_not_found");
      await expectRefused(await user.call("DELETE", `/trash/${id}`), 404, "todo_not_found");
    }
    expect(idsOf((await other.trash()).todos)).toContain(theirs.id);
    expect(await user.read(live.id)).toEqual(live);
    expect(await revisionOf(service, user)).toBe(1);
  });

  test("is restored once when several do it at once", async () => {
    const user = await newUser(service);
    const { id } = await user.add("x");
    await user.remove(id);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => user.call("POST", `/trash/${id}/restore`)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(404)]);
    expect((await user.list()).todos).toHaveLength(1);
  });
});

describe("the trash", () => {
  test("has the latest deleted first, ties by the later id, in pages", async () => {
    const user = await newUser(service);
    const ids: number[] = [];
    for (let i = 0; i < 7; i++) ids.push((await user.add(`${i}`)).id);
    for (const i of [3, 0, 6, 1]) {
      await user.remove(ids[i] ?? 0);
      await Bun.sleep(5);
    }
    await service.services.database.$client.execute({
      sql: "UPDATE trash SET deleted_at = 5 WHERE id IN (?, ?)",
      args: [ids[0] ?? 0, ids[3] ?? 0],
    });
    const expected = ["1", "6", "3", "0"];
    const { todos }: { todos: Todo[] } = await user.trash();
    expect(contentsOf(todos)).toEqual(expected);
    const seen: DeletedTodo[] = [];
    let path = "/trash?limit=1";
    while (path) {
      const response = await user.call("GET", path);
      seen.push(...(await response.json()).todos);
      [, path = ""] = /^<(.+)>; rel="next"$/.exec(response.headers.get("link") ?? "") ?? [];
    }
    expect(contentsOf(seen)).toEqual(expected);
  });

  test("is one's own alone, and so is its cursor", async () => {
    const user = await newUser(service);
    for (let i = 0; i < 2; i++) await user.remove((await user.add(`${i}`)).id);
    const { next_cursor } = await user.trash("limit=1");
    const cursor = encodeURIComponent(next_cursor);
    expect((await user.trash(`cursor=${cursor}`)).todos).toHaveLength(1);
    for (const [who, query] of [
      [other, `cursor=${cursor}`],
      [user, `cursor=${cursor}x`],
      [user, "cursor=2"],
      [user, "limit=0"],
      [user, "limit=101"],
      [user, "limit=1&limit=2"],
      [user, "order=ASC"],
    ] as const) {
      await expectRefused(await who.call("GET", `/trash?${query}`), 422, "validation_failed");
    }
    for (const contents of ["x", "y"]) await user.add(contents);
    const ofTodos = (await user.list("limit=1")).next_cursor ?? "";
    const response = await user.call("GET", `/trash?cursor=${encodeURIComponent(ofTodos)}`);
    await expectRefused(response, 422, "validation_failed");
  });

  test("is emptied at once, in one revision; an empty one stays as it is", async () => {
    const user = await newUser(service);
    await other.remove((await other.add("not yours")).id);
    for (let i = 0; i < 5; i++) await user.remove((await user.add(`${i}`)).id);
    const kept = await user.add("kept");
    const before = await revisionOf(service, user);
    await user.empty();
    expect(await user.trash()).toEqual({ todos: [], next_cursor: null });
    expect(await user.read(kept.id)).toEqual(kept);
    expect(await revisionOf(service, user)).toBe(before + 1);
    await user.empty();
    expect(await revisionOf(service, user)).toBe(before + 1);
    expect((await other.trash()).todos.length).toBeGreaterThan(0);
  });
});

describe("what is deleted for good", () => {
  const SECRET_TEXT = "Zq7canary contents";
  const SECRET_NOTES = "Zq7canary notes ".repeat(600);

  /**
   * Whether any file in the folder contains the text, in upper or lower case, because a folded copy is in lower case.
   */
  function isInFiles(folder: string): boolean {
    const data = join(folder, "data");
    return readdirSync(data).some((name) =>
      readFileSync(join(data, name), "latin1").toLowerCase().includes("zq7canary"),
    );
  }

  test.each([
    ["one by one", async (user: User, id: number) => user.purge(id)],
    ["with the whole trash", async (user: User) => user.empty()],
  ])(
    "%s is not in the file after the next stop",
    async (_how, purge) => {
      using folder = temporaryFolder();
      const first = await startProcess(folder.path);
      await using _ = first;
      const user = await newUser(first);
      const { id } = await user.add({ contents: SECRET_TEXT, notes: SECRET_NOTES });
      await user.add("stays");
      await user.change(id, { contents: `${SECRET_TEXT}, changed` });
      await user.remove(id);
      expect(isInFiles(folder.path)).toBe(true);
      await purge(user, id);
      expect(await first.stop()).toBe(0);
      expect(isInFiles(folder.path)).toBe(false);
      expect(readdirSync(join(folder.path, "data"))).toContain("todos.db");
    },
    20_000,
  );

  test("is told as a deletion, without its text", async () => {
    const user = await newUser(service);
    const { id } = await user.add("x");
    await user.remove(id);
    await user.purge(id);
    const { rows } = await service.services.database.$client.execute({
      sql: "SELECT type, id, rev FROM deletions WHERE user_id = ?",
      args: [user.id],
    });
    expect(rows.map((row) => ({ ...row }))).toEqual([{ type: "todo", id, rev: 3 }] as never);
    await expectRefused(await user.call("POST", `/trash/${id}/restore`), 404, "todo_not_found");
    // Its id is never used again.
    expect((await user.add("y")).id).toBeGreaterThan(id);
  });
});
