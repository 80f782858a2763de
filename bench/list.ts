/**
 * The cost of a page of 50 todos among 1,000, 100,000 and 1,000,000 todos, where no user has more than 10,000: in each
 * order, at the start, in the middle and at the end. The cost should be the same. The statements run on three databases
 * in turns, so other work on the machine affects all of them in the same way. `bun bench/list.ts 200` runs 200 rounds.
 */
import { todoLists, type View } from "../src/todos/list.ts";
import { startService } from "../test/service.ts";

const rounds = Number(process.argv[2] ?? 100);
const WARM_UP = 10;
const SIZES = [1_000, 100_000, 1_000_000];
const TODOS_PER_USER = 10_000;
const LIMIT = 50;

const VIEWS: [name: string, view: View][] = [
  ["sort=id", { sort: "id", order: "ASC" }],
  ["sort=id&order=DESC", { sort: "id", order: "DESC" }],
  ["sort=id&is_done=true", { sort: "id", order: "ASC", is_done: true }],
  ["sort=position", { sort: "position", order: "ASC" }],
  ["sort=position&list_id=inbox", { sort: "position", order: "ASC", list_id: "inbox" }],
  ["sort=due", { sort: "due", order: "ASC" }],
];
const PLACES = ["start", "middle", "end"] as const;

/** A service with this many todos, and a function that reads a page of its last user. */
async function among(todos: number) {
  const service = await startService();
  const { database } = service.services;
  const users = Math.max(1, todos / TODOS_PER_USER);
  let session = { id: "", user_id: 0 };
  for (let user = 0; user < users; user++) {
    const { id } = await service.user();
    await database.$client.execute({
      sql: `
        WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < ?)
        INSERT INTO todos (
          user_id, contents, contents_folded, is_done, position, rev, due_date, due_day, created_at, updated_at
        )
        SELECT ?, 'todo ' || n, 'todo ' || n, n % 7 = 0, n * 1048576, 1,
          iif(n % 2, date(1700000000 + n * 3600, 'unixepoch'), NULL), 1, 0, 0
        FROM counter`,
      args: [todos / users, id],
    });
    const { rows } = await database.$client.execute({
      sql: "SELECT id FROM sessions WHERE user_id = ?",
      args: [id],
    });
    session = { id: String(rows[0]?.id), user_id: id };
  }
  const { list } = todoLists(service.services);
  const page = (view: View, mark: Mark) =>
    list(session, view, LIMIT, mark, { known: -1, kept: -1 });

  /** The beginnings of all pages of a view, found by following them. */
  async function marksOf(view: View): Promise<Mark[]> {
    const marks: Mark[] = [undefined];
    for (;;) {
      const { next } = await page(view, marks.at(-1));
      if (!next) return marks;
      marks.push(next);
    }
  }
  return { todos, page, marksOf, stop: service.stop };
}

type Mark = Parameters<ReturnType<typeof todoLists>["list"]>[3];

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const print = (first: string, rest: string[]) =>
  process.stdout.write(`${first.padEnd(36)}${rest.map((each) => each.padStart(12)).join("")}\n`);

const all = [];
for (const size of SIZES) all.push(await among(size));
print("us a page, among", [...SIZES.map((size) => size.toLocaleString("en")), "last / first"]);
for (const [name, view] of VIEWS) {
  const marks = await Promise.all(all.map(({ marksOf }) => marksOf(view)));
  for (const place of PLACES) {
    const times = all.map((): number[] => []);
    for (let round = 0; round < WARM_UP + rounds; round++) {
      for (const [i, { page }] of all.entries()) {
        const own = marks[i] ?? [];
        const at = { start: 0, middle: own.length >> 1, end: own.length - 1 }[place];
        const start = performance.now();
        await page(view, own[at]);
        times[i]?.push(1000 * (performance.now() - start));
      }
    }
    const medians = times.map((each) => median(each.slice(WARM_UP)));
    const ratio = (medians.at(-1) ?? 0) / (medians[0] ?? 1);
    print(`${name}, ${place}`, [...medians.map((each) => each.toFixed(0)), ratio.toFixed(2)]);
  }
}
for (const { stop } of all) await stop();
