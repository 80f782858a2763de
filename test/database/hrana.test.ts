/**
 * One round trip to a libSQL server: the data that is sent and received, with libSQL's own server and with broken
 * servers.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { LibsqlError, type ResultSet } from "@libsql/core/api";
import { outageOf } from "../../src/database/errors.ts";
import { openHrana, type Run, type Step } from "../../src/database/hrana.ts";
import { temporaryFolder } from "../process.ts";
import { type LibsqlServer, serverToken, startPrimary } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const folder = temporaryFolder();
const timeout = 2000;
let server: LibsqlServer;
let run: Run;

beforeAll(async () => {
  server = await startPrimary(folder.path);
  run = openHrana(server.url, serverToken());
});
afterAll(async () => {
  await server.kill();
  folder[Symbol.dispose]();
});

async function runOne(step: Step): Promise<ResultSet> {
  const { steps } = await run({ steps: [step], timeout });
  const [outcome] = steps;
  if (outcome instanceof LibsqlError) throw outcome;
  if (!outcome) throw new Error("It was skipped");
  return outcome;
}
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error) => error,
  );

describe("values", () => {
  test.each([
    ["null", null, null],
    ["an integer", 7, 7],
    ["the largest safe integer", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ["the smallest safe integer", Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ["a fraction", -0.1, -0.1],
    ["a bigint", 12n, 12],
    ["true", true, 1],
    ["false", false, 0],
    ["no text", "", ""],
    ["text", "우유 \u{1F95B} \"'\\\n\u2028", "우유 \u{1F95B} \"'\\\n\u2028"],
  ])("%s comes back", async (_what, sent, expected) => {
    const { rows } = await runOne({ sql: "SELECT ? AS it", args: [sent] });
    expect(rows[0]?.it).toEqual(expected);
  });

  test("an integer is an integer to SQLite, and a fraction a real", async () => {
    const sql = "SELECT typeof(?) AS a, typeof(?) AS b, CAST(? AS TEXT) AS c";
    const { rows } = await runOne({ sql, args: [5, 5.5, 5] });
    expect(rows[0]).toMatchObject({ a: "integer", b: "real", c: "5" });
  });

  test.each([
    ["a NUL in text", "a\0b"],
    ["a lone surrogate", "\ud800"],
    ["NaN", Number.NaN],
    ["a number beyond 2^53", 1e300],
    ["an integer of 65 bits", 2n ** 63n],
    ["bytes", new Uint8Array(1)],
  ])("%s is refused before it is sent", async (_what, value) => {
    const error = await failure(runOne({ sql: "SELECT ?", args: [value] }));
    expect(error).toMatchObject({ code: "ARGS_INVALID" });
  });

  test("arguments by name are refused before they are sent", async () => {
    const error = await failure(runOne({ sql: "SELECT :a", args: { a: 1 } }));
    expect(error).toMatchObject({ code: "ARGS_INVALID" });
  });

  test("a value of an unsupported type is an error, and is not changed to another value", async () => {
    const error = await failure(runOne({ sql: "SELECT x'00'" }));
    expect(error).toMatchObject({ code: "HRANA_PROTO_ERROR" });
  });

  test("an integer that a number cannot hold is an error, and no other number", async () => {
    const error = await failure(runOne({ sql: "SELECT 9007199254740993" }));
    expect(error).toMatchObject({ code: "INTEGER_UNSAFE" });
  });
});

describe("a result", () => {
  test("has its rows by name and by index, like those of other libSQL clients", async () => {
    const result = await runOne({ sql: "SELECT 1 AS a, 'x' AS b, 2 AS a" });
    expect(result.columns).toEqual(["a", "b", "a"]);
    const [row] = result.rows;
    expect(row && [row.length, row[0], row[1], row[2], row.a, row.b]).toEqual([
      3,
      1,
      "x",
      2,
      1,
      "x",
    ]);
    expect({ ...row }).toEqual({ a: 1, b: "x" });
  });

  test("tells what was changed", async () => {
    const { steps } = await run({
      steps: [
        { sql: "CREATE TABLE changed (id INTEGER PRIMARY KEY, text TEXT)" },
        { sql: "INSERT INTO changed (text) VALUES ('a'), ('b')" },
        { sql: "SELECT text FROM changed" },
      ],
      timeout,
    });
    expect(steps[1]).toMatchObject({ rowsAffected: 2, lastInsertRowid: 2n });
    expect(steps[2]).toMatchObject({ rowsAffected: 0, columnTypes: ["TEXT"] });
  });
});

test("a step is skipped unless its condition holds", async () => {
  const outcome = await run({
    steps: [
      { sql: "SELECT 1" },
      { sql: "SELECT * FROM missing", condition: { type: "ok", step: 0 } },
      { sql: "SELECT 2", condition: { type: "ok", step: 1 } },
      { sql: "SELECT 3", condition: { type: "not", cond: { type: "ok", step: 1 } } },
    ],
    timeout,
  });
  expect(outcome.steps).toMatchObject([
    { rows: [{ "1": 1 }] },
    { message: expect.stringContaining("no such table: missing") },
    undefined,
    { rows: [{ "3": 3 }] },
  ]);
});

test("a program that cannot be read is an error of the whole trip", async () => {
  expect(await failure(run({ steps: [{ sql: "SELECT 1; SELECT 2" }], timeout }))).toMatchObject({
    code: "SQL_MANY_STATEMENTS",
  });
});

describe("a server that does not answer as it should", () => {
  /** A server with the same answer to everything, the program that it receives, and the result. */
  async function ask(answer: (request: Request) => Response | Promise<Response>, limit = timeout) {
    const broken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
    try {
      const program = { steps: [{ sql: "SELECT 1" }], timeout: limit };
      return await failure(openHrana(broken.url.href)(program));
    } finally {
      await broken.stop(true);
    }
  }

  test.each([
    ["unauthorized", 401, '{"error":"Unauthenticated: no token"}'],
    ["unauthorized", 403, "forbidden"],
    ["unauthorized", 400, '{"message":"no more","code":"AUTH_JWT_EXPIRED"}'],
    ["unreachable", 502, "<html>Bad gateway</html>"],
    ["unreachable", 503, ""],
    ["unreachable", 200, "<html>Welcome</html>"],
    ["unreachable", 200, "{}"],
    ["unreachable", 200, '{"results":[]}'],
    ["unreachable", 200, '{"results":[{"type":"ok","response":{"type":"close"}}]}'],
    [undefined, 400, "cannot read the request"],
  ])("is an outage: %s, for %d %s", async (outage, status, body) => {
    const error = await ask(() => new Response(body, { status }));
    expect(error).toBeInstanceOf(LibsqlError);
    expect(outageOf(error)).toBe(outage as ReturnType<typeof outageOf>);
  });

  test("is given up in time when its answer does not begin", async () => {
    const error = await ask(() => new Promise<Response>(() => undefined), 50);
    expect(error).toMatchObject({ code: "SERVER_UNREACHABLE" });
  });

  test("is given up in time when its answer does not end", async () => {
    const endless = () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            controller.enqueue(new TextEncoder().encode(" "));
            await Bun.sleep(5);
          },
        }),
      );
    expect(await ask(endless, 50)).toMatchObject({ code: "SERVER_UNREACHABLE" });
  });

  test("is unreachable when nobody listens", async () => {
    const error = await failure(
      openHrana("http://127.0.0.1:1")({ steps: [{ sql: "SELECT 1" }], timeout }),
    );
    expect(error).toMatchObject({ code: "SERVER_UNREACHABLE" });
  });
});

test("a URL with a path is kept, and the token is sent", async () => {
  const seen: string[] = [];
  const echo = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      seen.push(`${request.method} ${pathname} ${request.headers.get("authorization")}`);
      return new Response("", { status: 503 });
    },
  });
  for (const path of ["", "/", "/one", "/one/"]) {
    const ask = openHrana(`http://127.0.0.1:${echo.port}${path}`, "token");
    await failure(ask({ steps: [], timeout }));
  }
  await echo.stop(true);
  expect(seen).toEqual([
    "POST /v3/pipeline Bearer token",
    "POST /v3/pipeline Bearer token",
    "POST /one/v3/pipeline Bearer token",
    "POST /one/v3/pipeline Bearer token",
  ]);
});
