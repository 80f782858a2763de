/** The views of `GET /todos`: sorts and filters, alone and together, in pages that miss and repeat nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import { contentsOf, expectRefused, idsOf, newUser, type Todo, type User } from "./actions.ts";

let service: Service;
let mina: User;
let jiho: User;
let listId = 0;
/** Todos of all sorts, by id. */
let todos: Todo[] = [];

const DUE = [
  null,
  { date: "2026-05-01" },
  { date: "2026-05-01", time: "08:00" },
  { date: "2026-05-01", time: "17:30", zone: "Asia/Seoul" },
  { date: "2026-05-02", time: "00:00" },
  { date: "2025-12-31" },
  { date: "0001-01-01" },
  { date: "9999-12-31", time: "23:59" },
];

beforeAll(async () => {
  service = await startService();
  mina = await newUser(service);
  jiho = await newUser(service);
  ({ id: listId } = await mina.addList("x"));
  const { id: theirs } = await jiho.addList("y");
  for (let i = 0; i < 48; i++) {
    const due = DUE[(i * 5) % DUE.length] ?? null;
    const list_id = i % 3 === 0 ? listId : null;
    const fields = { contents: `${i}`, due, is_done: i % 4 === 0, priority: i % 5 === 0 ? 2 : 0 };
    todos.push(await mina.add({ ...fields, list_id }));
    await jiho.add({ ...fields, list_id: list_id && theirs });
  }
  // The order within the lists is different from the order of the ids.
  for (const i of [40, 3, 17, 21]) await mina.move(todos[i]?.id ?? 0, { after: null });
  todos = await mina.walk("", 100);
});
afterAll(() => service.stop());

type Compare = (a: Todo, b: Todo) => number;
const by =
  (...keys: ((todo: Todo) => number | string)[]): Compare =>
  (a, b) => {
    for (const key of keys) {
      const [one, two] = [key(a), key(b)];
      if (one !== two) return one < two ? -1 : 1;
    }
    return 0;
  };

/** The contract's rule for each sort, written a second time. */
function sorted(some: Todo[], sort: string, order: string): Todo[] {
  const id = ({ id }: Todo) => id;
  const turn = (all: Todo[]) => (order === "DESC" ? all.toReversed() : all);
  if (sort === "id") return turn(some.toSorted(by(id)));
  if (sort === "position") return turn(some.toSorted(by(({ position }) => position, id)));
  const dated = some.filter(({ due }) => due);
  const undated = some.filter(({ due }) => !due);
  const byDue = by(
    ({ due }) => due?.date ?? "",
    // Todos for all day come after the timed ones.
    ({ due }) => due?.time ?? "24:00",
    id,
  );
  return [...turn(dated.toSorted(byDue)), ...turn(undated.toSorted(by(id)))];
}

const filters: [query: string, fits: (todo: Todo) => boolean][] = [
  ["", () => true],
  ["is_done=true", ({ is_done }) => is_done],
  ["is_done=false", ({ is_done }) => !is_done],
  ["list_id=inbox", ({ list_id }) => list_id === null],
  ["list_id=LIST", ({ list_id }) => list_id === listId],
  ["priority=2", ({ priority }) => priority === 2],
  ["priority=3", () => false],
  ["due_from=2026-05-01", ({ due }) => due !== null && due.date >= "2026-05-01"],
  ["due_to=2026-05-01", ({ due }) => due !== null && due.date <= "2026-05-01"],
  ["due_from=2026-05-01&due_to=2026-05-01", ({ due }) => due?.date === "2026-05-01"],
  ["due_from=2027-01-01&due_to=2026-01-01", () => false],
  ["q=4", ({ contents }) => contents.includes("4")],
  [
    "is_done=false&list_id=inbox&priority=0&due_from=2026-01-01&due_to=2026-12-31&q=1",
    ({ is_done, list_id, priority, due, contents }) =>
      !is_done &&
      list_id === null &&
      priority === 0 &&
      due?.date.startsWith("2026") === true &&
      contents.includes("1"),
  ],
];

