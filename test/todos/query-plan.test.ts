/**
 * Among 100,000 todos, every statement searches an index. The tests look at SQLite's plans for the statements that are
 * really sent.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { InStatement } from "@libsql/core/api";
import Database from "libsql";
import { type CallOptions, type Service, startService } from "../service.ts";

const USERS = 20;
const TODOS = 100_000;

let service: Service;
let user: Awaited<ReturnType<Service["user"]>>;
/** A todo in the middle of the user's todos. */
let todoId = 0;
let listId = 0;
let sent: string[] = [];
/** A second connection, to ask for plans. */
let planner: InstanceType<typeof Database>;

beforeAll(async () => {
  service = await startService();
  const { $client: client } = service.services.database;
  const ids: number[] = [];
  for (let i = 0; i < USERS; i++) {
    user = await service.user();
    ids.push(user.id);
  }
  await client.execute({
    sql: `WITH RECURSIVE counter (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n + 1 < ?)
      INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
      SELECT (SELECT value FROM json_each(?) WHERE key = n % ?), 'todo ' || n, n % 7 = 0, 0, 0 FROM counter`,
    args: [TODOS, JSON.stringify(ids), USERS],
  });
  const own = await client.execute({
    sql: "SELECT id FROM todos WHERE user_id = ? ORDER BY id LIMIT 1 OFFSET ?",
    args: [user.id, TODOS / USERS / 2],
  });
  todoId = Number(own.rows[0]?.[0]);
  planner = new Database(join(service.folder, "todos.db"));
  const json = { name: "Garden" };
  const list = await service.call("POST", "/lists", { token: user.token, json });
  listId = (await list.json()).id;
  // Two of them, so that a page of one todo has a next page.
  for (let i = 0; i < 2; i++) {
    const json = { contents: "todo", list_id: listId, due: { date: "2026-01-01" } };
    await service.call("POST", "/todos", { token: user.token, json });
  }
  record();
}, 60_000);

afterAll(async () => {
  planner.close();
  await service.stop();
});

/** Records the statements that reach the client in `sent`. */
function record() {
  const { $client: client } = service.services.database;
  const execute = client.execute.bind(client);
  client.execute = (statement: InStatement) => {
    sent.push(sqlOf(statement));
    return execute(statement);
  };
  const batch = client.batch.bind(client);
  client.batch = (statements, mode) => {
    sent.push(...statements.map((each) => sqlOf(Array.isArray(each) ? each[0] : each)));
    return batch(statements, mode);
  };
}

const sqlOf = (statement: InStatement) =>
  typeof statement === "string" ? statement : statement.sql;

/** A step of a plan. `parent` is the id of the step that it belongs to. */
interface Step {
  id: number;
  parent: number;
  detail: string;
}

/** The plans of all statements that a request sends. SQLite plans a statement before its arguments are bound. */
async function plansOf(method: string, path: string, options: CallOptions = {}): Promise<Step[][]> {
  sent = [];
  const { status } = await service.call(method, path, { token: user.token, ...options });
  expect([200, 201, 204]).toContain(status);
  expect(sent).not.toBeEmpty();
  return sent.map(
    (sql) =>
      // `as`: the native types call rows unknown; EXPLAIN QUERY PLAN has these columns.
      planner.prepare(`EXPLAIN QUERY PLAN ${sql}`).all([]) as Step[],
  );
}

/** The forbidden steps of a plan: all steps that neither search an index nor only arrange the results of such steps. */
function faults(plan: Step[]): string[] {
  const structure =
    /^(CO-ROUTINE \S+|MATERIALIZE \S+|(CORRELATED )?SCALAR SUBQUERY \d+|LIST SUBQUERY \d+|SCAN CONSTANT ROW|COMPOUND QUERY|LEFT-MOST SUBQUERY|UNION ALL|MERGE \(UNION ALL\)|LEFT|RIGHT|REUSE SUBQUERY \d+)$/;
  const search =
    /^SEARCH \S+( EXISTS)? USING (INTEGER PRIMARY KEY|PRIMARY KEY|(COVERING )?INDEX \w+) \((?!rowid>|rowid<)\S+[=<>]\?.*\)( LEFT-JOIN)?$/;
  // A list of values in the request.
  const values = /^SCAN json_each VIRTUAL TABLE INDEX 1:$/;
  const sort = /^USE TEMP B-TREE FOR (LAST TERM OF |RIGHT PART OF )?ORDER BY$/;
  // A scan of a subquery's result. This result is small when its own steps are searches with a limit.
  const isOfSubquery = ({ detail }: Step) => {
    const [, name] = /^SCAN (\S+)( LEFT-JOIN)?$/.exec(detail) ?? [];
    return plan.some((step) => [`CO-ROUTINE ${name}`, `MATERIALIZE ${name}`].includes(step.detail));
  };
  return plan
    .filter(({ detail }) => ![structure, search, values, sort].some((one) => one.test(detail)))
    .filter((step) => !isOfSubquery(step))
    .map(({ detail }) => detail);
}

