/** The fields of a todo besides its contents: which values they accept and refuse, and what they return. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import { expectUnfit, newUser, revisionOf, type Todo, type User } from "./actions.ts";

let service: Service;
let mina: User;

beforeAll(async () => {
  service = await startService();
  mina = await newUser(service);
});
afterAll(() => service.stop());

const post = (json: object) => mina.call("POST", "/todos", { contents: "x", ...json });
const patch = (id: number, json: object) => mina.call("PATCH", `/todos/${id}`, json);

/** Asserts that a todo can neither be added with this value nor changed to it, and that nothing has changed. */
async function expectRefusedBothWays(json: object, ...pointers: string[]): Promise<void> {
  const todo = await mina.add({ contents: "stays", due: { date: "2026-01-01" } });
  const before = await revisionOf(service, mina);
  await expectUnfit(await post(json), ...pointers);
  await expectUnfit(await patch(todo.id, json), ...pointers);
  expect(await mina.read(todo.id)).toEqual(todo);
  expect(await revisionOf(service, mina)).toBe(before);
}

test("a client that knows only contents and is_done finds the rest at its default", async () => {
  expect(await mina.add({ contents: "Buy milk", is_done: false })).toMatchObject({
    notes: null,
    done_at: null,
    priority: 0,
    due: null,
    repeat: null,
    list_id: null,
  });
});

test("all fields come back as they were sent, when added, read, listed and changed", async () => {
  const sent = {
    contents: "Pay rent",
    notes: "To the\n\tnew account",
    priority: 3,
    due: { date: "2026-12-31", time: "18:00", zone: "Asia/Seoul" },
    repeat: { every: 1, unit: "month", from: "due" },
  };
  const due = { ...sent.due, at: "2026-12-31T09:00:00.000Z" };
  const added = await mina.add(sent);
  expect(added).toMatchObject({ ...sent, due });
  expect(await mina.read(added.id)).toEqual(added);
  expect((await mina.list("order=DESC&limit=1")).todos).toEqual([added]);
  const { id } = await mina.add("Plain");
  expect(await mina.change(id, sent)).toMatchObject({ id, ...sent, due });
});

describe("a change", () => {
  const changes: [field: keyof Todo, value: unknown, told?: unknown][] = [
    ["contents", "after"],
    ["notes", "after"],
    ["notes", null],
    ["priority", 2],
    ["due", { date: "2027-02-03" }, { date: "2027-02-03", time: null, zone: null, at: null }],
    ["due", null],
    ["repeat", { every: 2, unit: "day", from: "done" }],
    ["repeat", null],
  ];

  test.each(changes)("of %s to %j leaves the rest", async (field, value, told = value) => {
    const todo = await mina.add({
      contents: "before",
      notes: "before",
      priority: 1,
      due: { date: "2026-01-01", time: "10:00" },
      ...(field === "due" ? {} : { repeat: { every: 1, unit: "day", from: "due" } }),
    });
    const changed = await mina.change(todo.id, { [field]: value });
    const { updated_at } = changed;
    expect(changed).toEqual({ ...todo, [field]: told, updated_at, rev: todo.rev + 1 } as Todo);
    expect(await mina.read(todo.id)).toEqual(changed);
  });

  test("that changes nothing raises no revision, and leaves the time of the last change", async () => {
    const fields = {
      contents: "same",
      notes: "same",
      priority: 1,
      due: { date: "2026-03-01", time: "08:00", zone: "Europe/Berlin" },
      repeat: { every: 1, unit: "week", weekdays: [1, 5], from: "due" },
    };
    const todo = await mina.add(fields);
    const before = await revisionOf(service, mina);
    await Bun.sleep(5);
    expect(await mina.change(todo.id, fields)).toEqual(todo);
    expect(await mina.change(todo.id, { is_done: false })).toEqual(todo);
    // A todo that was read can be sent back.
    expect(await mina.change(todo.id, { due: todo.due, repeat: todo.repeat })).toEqual(todo);
    expect(await revisionOf(service, mina)).toBe(before);
  });

  test("raises the user's revision by one, and the todo carries it", async () => {
    const { id, rev } = await mina.add("x");
    expect(await revisionOf(service, mina)).toBe(rev);
    expect((await mina.change(id, { contents: "y", notes: "z" })).rev).toBe(rev + 1);
    expect(await revisionOf(service, mina)).toBe(rev + 1);
  });
});

