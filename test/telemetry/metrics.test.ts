/** `/metrics`: what is counted and in which formats, and that no label comes from a client. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { startProcess, temporaryFolder } from "../process.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import { type Sample, samplesOf, sumOf } from "./samples.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/** The header that Prometheus sends. */
const PROMETHEUS =
  "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

let service: Service;

beforeAll(async () => {
  service = await startService({ METRICS_PORT: "0" });
});
afterAll(() => service.stop());

/** Requests the port in METRICS_PORT. */
function ask(path = "/metrics", init: RequestInit = {}, { metrics } = service): Promise<Response> {
  if (!metrics) throw new Error("METRICS_PORT is not set");
  return metrics.fetch(new Request(`http://localhost${path}`, init));
}

async function samples(of = service): Promise<Sample[]> {
  return samplesOf(await (await ask("/metrics", {}, of)).text());
}

/** The growth of a metric while `work` is done. */
async function growth(name: string, labels: Record<string, string>, work: () => Promise<unknown>) {
  const before = sumOf(await samples(), name, labels) ?? 0;
  await work();
  return (sumOf(await samples(), name, labels) ?? 0) - before;
}

describe("requests", () => {
  const requests = (labels: Record<string, string>, work: () => Promise<unknown>) =>
    growth("todos_http_request_duration_seconds_count", labels, work);

  test("are counted by method, route and status", async () => {
    const { token } = await service.user();
    const found = { method: "GET", route: "/todos", status: "200" };
    expect(
      await requests(found, async () => {
        for (let i = 0; i < 3; i++) await service.call("GET", "/todos?limit=1", { token });
        await service.call("GET", "/todos");
      }),
    ).toBe(3);
    const missing = { method: "DELETE", route: "/todos/:id", status: "404" };
    expect(await requests(missing, () => service.call("DELETE", "/todos/999999", { token }))).toBe(
      1,
    );
  });

  test("have no label that a client can make up", async () => {
    await service.call("GET", "/canary-path?canary=query");
    await service.call("PROPFIND", "/todos");
    await service.call("POST", "/todos/canary", { json: {} });
    await service.call("GET", "/todos", { headers: { "x-request-id": "canary" } });
    const text = await (await ask()).text();
    expect(text).not.toMatch(/canary/i);
    const routes = new Set(service.app.routes.map(({ path }) => path)).add("none");
    const labels = samplesOf(text).map(({ labels }) => labels);
    const told = new Set(labels.map(({ route }) => route).filter((route) => route !== undefined));
    expect(told.has("/todos/:id")).toBe(true);
    expect(told.has("none")).toBe(true);
    expect([...told].filter((route) => !routes.has(route))).toEqual([]);
    expect(labels.some(({ method }) => method === "_OTHER")).toBe(true);
  });

  test("in flight are those that have no answer yet", async () => {
    const inFlight = async () => sumOf(await samples(), "todos_http_requests_in_flight");
    const body = Promise.withResolvers<void>();
    const stream = new ReadableStream({
      async pull(controller) {
        await body.promise;
        controller.enqueue(new TextEncoder().encode("{}"));
        controller.close();
      },
    });
    const headers = { "content-type": "application/json" };
    const answer = service.call("POST", "/users/log-in", { body: stream, headers });
    while ((await inFlight()) !== 1) await Bun.sleep(1);
    body.resolve();
    expect((await answer).status).toBe(422);
    expect(await inFlight()).toBe(0);
  });
});

test("streams of events are those that are open", async () => {
  const open = async () => sumOf(await samples(), "todos_event_streams");
  const { token } = await service.user();
  expect(await open()).toBe(0);
  const stream = await service.call("GET", "/todos/events", { token });
  expect(await open()).toBe(1);
  await stream.body?.cancel();
  while ((await open()) !== 0) await Bun.sleep(1);
});

