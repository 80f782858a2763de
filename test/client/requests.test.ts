/** Which place a request names when others have changed the lists meanwhile. Over HTTP only luck would show this. */
import { describe, expect, test } from "bun:test";
import type { Entries, Operation } from "../../src/client/entries.ts";
import { nextRequest } from "../../src/client/requests.ts";
import type { List, Todo } from "../../src/client/sync.ts";

const at = "2026-11-20T10:00:00.000Z";
const times = { rev: 1, created_at: at, updated_at: at };

const todo = (id: number, list_id: number | null): Todo => ({
  id,
  contents: `todo ${id}`,
  notes: null,
  is_done: false,
  done_at: null,
  priority: 0,
  due: null,
  repeat: null,
  list_id,
  position: id,
  ...times,
});
const list = (id: number): List => ({ id, name: `list ${id}`, position: id, ...times });

/** The content of the next request, for the first change in the queue. */
function asked(operation: Operation) {
  const entries: Entries = {
    "todo/1": todo(1, null),
    "todo/2": todo(2, null),
    "todo/3": todo(3, 9),
    "list/9": list(9),
    "alias/-5": { from: -5, to: 9 },
    "queue/1": { key: "1", at, operation },
  };
  return JSON.parse(nextRequest(entries)?.body ?? "{}").operations[0];
}

const moves: [what: string, place: { list_id?: number | null; after?: number | null }, object][] = [
  ["behind a todo of its list", { after: 2 }, { after: 2 }],
  ["to the front", { after: null }, { after: null }],
  ["behind a todo that is in another list now", { after: 3 }, {}],
  ["behind a todo of the list that it goes to", { list_id: 9, after: 3 }, { list_id: 9, after: 3 }],
  [
    "behind a todo that is not in the list that it goes to",
    { list_id: 9, after: 2 },
    { list_id: 9 },
  ],
  ["behind a todo that is gone", { after: 4 }, {}],
  ["into a list that was created here", { list_id: -5 }, { list_id: 9 }],
  ["into a list that is gone", { list_id: 8 }, {}],
  ["into a list that the service did not make", { list_id: -6 }, {}],
];
test.each(moves)("a move %s", (_, place, expected) => {
  expect(asked({ type: "todo", op: "move", id: 1, place })).toEqual({
    op: "move",
    id: 1,
    ...expected,
  });
});

test("a new todo for a list that is gone goes to the inbox", () => {
  const fields = { contents: "Buy milk", list_id: 8 };
  expect(asked({ type: "todo", op: "create", id: -7, fields })).toEqual({
    op: "create",
    contents: "Buy milk",
  });
});

describe("a list whose new neighbor was deleted meanwhile", () => {
  const operation: Operation = { type: "list", op: "move", id: 9, place: { after: 8 } };
  const queued = { "queue/1": { key: "1", at, operation } } as const;

  test("goes after the last of the others", () => {
    const entries = { "list/9": { ...list(9), position: 5 }, "list/2": list(2), "list/4": list(4) };
    expect(JSON.parse(nextRequest({ ...entries, ...queued })?.body ?? "")).toEqual({ after: 4 });
  });

  test("stays where it is when it is the only one", () => {
    const entries = { "list/9": list(9) };
    expect(JSON.parse(nextRequest({ ...entries, ...queued })?.body ?? "")).toEqual({ after: null });
  });
});