describe("notes", () => {
  test.each([
    ["one letter", "x"],
    ["10,000 letters", "x".repeat(10_000)],
    ["10,000 emoji", "🦊".repeat(10_000)],
    ["tabs and newlines", "\tone\n\ttwo\n"],
    ["a zero-width joiner alone", "\u200D"],
  ])("are kept exactly: %s", async (_what, notes) => {
    const { id } = await mina.add({ contents: "x", notes });
    expect((await mina.read(id)).notes).toBe(notes);
  });

  test.each([
    ["nothing", ""],
    ["10,001 letters", "x".repeat(10_001)],
    ["10,001 emoji", "🦊".repeat(10_001)],
    ["white space", " \t\n\u3000"],
    ["a carriage return", "one\r\ntwo"],
    ["a NUL", "a\u0000b"],
    ["a lone surrogate", "a\uD83Eb"],
    ["a number", 5],
  ])("refuse %s", (_what, notes) => expectRefusedBothWays({ notes }, "/notes"));
});

describe("done_at", () => {
  test("is when it was ticked off, and null again when the tick is taken back", async () => {
    const { id, done_at } = await mina.add("x");
    expect(done_at).toBeNull();
    await Bun.sleep(5);
    const done = await mina.change(id, { is_done: true });
    expect(done.done_at).toBe(done.updated_at);
    await Bun.sleep(5);
    expect((await mina.change(id, { is_done: true })).done_at).toBe(done.done_at);
    expect((await mina.change(id, { contents: "y" })).done_at).toBe(done.done_at);
    expect((await mina.change(id, { contents: "z", is_done: true })).done_at).toBe(done.done_at);
    expect((await mina.change(id, { is_done: false })).done_at).toBeNull();
    const again = await mina.change(id, { is_done: true });
    expect(Date.parse(again.done_at ?? "")).toBeGreaterThan(Date.parse(done.done_at ?? ""));
  });

  test("is when it was added, for what is done from the start", async () => {
    const { done_at, created_at } = await mina.add({ contents: "x", is_done: true });
    expect(done_at).toBe(created_at);
  });
});

