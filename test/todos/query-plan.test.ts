/** Among 100,000 todos, every statement searches an index: by SQLite's plan of the very statements that are sent. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { InStatement } from "@libsql/core/api";
import Database from "libsql";
import { type CallOptions, type Service, startService } from "../service.ts";

const USERS = 5;
const TODOS = 100_000;

let service: Service;
let user: Awaited<ReturnType<Service["user"]>>;
/** In the midst of the user's todos. */
let todoId = 0;
let sent: string[] = [];
/** A connection beside the service's, to ask for plans. */
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
  record();
});

afterAll(async () => {
  planner.close();
  await service.stop();
});

/** Keeps what reaches the client in `sent`. */
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

/** A step of a plan; `parent` is the id of the step that it is a part of. */
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

/** The steps that a plan may not have: all that neither search an index nor merely order such steps. */
function faults(plan: Step[]): string[] {
  const structure =
    /^(CO-ROUTINE \S+|(CORRELATED )?SCALAR SUBQUERY \d+|LIST SUBQUERY \d+|SCAN CONSTANT ROW)$/;
  const search =
    /^SEARCH \S+( EXISTS)? USING (INTEGER PRIMARY KEY|(COVERING )?INDEX \w+) \(\S+[=<>]\?.*\)$/;
  // A scan of what a subquery gives, which is little when its own steps are searches with a limit.
  const isOfSubquery = ({ detail, parent }: Step) => {
    const [, name] = /^SCAN (\S+)$/.exec(detail) ?? [];
    return plan.some((step) => step.parent === parent && step.detail === `CO-ROUTINE ${name}`);
  };
  return plan
    .filter(({ detail }) => !structure.test(detail) && !search.test(detail))
    .filter((step) => !isOfSubquery(step))
    .map(({ detail }) => detail);
}

const searchesOf = (plan: Step[], table: string) =>
  plan.map(({ detail }) => detail).filter((detail) => detail.startsWith(`SEARCH ${table} `));

test("there are as many todos as this is about", async () => {
  const { rows } = await service.services.database.$client.execute("SELECT count(*) FROM todos");
  // The tests below add one and delete one.
  expect(rows[0]?.[0]).toBeGreaterThanOrEqual(TODOS - 1);
});

describe("a page of the list is a range of an index", () => {
  const all = "INDEX todos_user_id (user_id=? AND id";
  const filtered = "INDEX todos_user_id_is_done (user_id=? AND is_done=? AND id";

  test.each([
    ["", `${all}>?)`],
    ["order=ASC", `${all}>?)`],
    ["order=DESC", `${all}<?)`],
    ["is_done=true", `${filtered}>?)`],
    ["is_done=false", `${filtered}>?)`],
    ["order=DESC&is_done=true", `${filtered}<?)`],
    ["order=DESC&is_done=false", `${filtered}<?)`],
  ])("?%s", async (query, range) => {
    const first = `/todos?${query}`;
    const { token } = user;
    const { next_cursor } = await (await service.call("GET", first, { token })).json();
    for (const path of [first, `${first}&cursor=${next_cursor}`.replace("?&", "?")]) {
      const plans = await plansOf("GET", path);
      expect(plans).toHaveLength(1);
      const [plan = []] = plans;
      expect(faults(plan)).toEqual([]);
      expect(searchesOf(plan, "sessions_user_todos")).toEqual([
        `SEARCH sessions_user_todos USING ${range}`,
      ]);
    }
  });
});

test("a todo is read by its primary key", async () => {
  const plans = await plansOf("GET", `/todos/${todoId}`);
  expect(plans).toHaveLength(1);
  const [plan = []] = plans;
  expect(faults(plan)).toEqual([]);
  expect(searchesOf(plan, "sessions_user_todos")).toEqual([
    "SEARCH sessions_user_todos USING INTEGER PRIMARY KEY (rowid=?)",
  ]);
});

test.each<[what: string, method: string, path: () => string, options: CallOptions]>([
  ["adding a todo", "POST", () => "/todos", { json: { contents: "Buy milk" } }],
  ["changing a todo", "PATCH", () => `/todos/${todoId}`, { json: { is_done: true } }],
  ["deleting a todo", "DELETE", () => `/todos/${todoId + USERS}`, {}],
  ["who one is", "GET", () => "/users/me", {}],
])("%s searches indexes alone", async (_what, method, path, options) => {
  const plans = await plansOf(method, path(), options);
  expect(plans.map(faults)).toEqual(plans.map(() => []));
});