describe("the database", () => {
  test("is asked once for a page of todos, by one statement", async () => {
    const { token } = await service.user();
    const page = () => service.call("GET", "/todos", { token });
    // Each request for the metrics reads the mails from the database.
    expect(await growth("todos_database_statements_total", {}, page)).toBe(2);
    const trips = "todos_database_trip_duration_seconds_count";
    expect(await growth(trips, {}, page)).toBe(2);
  });

  test("shows how many writes share a commit", async () => {
    const { token } = await service.user();
    const json = { contents: "Buy milk" };
    const before = await samples();
    let after = before;
    const grown = (name: string) => (sumOf(after, name) ?? 0) - (sumOf(before, name) ?? 0);
    let sent = 0;
    // Writes that arrive slowly, or on a very fast disk, have a commit each. Then more follow.
    do {
      const posts = Array.from({ length: 20 }, () =>
        service.call("POST", "/todos", { token, json }),
      );
      sent += (await Promise.all(posts)).length;
      after = await samples();
    } while (sent < 1000 && grown("todos_database_commit_writes_count") >= sent);
    expect(grown("todos_database_commit_writes_sum")).toBe(sent);
    expect(grown("todos_database_commit_writes_count")).toBeLessThan(sent);
    expect(sumOf(after, "todos_database_writes_waiting")).toBe(0);
  });

  test("shows what fails, by the reason", async () => {
    const failures = (reason: string, sql: string) =>
      growth("todos_database_failures_total", { reason }, async () => {
        await service.services.database.$client.execute(sql).catch(() => {});
      });
    expect(await failures("error", "SELECT * FROM no_such_table")).toBe(1);
    expect(await failures("full", "SELECT 1")).toBe(0);
  });
});

test("passwords that are not hashed are counted", async () => {
  // Each takes long enough for the others to arrive meanwhile.
  const slow = { memoryCost: 19_456, timeCost: 5, parallelism: 1 };
  const other = await startService({ METRICS_PORT: "0", HASH_CONCURRENCY: "1" }, slow);
  const statuses: number[] = [];
  const signUp = async (username: string) => {
    const json = { username, password: PASSWORD };
    statuses.push((await other.call("POST", "/users/sign-up", { json })).status);
  };
  // If a burst arrives slowly, all of it is hashed, so another burst follows.
  for (let burst = 0; burst < 50 && !statuses.includes(503); burst++) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => signUp(`user-${burst}-${i}`)));
  }
  const found = await samples(other);
  const refused = sumOf(found, "todos_password_hashes_refused_total");
  // One password is hashed at a time, and eight of a network wait.
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBe(statuses.filter((status) => status === 503).length);
  expect(sumOf(found, "todos_password_hashes_waiting")).toBe(0);
  await other.stop();
});

test("attempts that have to wait after too many failures are counted", async () => {
  const { username, token } = await service.user();
  const password = "wrong horse battery";
  const ways: [method: string, path: string, options: { json: object; token?: string }][] = [
    ["POST", "/users/log-in", { json: { username, password } }],
    ["DELETE", "/users/me", { token, json: { password } }],
    [
      "POST",
      "/users/password/reset",
      { json: { email: "nobody@example.com", otp: "00000-00000-000", new_password: PASSWORD } },
    ],
  ];
  for (const [method, path, options] of ways) {
    const refused = await growth(
      "todos_refusals_total",
      { reason: "too_many_failures" },
      async () => {
        for (let i = 0; i < 7; i++) await service.call(method, path, options);
      },
    );
    expect([path, refused]).toEqual([path, 2]);
  }
});

describe("mails", () => {
  test("are counted when they are sent", async () => {
    const json = { username: "mailed", password: PASSWORD, email: "mailed@example.com" };
    const sent = await growth("todos_mails_total", { outcome: "sent" }, async () => {
      await service.call("POST", "/users/sign-up", { json });
      await service.nextMail("mailed@example.com");
    });
    expect(sent).toBe(1);
    expect(sumOf(await samples(), "todos_outbox_mails")).toBe(0);
  });

  /** A separate service, its metrics, and a user to whose address a mail is sent. */
  async function mailing(settings: Record<string, string>, mailDelay: () => number) {
    const other = await startService({ METRICS_PORT: "0", ...settings }, undefined, mailDelay);
    const json = { username: "mailed", password: PASSWORD, email: "mailed@example.com" };
    await other.call("POST", "/users/sign-up", { json });
    return other;
  }

  test("that cannot be sent are counted, and wait for another attempt", async () => {
    // No server listens there.
    const other = await mailing({ MAIL_URL: "smtp://127.0.0.1:9" }, () => 0);
    const failed = async () =>
      sumOf(await samples(other), "todos_mails_total", { outcome: "failed" });
    while ((await failed()) !== 1) await Bun.sleep(5);
    expect(sumOf(await samples(other), "todos_outbox_mails", { state: "later" })).toBe(1);
    await other.stop();
  });

  test("that are due and wait show as such", async () => {
    const hour = 3600;
    const other = await mailing({}, () => hour * 1000);
    const mails = async (state: string) =>
      sumOf(await samples(other), "todos_outbox_mails", { state });
    expect([await mails("later"), await mails("due")]).toEqual([1, 0]);
    other.passSeconds(hour + 1);
    expect([await mails("later"), await mails("due")]).toEqual([0, 1]);
    await other.stop();
  });
});

