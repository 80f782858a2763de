/** The table "Round trips" of the contract, counted by an HTTP proxy in front of a libSQL server. */
import { expect, test } from "bun:test";
import { runTests, startElsewhere } from "../elsewhere.ts";
import { callsTo, SECRET } from "../service.ts";

test.each(["bun primary", "deno primary", "bun replica", "deno replica"])(
  "no request takes more than it may, on %s",
  async (target) => {
    const files = ["test/round-trips.test.ts", "test/http/bearer.test.ts"];
    const where = { TODOS_TARGET: target };
    const { failures, code, passed, left } = await runTests(where, files, ["had its time"]);
    expect({ failures, code, left }).toEqual({ failures: [], code: 0, left: 1 });
    expect(passed).toBeGreaterThan(100);
  },
);

test("a statement or a batch is one request: it is these that are counted", async () => {
  const service = await startElsewhere("bun primary", { JWT_SECRET: SECRET });
  try {
    const calls = callsTo(service.url);
    const { token, username } = await calls.user();
    const json = { username, password: "wrong horse" };
    const counted: unknown[] = [];
    for (const [method, path, options] of [
      ["GET", "/", {}],
      ["GET", "/todos", { token }],
      ["POST", "/todos", { token, json: { contents: "Sweep" } }],
      ["PATCH", "/todos/1", { token, json: { is_done: true } }],
      ["POST", "/users/log-in", { json }],
      ["GET", "/health/ready", {}],
    ] as const) {
      const before = service.trips?.() ?? Number.NaN;
      await calls.call(method, path, options);
      counted.push([method, path, (service.trips?.() ?? Number.NaN) - before]);
    }
    expect(counted).toEqual([
      ["GET", "/", 0],
      ["GET", "/todos", 1],
      ["POST", "/todos", 1],
      ["PATCH", "/todos/1", 1],
      ["POST", "/users/log-in", 2],
      ["GET", "/health/ready", 1],
    ]);
  } finally {
    await service.stop();
  }
});