const searchesOf = (plan: Step[], table: string) =>
  plan.map(({ detail }) => detail).filter((detail) => detail.startsWith(`SEARCH ${table} `));

const sorts = (plan: Step[]) => plan.some(({ detail }) => detail.startsWith("USE TEMP B-TREE"));

test("there are as many todos as this is about", async () => {
  const { rows } = await service.services.database.$client.execute("SELECT count(*) FROM todos");
  // A few todos are in the trash.
  expect(rows[0]?.[0]).toBeGreaterThan(TODOS - 10);
});

/** The plans of the first page of a view and of the next page. */
async function plansOfPages(query: string): Promise<[first: Step[], next: Step[]]> {
  const first = `/todos?limit=1&${query}`;
  const { token } = user;
  const { next_cursor } = await (await service.call("GET", first, { token })).json();
  const paths = [first, ...(next_cursor ? [`${first}&cursor=${next_cursor}`] : [])];
  const plans: Step[][] = [];
  for (const path of paths) {
    const [plan = [], ...others] = await plansOf("GET", path);
    expect(others).toEqual([]);
    plans.push(plan);
  }
  const [one = [], two = one] = plans;
  return [one, two];
}

describe("a page is a range of an index", () => {
  const plain = "INDEX todos_user_id (user_id=?";
  const byPosition = "INDEX todos_position (user_id=?";
  const inList = "INDEX todos_list (user_id=? AND list_id=?";
  const byDue = "INDEX todos_due (user_id=?";

  test.each([
    ["", plain, " AND id>?"],
    ["order=ASC", plain, " AND id>?"],
    ["order=DESC", plain, " AND id<?"],
    ["is_done=true", plain, " AND id>?"],
    ["is_done=false", plain, " AND id>?"],
    ["order=DESC&is_done=true", plain, " AND id<?"],
    ["order=DESC&is_done=false", plain, " AND id<?"],
    ["sort=position", byPosition, " AND position>?"],
    ["sort=position&order=DESC", byPosition, " AND position<?"],
    ["sort=position&list_id=inbox", inList, " AND position>?"],
    ["sort=position&list_id=inbox&order=DESC", inList, " AND position<?"],
    ["sort=position&list_id=LIST", inList, " AND position>?"],
    ["sort=due", byDue, " AND due_order>?"],
    ["sort=due&due_from=2026-01-01", `${byDue} AND due_order>? AND due_order<?`, ""],
    ["sort=due&due_to=2026-01-01", `${byDue} AND due_order>? AND due_order<?`, ""],
  ])("?%s", async (query, range, next) => {
    const plans = await plansOfPages(query.replace("LIST", String(listId)));
    for (const [plan, beyond] of [[plans[0], ""] as const, [plans[1], next] as const]) {
      expect(faults(plan)).toEqual([]);
      expect(sorts(plan)).toBe(false);
      expect(searchesOf(plan, "sessions_user_todos")).toEqual([
        `SEARCH sessions_user_todos USING ${range}${beyond})`,
      ]);
    }
  });
});

test.each(["ASC", "DESC"])(
  "by due, %s, those without a due date are a range too",
  async (order) => {
    const first = `/todos?sort=due&limit=100&order=${order}`;
    const { token } = user;
    const { todos, next_cursor } = await (await service.call("GET", first, { token })).json();
    expect(todos.at(-1).due).toBeNull();
    const [plan = []] = await plansOf("GET", `${first}&cursor=${next_cursor}`);
    const beyond = order === "ASC" ? ">" : "<";
    expect(searchesOf(plan, "sessions_user_todos")).toEqual([
      `SEARCH sessions_user_todos USING INDEX todos_due (user_id=? AND due_order=? AND id${beyond}?)`,
    ]);
  },
);

test("whatever the sort and the filters, a page looks at no more than the user's own todos", async () => {
  const combine = (...choices: string[][]): string[] =>
    choices.reduce((all, each) => all.flatMap((one) => each.map((two) => `${one}&${two}`)), [""]);
  const queries = combine(
    ["sort=id", "sort=position", "sort=due"],
    ["order=ASC", "order=DESC"],
    ["", "is_done=false"],
    ["", "list_id=inbox", `list_id=${listId}`],
    ["", "priority=0"],
    ["", "due_from=2020-01-01", "due_to=2030-01-01"],
    ["", "q=todo"],
  );
  expect(queries).toHaveLength(432);
  for (const query of queries) {
    for (const plan of await plansOfPages(query)) {
      expect([query, faults(plan)]).toEqual([query, []]);
      const [search, ...others] = searchesOf(plan, "sessions_user_todos");
      expect([query, others]).toEqual([query, []]);
      expect([query, search]).toEqual([query, expect.stringContaining("(user_id=?")]);
    }
  }
}, 60_000);

test("a todo is read by its primary key", async () => {
  const plans = await plansOf("GET", `/todos/${todoId}`);
  expect(plans).toHaveLength(1);
  const [plan = []] = plans;
  expect(faults(plan)).toEqual([]);
  expect(searchesOf(plan, "sessions_user_todos")).toEqual([
    "SEARCH sessions_user_todos USING INTEGER PRIMARY KEY (rowid=?)",
  ]);
});

