/**
 * The cost of a page of 50 todos with all of their fields, compared with a page of only contents and is_done: when the
 * other fields are empty, and when all of them are set. A whole request is measured, without the network.
 */
import { asc, sql } from "drizzle-orm";
import { isLive } from "../src/auth/live-session.ts";
import { columnsOf, nested } from "../src/database/columns.ts";
import { todos } from "../src/database/schema.ts";
import { todoLists } from "../src/todos/list.ts";
import { startService } from "../test/service.ts";

const ROUNDS = 3000;
const WARM_UP = 500;
const PAGE = 50;

const service = await startService({ NODE_ENV: "production", MAIL_FROM: "todos@example.com" });
const { database: db } = service.services;

/** A user with this many todos. The user's page is then requested. */
async function userWith(todo: object) {
  const { token, id } = await service.user();
  for (let i = 0; i < PAGE + 1; i++) {
    const added = await service.call("POST", "/todos", { token, json: todo });
    if (added.status !== 201) throw new Error(`${added.status}: ${await added.text()}`);
  }
  const [row] = (
    await db.$client.execute({ sql: "SELECT id FROM sessions WHERE user_id = ?", args: [id] })
  ).rows;
  return { token, session: { id: String(row?.[0]), user_id: id } };
}

const contents = "Call the bank about the new account";
const plain = await userWith({ contents });
const full = await userWith({
  contents,
  notes: "The number is on the back of the card. Ask for the limit, too.",
  priority: 2,
  due: { date: "2126-01-31", time: "09:00", zone: "Asia/Seoul" },
  repeat: { every: 1, unit: "week", weekdays: [1, 4], from: "due" },
});

const few = columnsOf(todos, ["id", "contents", "is_done", "created_at", "updated_at"]);
const listOfFew = nested<[number, unknown[][]]>(
  db.query.sessions.findFirst({
    where: isLive(),
    columns: {},
    with: {
      user: {
        columns: { revision: true },
        with: {
          todos: {
            columns: few.included,
            orderBy: asc(todos.id),
            limit: sql.placeholder("limit"),
          },
        },
      },
    },
  }),
);

const { list } = todoLists(service.services);
type User = typeof plain;

/** From the session to the text of the answer, as in the service. */
async function listAll({ session }: User) {
  const page = await list(session, { sort: "id", order: "ASC" }, PAGE, undefined, {
    known: -1,
    kept: -1,
  });
  return JSON.stringify(page.todos);
}

async function listFew({ session }: User) {
  const now = service.services.clock();
  const found = await listOfFew({ ...session, now, limit: PAGE + 1 });
  return JSON.stringify(found?.[1].slice(0, PAGE).map(few.read));
}

async function request({ token }: User) {
  const headers = { authorization: `Bearer ${token}` };
  const response = await service.app.fetch(new Request("http://localhost/todos", { headers }));
  return response.text();
}

const ways: [name: string, run: () => Promise<string>][] = [
  ["contents and is_done alone", () => listFew(plain)],
  ["the new fields empty", () => listAll(plain)],
  ["the new fields set", () => listAll(full)],
  ["a whole request, empty", () => request(plain)],
  ["a whole request, set", () => request(full)],
];
const times = ways.map((): number[] => []);
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  for (const [i, [, run]] of ways.entries()) {
    const start = performance.now();
    await run();
    if (round >= WARM_UP) times[i]?.push(1000 * (performance.now() - start));
  }
}

const median = (values: number[] = []) =>
  values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const [alone = 0, empty = 0, , requestEmpty = 0, requestSet = 0] = times.map(median);
for (const [i, [name]] of ways.entries()) {
  process.stdout.write(`${name.padEnd(28)} ${median(times[i]).toFixed(1).padStart(7)} µs\n`);
}
// The JSON around the list is the same for all.
const without = requestEmpty - empty + alone;
process.stdout.write(`\na request without the fields   ${without.toFixed(1)} µs\n`);
process.stdout.write(`with them empty: ${(requestEmpty / without).toFixed(2)} of that\n`);
process.stdout.write(`with them set:   ${(requestSet / without).toFixed(2)} of that\n`);
await service.stop();