describe("due", () => {
  test.each<[what: string, due: object, told: object]>([
    ["a date alone", { date: "2026-08-09" }, { time: null, zone: null, at: null }],
    [
      "a date, and null for the rest",
      { date: "2026-08-09", time: null, zone: null },
      { time: null, zone: null, at: null },
    ],
    [
      "a time in the time zone of the reader",
      { date: "2026-08-09", time: "23:59" },
      { time: "23:59", zone: null, at: null },
    ],
    [
      "a time in a zone, in its summer",
      { date: "2026-08-09", time: "09:30", zone: "Europe/Berlin" },
      { time: "09:30", zone: "Europe/Berlin", at: "2026-08-09T07:30:00.000Z" },
    ],
    [
      "a zone in unusual case, which is kept",
      { date: "2026-08-09", time: "00:00", zone: "asia/CALCUTTA" },
      { time: "00:00", zone: "asia/CALCUTTA", at: "2026-08-08T18:30:00.000Z" },
    ],
    [
      "and in its winter",
      { date: "2026-01-09", time: "09:30", zone: "Europe/Berlin" },
      { time: "09:30", zone: "Europe/Berlin", at: "2026-01-09T08:30:00.000Z" },
    ],
    [
      "a time that the zone skips: with the offset before the gap",
      { date: "2026-03-29", time: "02:30", zone: "Europe/Berlin" },
      { time: "02:30", zone: "Europe/Berlin", at: "2026-03-29T01:30:00.000Z" },
    ],
    [
      "a time that occurs twice: the first",
      { date: "2026-10-25", time: "02:30", zone: "Europe/Berlin" },
      { time: "02:30", zone: "Europe/Berlin", at: "2026-10-25T00:30:00.000Z" },
    ],
    ["a leap day", { date: "2028-02-29" }, { time: null, zone: null, at: null }],
    ["the first date", { date: "0001-01-01" }, { time: null, zone: null, at: null }],
    ["the last date", { date: "9999-12-31" }, { time: null, zone: null, at: null }],
    [
      "an `at` of its reader's, which is ignored",
      { date: "2026-08-09", at: "1999-01-01T00:00:00.000Z" },
      { time: null, zone: null, at: null },
    ],
  ])("may be %s", async (_what, due, told) => {
    const { id, ...added } = await mina.add({ contents: "x", due });
    expect(added.due).toEqual({ ...due, ...told } as Todo["due"]);
    expect((await mina.read(id)).due).toEqual(added.due);
  });

  test("is replaced whole", async () => {
    const due = { date: "2026-08-09", time: "09:30", zone: "Europe/Berlin" };
    const { id } = await mina.add({ contents: "x", due });
    expect((await mina.change(id, { due: { date: "2026-08-10" } })).due).toEqual({
      date: "2026-08-10",
      time: null,
      zone: null,
      at: null,
    });
  });

  test.each<[due: unknown, pointer: string]>([
    [{}, "/due/date"],
    [{ time: "09:30" }, "/due/date"],
    [{ date: null }, "/due/date"],
    [{ date: "2026-02-29" }, "/due/date"],
    [{ date: "2026-02-30" }, "/due/date"],
    [{ date: "2026-13-01" }, "/due/date"],
    [{ date: "2026-8-9" }, "/due/date"],
    [{ date: "20260809" }, "/due/date"],
    [{ date: "2026-08-09T00:00:00Z" }, "/due/date"],
    [{ date: "0000-01-01" }, "/due/date"],
    [{ date: "10000-01-01" }, "/due/date"],
    [{ date: "+002026-08-09" }, "/due/date"],
    [{ date: " 2026-08-09" }, "/due/date"],
    [{ date: 20_260_809 }, "/due/date"],
    [{ date: "2026-08-09", time: "24:00" }, "/due/time"],
    [{ date: "2026-08-09", time: "9:30" }, "/due/time"],
    [{ date: "2026-08-09", time: "09:60" }, "/due/time"],
    [{ date: "2026-08-09", time: "23:60" }, "/due/time"],
    [{ date: "2026-08-09", time: "09:5" }, "/due/time"],
    [{ date: "2026-08-09", time: "0930" }, "/due/time"],
    [{ date: "2026-08-09", time: "09:30:00" }, "/due/time"],
    [{ date: "2026-08-09", time: "09:30Z" }, "/due/time"],
    [{ date: "2026-08-09", time: "09:30\n" }, "/due/time"],
    [{ date: "2026-08-09", time: "٠٩:٣٠" }, "/due/time"],
    [{ date: "2026-08-09", time: "" }, "/due/time"],
    [{ date: "2026-08-09", time: 930 }, "/due/time"],
    [{ date: "2026-08-09", time: "09:30", zone: "Europe/Atlantis" }, "/due/zone"],
    [{ date: "2026-08-09", time: "09:30", zone: "+09:00" }, "/due/zone"],
    [{ date: "2026-08-09", time: "09:30", zone: "" }, "/due/zone"],
    [{ date: "2026-08-09", time: "09:30", zone: 9 }, "/due/zone"],
    [{ date: "2026-08-09", zone: "Europe/Berlin" }, "/due/zone"],
    [{ date: "2026-08-09", time: null, zone: "Europe/Berlin" }, "/due/zone"],
    [{ date: "2026-08-09", at: 5 }, "/due/at"],
    [{ date: "2026-08-09", day: 9 }, "/due"],
    ["2026-08-09", "/due"],
    [[], "/due"],
    [["2026-08-09"], "/due"],
    [true, "/due"],
    [0, "/due"],
  ])("refuses %j", (due, pointer) => expectRefusedBothWays({ due }, pointer));
});

