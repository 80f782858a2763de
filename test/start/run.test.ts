/**
 * The life of a process from the start to the drain, with a runtime that this test imitates. `main.test.ts` uses the
 * real one.
 */
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
// `run` configures the log of the whole process.
afterEach(() => resetSync());

/** Bun itself, except for stdout, the signals, the errors and the exit: these are functions of this test. */
function runtime(environment: Record<string, string>) {
  const exited = Promise.withResolvers<number>();
  const errors: string[] = [];
  const printed: string[] = [];
  let uncaught: (error: unknown) => void = () => {};
  let signal: (name: string) => void = () => {};
  const here: Runtime = {
    environment: {
      DATABASE_URL: `file:${join(folder.path, "data/todos.db")}`,
      PORT: "0",
      ...environment,
    },
    isTerminal: false,
    print: () => undefined,
    readInput: async () => "",
    noColor: true,
    async write(bytes) {
      printed.push(new TextDecoder().decode(bytes));
      return bytes.length;
    },
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
    onUncaught(tell) {
      uncaught = tell;
    },
    writeError: (text) => errors.push(text),
    exit: exited.resolve,
  };
  const url = Promise.withResolvers<string>();
  return {
    here,
    url: url.promise,
    exited: exited.promise,
    errors,
    /** The content of stdout so far. */
    printed: () => printed.join(""),
    send: () => signal("SIGTERM"),
    fail: (error: unknown) => uncaught(error),
  };
}

test.each(["json", "pretty"])("it serves until a signal, with %s for a log", async (format) => {
  const { here, url, exited, errors, printed, send } = runtime({ LOG_FORMAT: format });
  await run(here);
  const { call } = callsTo(await url);
  expect((await call("GET", "/health/ready")).status).toBe(200);
  expect(existsSync(join(folder.path, "data/jwt-secret"))).toBe(true);
  send();
  // A second one changes nothing.
  send();
  expect(await exited).toBe(0);
  expect(errors).toEqual([]);
  expect(printed()).toMatch(/listening on .*\n.*SIGTERM: draining.*\n.*stopped.*\n$/);
  await expect(call("GET", "/health/alive")).rejects.toThrow();
});

test("an error that nothing caught is in the log before it ends", async () => {
  const { here, exited, printed, fail, send } = runtime({});
  await run(here);
  fail(new Error("broken", { cause: Object.assign(new Error("deeper"), { code: "EDEEP" }) }));
  expect(await exited).toBe(1);
  expect(JSON.parse(printed().trim().split("\n").at(-1) ?? "")).toMatchObject({
    level: "FATAL",
    error: {
      name: "Error",
      message: "broken",
      stack: expect.stringMatching(/^at .*run\.test\.ts/),
      cause: { message: "deeper", code: "EDEEP" },
    },
  });
  send();
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
  // The runtime of this test has no function that loads metrics.
  [{ METRICS_PORT: "0" }, /^METRICS_PORT must not be set: .+\n$/],
  [{ HOST: "203.0.113.1" }, /^Cannot listen on 203\.0\.113\.1:0 \(HOST, PORT\): .+\n$/],
])("what shows only when it is used ends it with a line, too: %o", async (environment, line) => {
  const { here, exited, errors } = runtime(environment);
  await run(here);
  expect(await exited).toBe(1);
  expect(errors.join("")).toMatch(line);
});
