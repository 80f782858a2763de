/**
 * 500 and 503: an unexpected error gets an answer without details, and the log has all of it. An outage asks the client
 * to try again.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import Database from "libsql";
import { around } from "../../src/http/front.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import { CANARY, type Expected, expectNoCanary, expectProblem, stored } from "./answers.ts";

const INTERNAL: Expected = [500, "internal_error"];
const UNAVAILABLE: Expected = [503, "unavailable"];

let service: Service;
let records: LogRecord[] = [];

beforeAll(() => {
  configureSync({
    reset: true,
    sinks: { memory: (record) => records.push(record) },
    loggers: [
      { category: "todos", lowestLevel: "debug", sinks: ["memory"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: [] },
    ],
  });
});
afterAll(() => resetSync());
beforeEach(async () => {
  service = await startService();
  records = [];
});
afterEach(() => service.stop());

const run = (sql: string) => service.services.database.$client.execute(sql);

/** The lines of the log before the request's own line. */
function logged(answer: Response): LogRecord[] {
  const id = answer.headers.get("x-request-id");
  return records.filter(
    ({ properties, level }) => properties.request_id === id && level !== "info",
  );
}

/** An error's message and those of its causes. */
function messages(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${messages(error.cause)}` : "";
}

/** Asserts that `answer` is a 500 without details, and that the log has its cause once, under the request's id. */
async function expectInternal(answer: Response, cause: RegExp): Promise<void> {
  const copy = await answer.clone().text();
  await expectProblem(answer, INTERNAL);
  expect(copy).not.toMatch(/sql|table|query|hash|\.ts|node_modules| {4}at /i);
  const [record, ...others] = logged(answer);
  expect(others).toEqual([]);
  expect(record?.level).toBe("error");
  expect(messages(record?.properties.error)).toMatch(cause);
}

describe("an error that nobody foresaw", () => {
  test("is internal_error without any detail, and its cause is in the log", async () => {
    const { token } = await service.user();
    await run("DROP TABLE todos");
    for (const [method, path, json] of [
      ["GET", `/todos`, undefined],
      ["GET", "/todos/1", undefined],
      ["POST", "/todos", { contents: CANARY }],
      ["PATCH", "/todos/1", { contents: CANARY }],
      ["DELETE", "/todos/1", undefined],
    ] as const) {
      await expectInternal(
        await service.call(method, path, { token, json }),
        /no such table: todos/,
      );
    }
    const head = await service.call("HEAD", "/todos", { token });
    expect(head.status).toBe(500);
    expect(logged(head)).toHaveLength(1);
    // The rest of the service still works.
    expect((await service.call("GET", "/users/me", { token })).status).toBe(200);
  });

  test("keeps the request id that came in, in the answer and in the log", async () => {
    const { token } = await service.user();
    await run("DROP TABLE todos");
    const headers = { "x-request-id": "trace-1" };
    const answer = await service.call("GET", "/todos", { token, headers });
    expect(answer.headers.get("x-request-id")).toBe("trace-1");
    await expectInternal(answer, /no such table: todos/);
    const lines = records.filter(({ properties }) => properties.request_id === "trace-1");
    expect(lines.map(({ level }) => level)).toEqual(["error", "info"]);
    expect(lines[1]?.properties).toMatchObject({ status: 500, route: "/todos", method: "GET" });
  });

  test("may be a broken row", async () => {
    const { username } = await service.user();
    await run("UPDATE users SET password_hash = 'broken'");
    const json = { username, password: PASSWORD };
    await expectInternal(await service.call("POST", "/users/log-in", { json }), /decod/i);
  });

  test("may be an answer that is not what the contract says, which then goes nowhere", async () => {
    const { token } = await service.user();
    for (const contents of [CANARY, "Sweep"]) {
      await service.call("POST", "/todos", { token, json: { contents } });
    }
    await run("UPDATE todos SET contents = x'00' WHERE contents = 'Sweep'");
    const answer = await service.call("GET", "/todos", { token });
    await expectInternal(answer, /contents/);
    // The log does not have it either, because it never contains texts of users.
    expect(Bun.inspect(records, { depth: 20 })).not.toContain(CANARY);
  });

  test("is none of a row from before a rule: what goes out is not held to what may come in", async () => {
    const { token } = await service.user();
    await service.call("POST", "/todos", { token, json: { contents: "Sweep" } });
    await run("UPDATE todos SET contents = ' ' || char(1)");
    const answer = await service.call("GET", "/todos", { token });
    expect(await answer.json()).toMatchObject({ todos: [{ contents: " \u0001" }] });
  });

  test("is server_error at /token (RFC 6749 has no code for it, so the one of §4.1.2.1)", async () => {
    await run("DROP TABLE sessions");
    await run("DROP TABLE todos");
    await run("DROP TABLE users");
    const body = new URLSearchParams({ username: CANARY, password: PASSWORD });
    const answer = await service.call("POST", "/token", { body });
    expect(answer.status).toBe(500);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const text = await answer.text();
    expectNoCanary(answer, text);
    expect(Object.keys(JSON.parse(text)).sort()).toEqual(["error", "error_description"]);
    expect(JSON.parse(text).error).toBe("server_error");
    expect(messages(logged(answer)[0]?.properties.error)).toMatch(/no such table: users/);
  });
});

describe("an error of the framework itself", () => {
  test.each([
    () => {
      throw new Error(`broken ${CANARY}`);
    },
    () => Promise.reject(new Error(`broken ${CANARY}`)),
  ])("is answered and logged like any other", async (handle) => {
    const answer = await around(service.services)(handle)(new Request("http://localhost/"));
    await expectInternal(answer, /broken/);
    const { status, request_id } = records.at(-1)?.properties ?? {};
    expect(status).toBe(500);
    expect(request_id).toBe(answer.headers.get("x-request-id"));
  });
});

describe("unavailable", () => {
  test("is told to writes while another process holds the lock, and reads go on", async () => {
    const { token, username } = await service.user();
    const path = (
      await service.call("POST", "/todos", { token, json: { contents: "Water plants" } })
    ).headers.get("location");
    const before = await stored(service);
    const other = new Database(join(service.folder, "todos.db"));
    other.exec("BEGIN IMMEDIATE");
    try {
      const credentials = { username, password: PASSWORD };
      const writes = [
        service.call("POST", "/todos", { token, json: { contents: CANARY } }),
        service.call("PATCH", `${path}`, { token, json: { contents: CANARY } }),
        service.call("DELETE", `${path}`, { token }),
        service.call("POST", "/users/log-out", { token }),
        service.call("POST", "/users/log-in", { json: credentials }),
        service.call("POST", "/users/sign-up", { json: { ...credentials, username: CANARY } }),
      ];
      const granted = service.call("POST", "/token", { body: new URLSearchParams(credentials) });
      for (const read of ["/todos", "/users/me", "/health/ready"]) {
        expect((await service.call("GET", read, { token })).status).toBe(200);
      }
      for (const answer of await Promise.all(writes)) {
        const [record] = logged(answer);
        expect(record?.level).toBe("warning");
        expect(messages(record?.properties.error)).toMatch(/locked/);
        expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
        await expectProblem(answer, UNAVAILABLE);
      }
      const refused = await granted;
      expect(refused.status).toBe(503);
      expect((await refused.json()).error).toBe("temporarily_unavailable");
      expect(refused.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
      expect(refused.headers.get("cache-control")).toBe("no-store");
    } finally {
      other.exec("ROLLBACK");
      other.close();
    }
    expect(await stored(service)).toBe(before);
    // And then the same request is accepted.
    const json = { contents: "Sweep" };
    expect((await service.call("POST", "/todos", { token, json })).status).toBe(201);
  }, 30_000);

  test("is told when the database is full, and what is there can be read and deleted for good", async () => {
    const { token } = await service.user();
    const json = { contents: "Water plants".padEnd(1000, ".") };
    const add = () => service.call("POST", "/todos", { token, json });
    const ids = await Promise.all(
      Array.from({ length: 4 }, async () => (await (await add()).json()).id),
    );
    for (const id of ids) await service.call("DELETE", `/todos/${id}`, { token });
    await run("PRAGMA max_page_count = 1"); // SQLite reads this as: not larger than now.
    let answer: Response;
    let added = -1;
    do {
      answer = await add();
      added++;
    } while (answer.status === 201 && added < 1000);
    await expectProblem(answer, UNAVAILABLE);
    const page = await (await service.call("GET", "/todos?limit=100", { token })).json();
    expect(page.todos).toHaveLength(added);
    for (const id of ids) {
      expect((await service.call("DELETE", `/trash/${id}`, { token })).status).toBe(204);
    }
    // This makes space again.
    expect((await add()).status).toBe(201);
  });

  test("is told to all but /health/alive while the service drains", async () => {
    const { token } = await service.user();
    await service.services.drain.begin();
    for (const path of ["/", "/health/ready", "/users/me", "/todos", `/${CANARY}`]) {
      await expectProblem(await service.call("GET", path, { token }), UNAVAILABLE);
    }
    expect((await service.call("GET", "/health/alive")).status).toBe(200);
  });
});