describe.each(["id", "position", "due"])("sorted by %s", (sort) => {
  describe.each(["ASC", "DESC"])("%s", (order) => {
    test.each(filters)("?%s", async (query, fits) => {
      const expected = contentsOf(sorted(todos.filter(fits), sort, order));
      const view = `sort=${sort}&order=${order}&${query}`.replace("LIST", String(listId));
      for (const limit of [1, 4, 100]) {
        expect(contentsOf(await mina.walk(view, limit))).toEqual(expected);
      }
    });

    test("a walk meets each todo once that keeps its place, while others come, go and move", async () => {
      const user = await newUser(service);
      const kept: Todo[] = [];
      const restless: Todo[] = [];
      const due = (i: number) => DUE[(i * 5) % DUE.length] ?? null;
      for (let i = 0; i < 16; i++) {
        kept.push(await user.add({ contents: `${i}`, due: due(i) }));
        restless.push(await user.add({ contents: "restless", due: due(i + 3) }));
      }
      const seen: number[] = [];
      let cursor: string | null = "";
      for (let page = 0; cursor !== null; page++) {
        const from: string = cursor && `&cursor=${encodeURIComponent(cursor)}`;
        const found = await user.list(`sort=${sort}&order=${order}&limit=3${from}`);
        seen.push(...idsOf(found.todos));
        cursor = found.next_cursor;
        const one = restless[page % restless.length];
        if (one && page < restless.length) {
          if (page % 3 === 0) await user.remove(one.id);
          if (page % 3 === 1) await user.move(one.id, { after: null });
          if (page % 3 === 2) await user.change(one.id, { due: due(page) });
        }
        if (page < 6) await user.add({ contents: "new", due: due(page) });
      }
      const ids = new Set(idsOf(kept));
      expect(seen.filter((id) => ids.has(id))).toEqual(idsOf(sorted(kept, sort, order)));
    });
  });
});

test("a list that is not one's own is 404, as one that is not there", async () => {
  const [theirs] = await jiho.lists();
  for (const id of [theirs?.id, 999_999, 9_007_199_254_740_991]) {
    await expectRefused(await mina.call("GET", `/todos?list_id=${id}`), 404, "list_not_found");
  }
});

/** Not hexadecimal, or bytes that are not UTF-8: cut off, overlong, a surrogate, and above U+10FFFF. */
const BROKEN_ESCAPES = ["100%", "%zz", "%FF", "%C3", "%C0%80", "%ED%A0%80", "%F4%90%80%80"];

test.each([
  ["sort", ["ID", "name", "", "due,id"]],
  [
    "list_id",
    ["0", "01", "-1", "1.5", "x", "", "null", "INBOX", "9007199254740992", "9999999999999999"],
  ],
  ["priority", ["-1", "4", "1.5", "01", "high", ""]],
  ["due_from", ["2026-02-30", "2026-1-1", "today", "", "2026-01-01T00:00:00Z", "null"]],
  ["due_to", ["2026-02-30", "20260101", ""]],
  ["q", ["", "x".repeat(101), "a%00b", "a%0Ab", "a%09b", "%7F", ...BROKEN_ESCAPES]],
])("refuses %s when it is none", async (parameter, values) => {
  for (const value of values) {
    const response = await mina.call("GET", `/todos?${parameter}=${value}`);
    const problem = await expectRefused(response, 422, "validation_failed");
    expect([value, problem.errors]).toEqual([value, [expect.objectContaining({ parameter })]]);
  }
});

describe("a cursor", () => {
  const query =
    "sort=due&order=DESC&is_done=false&list_id=inbox&priority=0&due_from=2000-01-01&q=1";

  test("is good for the same query in any order of its parameters, and with another limit", async () => {
    const { next_cursor } = await mina.list(`${query}&limit=1`);
    const parameters = query.split("&").toReversed().join("&");
    const cursor = encodeURIComponent(next_cursor ?? "");
    const rest = await mina.list(`${parameters}&limit=100&cursor=${cursor}`);
    const all = await mina.list(`${query}&limit=100`);
    expect(rest.todos).toEqual(all.todos.slice(1));
  });

  test("is 422 with any other query", async () => {
    const { next_cursor } = await mina.list(`${query}&limit=1`);
    const others = query.split("&").map((_, i, all) => all.toSpliced(i, 1).join("&"));
    const more = [
      query.replace("due&", "position&"),
      query.replace("inbox", String(listId)),
      query.replace("q=1", "q=2"),
      query.replace("2000", "2001"),
      `${query}&due_to=2030-01-01`,
    ];
    expect(others).toHaveLength(7);
    for (const other of [...others, ...more]) {
      const cursor = encodeURIComponent(next_cursor ?? "");
      const response = await mina.call("GET", `/todos?${other}&limit=1&cursor=${cursor}`);
      const problem = await expectRefused(response, 422, "validation_failed");
      expect([other, problem.errors[0].parameter]).toEqual([other, "cursor"]);
    }
  });

  test("comes with a link that says the whole query", async () => {
    const response = await mina.call("GET", `/todos?${query}&limit=1`);
    const [, target] = /^<(.+)>; rel="next"$/.exec(response.headers.get("link") ?? "") ?? [];
    const next = await (await mina.call("GET", target ?? "")).json();
    const all = await mina.list(`${query}&limit=2`);
    expect(next.todos).toEqual(all.todos.slice(1));
  });
});