describe("repeat", () => {
  const due = { date: "2026-08-09" };

  test.each([
    [{ every: 1, unit: "day", from: "due" }],
    [{ every: 365, unit: "year", from: "done" }],
    [{ every: 2, unit: "month", from: "done" }],
    [{ every: 1, unit: "week", from: "due" }],
    [{ every: 1, unit: "week", from: "done" }],
    [{ every: 3, unit: "week", weekdays: [1], from: "due" }],
    [{ every: 1, unit: "week", weekdays: [1, 2, 3, 4, 5, 6, 7], from: "due" }],
  ])("may be %j", async (repeat) => {
    const { id, ...added } = await mina.add({ contents: "x", due, repeat });
    expect(added.repeat).toEqual(repeat);
    expect((await mina.read(id)).repeat).toEqual(repeat);
  });

  test("tells weekdays in order", async () => {
    const repeat = { every: 1, unit: "week", weekdays: [7, 3, 1], from: "due" };
    const added = await mina.add({ contents: "x", due, repeat });
    expect(added.repeat?.weekdays).toEqual([1, 3, 7]);
  });

  const day = { every: 1, unit: "day", from: "due" };
  const week = { every: 1, unit: "week", from: "due" };

  test.each<[repeat: unknown, ...pointers: string[]]>([
    [{}, "/repeat/every", "/repeat/unit", "/repeat/from"],
    [{ ...day, every: 0 }, "/repeat/every"],
    [{ ...day, every: 366 }, "/repeat/every"],
    [{ ...day, every: 1.5 }, "/repeat/every"],
    [{ ...day, every: "1" }, "/repeat/every"],
    [{ ...day, unit: "hour" }, "/repeat/unit"],
    [{ ...day, unit: "DAY" }, "/repeat/unit"],
    [{ ...day, from: "now" }, "/repeat/from"],
    [{ ...day, from: null }, "/repeat/from"],
    [{ ...day, until: "2027-01-01" }, "/repeat"],
    [{ ...week, weekdays: [] }, "/repeat/weekdays"],
    [{ ...week, weekdays: null }, "/repeat/weekdays"],
    [{ ...week, weekdays: [1, 1] }, "/repeat/weekdays"],
    [{ ...week, weekdays: [0] }, "/repeat/weekdays/0"],
    [{ ...week, weekdays: [1, 8] }, "/repeat/weekdays/1"],
    [{ ...week, weekdays: ["1"] }, "/repeat/weekdays/0"],
    [{ ...day, weekdays: [1] }, "/repeat/weekdays"],
    [{ ...day, unit: "month", weekdays: [1] }, "/repeat/weekdays"],
    [{ ...week, weekdays: [1], from: "done" }, "/repeat/weekdays"],
    ["daily", "/repeat"],
    [[], "/repeat"],
    [1, "/repeat"],
  ])("refuses %j", (repeat, ...pointers) => expectRefusedBothWays({ due, repeat }, ...pointers));

  test("with too many weekdays is refused with one error, however many of them are wrong", async () => {
    const wrong = (count: number) => ({
      contents: "x",
      due,
      repeat: { ...week, weekdays: Array(count).fill(9) },
    });
    const requests: [path: string, json: object][] = [
      ["/todos", wrong(30_000)],
      ["/todos/batch", { operations: [{ op: "create", ...wrong(120_000) }] }],
    ];
    for (const [path, json] of requests) {
      const text = await (await mina.call("POST", path, json)).text();
      expect(text).toContain("validation_failed");
      expect(text.match(/"pointer":"[^"]*"/g)).toEqual(['"pointer":"/repeat/weekdays"']);
    }
  });

  test("needs a due date: 422 at /due without one, or when it is cleared under it", async () => {
    await expectUnfit(await post({ repeat: day }), "/due");
    await expectUnfit(await post({ repeat: day, due: null }), "/due");
    const plain = await mina.add("x");
    await expectUnfit(await patch(plain.id, { repeat: day }), "/due");
    const repeating = await mina.add({ contents: "x", due, repeat: day });
    await expectUnfit(await patch(repeating.id, { due: null }), "/due");
    await expectUnfit(await patch(repeating.id, { due: null, contents: "y" }), "/due");
    expect([await mina.read(plain.id), await mina.read(repeating.id)]).toEqual([plain, repeating]);
    expect(await mina.change(repeating.id, { due: null, repeat: null })).toMatchObject({
      due: null,
      repeat: null,
    });
    expect(await mina.change(plain.id, { due, repeat: day })).toMatchObject({ repeat: day });
  });

  test("for a todo that is done is 422 at /repeat", async () => {
    await expectUnfit(await post({ due, repeat: day, is_done: true }), "/repeat");
    await expectUnfit(await post({ repeat: day, is_done: true }), "/repeat");
    const without = await mina.add({ contents: "x", is_done: true });
    await expectUnfit(await patch(without.id, { repeat: day }), "/repeat");
    const done = await mina.add({ contents: "x", due, is_done: true });
    await expectUnfit(await patch(done.id, { repeat: day }), "/repeat");
    await expectUnfit(await patch(done.id, { repeat: day, is_done: true }), "/repeat");
    expect(await mina.read(done.id)).toEqual(done);
    expect(await mina.change(done.id, { repeat: null, contents: "y" })).toMatchObject({
      contents: "y",
    });
    expect(await mina.change(done.id, { repeat: day, is_done: false })).toMatchObject({
      is_done: false,
      repeat: day,
    });
  });

  test("is looked at after the todo is found", async () => {
    const response = await patch(999_999, { repeat: day });
    expect([response.status, (await response.json()).code]).toEqual([404, "todo_not_found"]);
  });

  test("is looked at before, when the change itself has no due date for it", async () => {
    const change = { repeat: day, due: null };
    await expectUnfit(await patch(999_999, change), "/due");
    const { id } = await mina.add("x");
    const { token } = mina;
    const request = { token, json: change, headers: { "if-match": '"0"' } };
    await expectUnfit(await service.call("PATCH", `/todos/${id}`, request), "/due");
    const json = { operations: [{ op: "update", id: 999_999, ...change }] };
    const { results } = await (await mina.call("POST", "/todos/batch", json)).json();
    expect(results).toMatchObject([{ status: 422, problem: { errors: [{ pointer: "/due" }] } }]);
  });
});