/** A todo of the user, `steps` after the one in the middle. */
const own = (steps: number) => todoId + steps * USERS;

/** Adds a todo that repeats, to tick it off later. Returns its id. */
async function repeating(): Promise<number> {
  const repeat = { every: 1, unit: "day", from: "due" };
  const json = { contents: "x", due: { date: "2026-01-01" }, repeat };
  return (await (await service.call("POST", "/todos", { token: user.token, json })).json()).id;
}

/** Adds a todo, and deletes it. Returns its id. */
async function deletedTodo(): Promise<number> {
  const { token } = user;
  const json = { contents: "x" };
  const { id } = await (await service.call("POST", "/todos", { token, json })).json();
  await service.call("DELETE", `/todos/${id}`, { token });
  return id;
}

/** Adds a list. Returns its id. */
async function newList(): Promise<number> {
  const json = { name: "x" };
  return (await (await service.call("POST", "/lists", { token: user.token, json })).json()).id;
}

/** A batch with all kinds of operations, which ticks off a todo that repeats. */
const operations = () => [
  { op: "update", id: own(11), due: { date: "2126-01-01" } },
  { op: "update", id: own(11), repeat: { every: 1, unit: "day", from: "due" } },
  { op: "update", id: own(11), is_done: true },
  { op: "create", contents: "x" },
  { op: "move", id: own(12), after: own(13) },
  { op: "delete", id: own(14), if_match: 7 },
];

test.each<
  [what: string, method: string, path: () => string | Promise<string>, options: () => CallOptions]
>([
  ["adding a todo", "POST", () => "/todos", () => ({ json: { contents: "Buy milk" } })],
  [
    "adding a todo to a list",
    "POST",
    () => "/todos",
    () => ({ json: { contents: "x", list_id: listId } }),
  ],
  ["changing a todo", "PATCH", () => `/todos/${todoId}`, () => ({ json: { is_done: true } })],
  [
    "changing all of a todo",
    "PATCH",
    () => `/todos/${own(9)}`,
    () => ({
      json: {
        contents: "y",
        notes: "z",
        is_done: false,
        priority: 3,
        due: { date: "2026-01-01" },
        repeat: { every: 1, unit: "day", from: "due" },
      },
    }),
  ],
  [
    "ticking off one that repeats",
    "PATCH",
    async () => `/todos/${await repeating()}`,
    () => ({ json: { is_done: true } }),
  ],
  ["a batch", "POST", () => "/todos/batch", () => ({ json: { operations: operations() } })],
  [
    "a batch with a key",
    "POST",
    () => "/todos/batch",
    () => ({ json: { operations: operations() }, headers: { "idempotency-key": "batch" } }),
  ],
  [
    "adding a todo with a key",
    "POST",
    () => "/todos",
    () => ({ json: { contents: "x" }, headers: { "idempotency-key": "todo" } }),
  ],
  [
    "moving a todo behind another",
    "POST",
    () => `/todos/${own(5)}/move`,
    () => ({ json: { after: own(7) } }),
  ],
  ["moving a todo first", "POST", () => `/todos/${own(5)}/move`, () => ({ json: { after: null } })],
  ["moving a todo last", "POST", () => `/todos/${own(5)}/move`, () => ({ json: {} })],
  [
    "moving a todo into a list",
    "POST",
    () => `/todos/${own(6)}/move`,
    () => ({ json: { list_id: listId } }),
  ],
  ["deleting a todo", "DELETE", () => `/todos/${own(4)}`, () => ({})],
  ["listing the trash", "GET", () => "/trash", () => ({})],
  ["listing what has changed", "GET", () => "/todos/changes", () => ({})],
  ["restoring a todo", "POST", async () => `/trash/${await deletedTodo()}/restore`, () => ({})],
  ["deleting a todo for good", "DELETE", async () => `/trash/${await deletedTodo()}`, () => ({})],
  [
    "emptying the trash",
    "DELETE",
    async () => {
      await deletedTodo();
      return "/trash";
    },
    () => ({}),
  ],
  ["listing the lists", "GET", () => "/lists", () => ({})],
  ["adding a list", "POST", () => "/lists", () => ({ json: { name: "x" } })],
  ["reading a list", "GET", () => `/lists/${listId}`, () => ({})],
  ["renaming a list", "PATCH", () => `/lists/${listId}`, () => ({ json: { name: "y" } })],
  ["moving a list", "POST", () => `/lists/${listId}/move`, () => ({ json: { after: null } })],
  ["deleting a list", "DELETE", async () => `/lists/${await newList()}`, () => ({})],
  ["who one is", "GET", () => "/users/me", () => ({})],
])("%s searches indexes alone", async (_what, method, path, options) => {
  const plans = await plansOf(method, await path(), options());
  expect(plans.map(faults)).toEqual(plans.map(() => []));
});
