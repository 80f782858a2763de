/** The life of a process from start to drain, with a runtime that this test plays; `main.test.ts` has the real one. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { resetSync } from "@logtape/logtape";
import { nativePlatform } from "../../src/start/platform.ts";
import { type Runtime, run } from "../../src/start/run.ts";
import { temporaryFolder } from "../process.ts";
import { callsTo } from "../service.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
// `run` sets the log up for the whole process.
afterEach(() => resetSync());

/** Bun itself, but for the signals, which this test gives, and the exit, which it must outlive. */
function runtime(environment: Record<string, string>) {
  const exited = Promise.withResolvers<number>();
  const errors: string[] = [];
  let signal: (name: string) => void = () => {};
  const here: Runtime = {
    environment: {
      DATABASE_URL: `file:${join(folder.path, "data/todos.db")}`,
      PORT: "0",
      // Errors alone, so that nothing is printed among the results of the tests.
      LOG_LEVEL: "error",
      ...environment,
    },
    isTerminal: false,
    listen(hostname, port, fetch) {
      const server = Bun.serve({ hostname, port, fetch });
      url.resolve(server.url.href.replace(/\/$/, ""));
      return {
        url: server.url.href,
        stop: () => server.stop(),
        abort: () => server.stop(true),
      };
    },
    platform: nativePlatform(() => null),
    onSignal(stop) {
      signal = stop;
    },
    writeError: (text) => errors.push(text),
    exit: exited.resolve,
  };
  const url = Promise.withResolvers<string>();
  return { here, url: url.promise, exited: exited.promise, errors, send: () => signal("SIGTERM") };
}

test.each(["json", "pretty"])("it serves until a signal, with %s for a log", async (format) => {
  const { here, url, exited, errors, send } = runtime({ LOG_FORMAT: format });
  await run(here);
  const { call } = callsTo(await url);
  expect((await call("GET", "/health/ready")).status).toBe(200);
  expect(existsSync(join(folder.path, "data/jwt-secret"))).toBe(true);
  send();
  // A second one changes nothing.
  send();
  expect(await exited).toBe(0);
  expect(errors).toEqual([]);
  await expect(call("GET", "/health/alive")).rejects.toThrow();
});

test("faults of the configuration end it with a line for each", async () => {
  const { here, exited, errors } = runtime({ PORT: "x", LOG_LEVEL: "loud" });
  await run(here);
  expect(await exited).toBe(1);
  expect(errors.join("").trim().split("\n")).toHaveLength(2);
});

test.each([
  [
    { DATABASE_URL: "file:/dev/null/todos.db" },
    /^Cannot open the database \(DATABASE_URL\): .+\n$/,
  ],
  [{ HOST: "203.0.113.1" }, /^Cannot listen on 203\.0\.113\.1:0 \(HOST, PORT\): .+\n$/],
])("what shows only when it is used ends it with a line, too: %o", async (environment, line) => {
  const { here, exited, errors } = runtime(environment);
  await run(here);
  expect(await exited).toBe(1);
  expect(errors.join("")).toMatch(line);
});
