/** The format of a line of the log, and that it contains nothing that a client has sent. */
import { expect, test } from "bun:test";
import type { LogRecord } from "@logtape/logtape";
import { DrizzleQueryError } from "drizzle-orm/errors";
import { jsonLine, prettyLine } from "../../src/log/format.ts";

const CANARY = "Zq7canary";

function record(properties: Record<string, unknown>, message: readonly unknown[]): LogRecord {
  return {
    timestamp: Date.UTC(2026, 10, 20, 10, 0, 0, 7),
    level: "error",
    category: ["todos", "http"],
    message,
    rawMessage: "",
    properties,
  };
}

const failed = new DrizzleQueryError(
  "insert into todos (contents) values (?)",
  [CANARY],
  Object.assign(new Error("no such table: todos"), { code: "SQLITE_ERROR" }),
);

test("a JSON line has an error with its causes and codes, and no values", () => {
  const line = jsonLine(record({ request_id: "trace-1", ms: 0.3, error: failed }, ["unexpected"]));
  expect(line).toEndWith("}\n");
  expect(JSON.parse(line)).toEqual({
    "@timestamp": "2026-11-20T10:00:00.007Z",
    level: "ERROR",
    message: "unexpected",
    logger: "todos.http",
    request_id: "trace-1",
    ms: 0.3,
    error: {
      name: "Error",
      message: "Failed query: insert into todos (contents) values (?)",
      stack: expect.stringMatching(/^at .*format\.test\.ts/),
      cause: {
        name: "Error",
        message: "no such table: todos",
        code: "SQLITE_ERROR",
        stack: expect.stringMatching(/^at .*format\.test\.ts/),
      },
    },
  });
  expect(line).not.toContain(CANARY);
});

test("an error in the message is told in a few words", () => {
  const line = jsonLine(record({}, ["can't do it: ", failed, ", in ", 30, " s"]));
  expect(JSON.parse(line).message).toBe(
    "can't do it: Error: Failed query: insert into todos (contents) values (?), in 30 s",
  );
});

test.each([
  ["a text that does not parse", () => JSON.parse(`[${CANARY}`)],
  [
    "what is no error",
    () => {
      throw CANARY;
    },
  ],
  [
    "a query's values, at any depth",
    () => {
      throw new Error("outer", { cause: failed });
    },
  ],
])("%s is not repeated", (_, fail) => {
  let error: unknown;
  try {
    fail();
  } catch (caught) {
    error = caught;
  }
  for (const format of [jsonLine, prettyLine(false)]) {
    expect(format(record({ error }, ["unexpected"]))).not.toContain(CANARY);
  }
});

test("causes that go round in a circle end somewhere", () => {
  const error = new Error("round");
  error.cause = error;
  expect(JSON.parse(jsonLine(record({ error }, ["unexpected"]))).error.cause.message).toBe("round");
});

test("a pretty line has the request id, and the error below it", () => {
  const properties = { request_id: "trace-1", ms: 0.3, error: failed };
  const [head, ...rest] = prettyLine(false)(record(properties, ["unexpected"])).split("\n");
  expect(head).toBe("10:00:00.007 ERROR todos.http: unexpected trace-1");
  expect(rest[0]).toBe("    Error: Failed query: insert into todos (contents) values (?)");
  expect(rest).toContain("    caused by");
  expect(rest).toContain("    Error: no such table: todos (SQLITE_ERROR)");
  expect(rest.at(-1)).toBe("");
});

test("colors are there when they are wanted, and change nothing else", () => {
  const line = record({ request_id: "trace-1" }, ["unexpected"]);
  const colored = prettyLine(true)(line);
  expect(colored).not.toBe(prettyLine(false)(line));
  expect(Bun.stripANSI(colored)).toBe(prettyLine(false)(line));
});

test.each([
  ["message", record({}, ["a\u001b[2Jb\u0007"])],
  [
    "error",
    record({ error: new Error("550 a\u001b[2Jb", { cause: new Error("c\u009b2Jd\u0007") }) }, [
      "x",
    ]),
  ],
])("nothing in a %s can steer a terminal", (_, each) => {
  expect(prettyLine(false)(each)).not.toMatch(/[^\P{Cc}\n]/u);
});