test("the event loop's lag shows what has held it up", async () => {
  const held = await growth("todos_event_loop_lag_seconds_sum", {}, async () => {
    const until = performance.now() + 400;
    while (performance.now() < until);
    await Bun.sleep(150);
  });
  expect(held).toBeGreaterThan(0.2);
});

test("the process reports its version and its resources", async () => {
  const found = await samples();
  const build = found.find(({ name }) => name === "todos_build_info");
  expect(build?.labels).toEqual({ version: "0.1.0", runtime: navigator.userAgent });
  expect(sumOf(found, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(sumOf(found, "process_cpu_seconds_total")).toBeGreaterThan(0);
  const startedAt = sumOf(found, "process_start_time_seconds") ?? 0;
  expect(Math.abs(Date.now() / 1000 - performance.now() / 1000 - startedAt)).toBeLessThan(60);
});

describe("the format", () => {
  const type = (response: Response) => response.headers.get("content-type");

  test("is Prometheus's own unless OpenMetrics is asked for", async () => {
    expect(type(await ask())).toBe("text/plain; version=0.0.4; charset=utf-8");
    for (const accept of ["*/*", "text/plain", "application/openmetrics-text;q=0, */*"]) {
      expect(type(await ask("/metrics", { headers: { accept } }))).toMatch("text/plain");
    }
    expect(type(await ask("/metrics", { headers: { accept: PROMETHEUS } }))).toBe(OPEN_METRICS);
  });

  test("tells the same in both, however often each is asked for", async () => {
    const names = async (accept: string) => {
      const text = await (await ask("/metrics", { headers: { accept } })).text();
      return { text, names: new Set(samplesOf(text).map(({ name }) => name)) };
    };
    const before = await names("text/plain");
    const open = await names(PROMETHEUS);
    expect(open.names).toEqual(before.names);
    expect((await names("text/plain")).names).toEqual(before.names);
    expect(open.text).toEndWith("\n# EOF\n");
    expect(open.text).not.toMatch(/^$\n/m);
    // In this format, a counter's own name has no `_total`.
    expect(open.text).toContain("# TYPE todos_mails counter\n");
    expect(before.text).toContain("# TYPE todos_mails_total counter\n");
  });
});

test("docs/metrics.md tells of each metric, and of no other", async () => {
  const text = await (await ask()).text();
  const told = Array.from(text.matchAll(/^# TYPE (\w+) /gm), ([, name = ""]) => name);
  const docs = await Bun.file(new URL("../../docs/metrics.md", import.meta.url)).text();
  const rows = docs.match(/^\| `(todos|process)_.*?\|/gm) ?? [];
  const documented = rows.flatMap((row) => row.match(/(todos|process)_\w+/g) ?? []);
  expect(documented.toSorted()).toEqual(told.toSorted());
});

test("its port has no other route", async () => {
  expect((await ask("/")).status).toBe(404);
  expect((await ask("/todos")).status).toBe(404);
  const post = await ask("/metrics", { method: "POST", body: "x" });
  expect(post.status).toBe(405);
  expect(post.headers.get("allow")).toBe("GET, HEAD");
});

describe("a process", () => {
  test("answers at METRICS_PORT alone", async () => {
    using folder = temporaryFolder();
    await using started = await startProcess(folder.path, { METRICS_PORT: "0" });
    const [, url = ""] = await started.line(/metrics on (http:[^"]+)/);
    expect(new URL(url).port).not.toBe(String(started.port));
    await started.call("GET", "/health/alive");
    const found = samplesOf(await (await fetch(url)).text());
    const labels = { route: "/health/alive", status: "200" };
    expect(sumOf(found, "todos_http_request_duration_seconds_count", labels)).toBe(1);
    expect((await started.call("GET", "/metrics")).status).toBe(404);
    expect(await started.stop()).toBe(0);
  });

  test("says when its port cannot be had", async () => {
    using folder = temporaryFolder();
    const taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const settings = { METRICS_PORT: String(taken.port) };
    await expect(startProcess(folder.path, settings)).rejects.toThrow(
      "(HOST, METRICS_PORT): the port is in use",
    );
    await taken.stop(true);
  });
});
