/** Compares a list of 50 todos among 1,000 todos with one among 100,000, interleaved: it should cost the same. */
import { startService } from "../test/service.ts";

const ROUNDS = 2000;
const WARM_UP = 200;
/** Users who share the todos evenly, so that an index has to tell them apart. */
const USERS = 10;

/** A service whose database has so many todos, and how long one list takes there, in microseconds. */
async function among(todos: number) {
  const service = await startService();
  const ids: number[] = [];
  let token = "";
  for (let i = 0; i < USERS; i++) {
    const user = await service.user();
    ids.push(user.id);
    token = user.token;
  }
  await service.services.database.$client.execute({
    sql: `WITH RECURSIVE counter (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n + 1 < ?)
      INSERT INTO todos (user_id, contents, is_done, created_at, updated_at)
      SELECT (SELECT value FROM json_each(?) WHERE key = n % ?), 'todo ' || n, n % 7 = 0, 0, 0 FROM counter`,
    args: [todos, JSON.stringify(ids), USERS],
  });
  const times: number[] = [];
  return {
    todos,
    times,
    stop: service.stop,
    async list() {
      const request = new Request("http://localhost/todos?order=DESC&limit=50", {
        headers: { authorization: `Bearer ${token}` },
      });
      const start = performance.now();
      const response = await service.app.fetch(request);
      const page = await response.json();
      times.push(1000 * (performance.now() - start));
      if (page.todos.length !== 50) throw new Error(`${response.status}: not 50 todos`);
    },
  };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const few = await among(1_000);
const many = await among(100_000);
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  // Each goes first as often as the other.
  for (const each of round % 2 ? [few, many] : [many, few]) await each.list();
}
for (const { todos, times } of [few, many]) {
  times.splice(0, WARM_UP);
  process.stdout.write(`among ${todos}: ${median(times).toFixed(1)} µs\n`);
}
process.stdout.write(`ratio: ${(median(many.times) / median(few.times)).toFixed(2)}\n`);
await few.stop();
await many.stop();
