/**
 * Traces: the spans of a request, the trace that they belong to, and that a failing collector does not affect the
 * service.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { summaryOf } from "../../src/telemetry/summary.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { type CallOptions, PASSWORD, type Service, startService } from "../service.ts";
import { type CollectedSpan, startCollector, valuesOf } from "./collector.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

/** The requests that a collector gets from a service that does `work`, after the service has stopped. */
async function collect(
  work: (service: Service) => Promise<unknown>,
  settings: Record<string, string> = {},
  mailDelay = () => 0,
) {
  await using collector = startCollector();
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const service = await startService({ ...endpoint, ...settings }, undefined, mailDelay);
  await work(service);
  await service.stop();
  return collector;
}

const named = (spans: CollectedSpan[], name: string) => {
  const found = spans.find((span) => span.name === name);
  if (!found) throw new Error(`No ${name} among ${spans.map((span) => span.name)}`);
  return found;
};

describe("a request", () => {
  test("is a span, and each trip to the database one below it", async () => {
    const collector = await collect(async (service) => {
      const { call } = service;
      const { token } = await service.user();
      await call("POST", "/todos", { token, json: { contents: "Buy milk" } });
      await call("GET", "/todos/1", { token, headers: { "x-request-id": "the-one" } });
    });
    const spans = collector.spans();
    const request = named(spans, "GET /todos/:id");
    expect(request).toMatchObject({ kind: 2, status: { code: 0 } });
    expect(request.parentSpanId).toBeUndefined();
    expect(valuesOf(request.attributes)).toEqual({
      "http.request.method": "GET",
      "http.route": "/todos/:id",
      "http.response.status_code": 200,
      "todos.request_id": "the-one",
    });
    const below = spans.filter(({ parentSpanId }) => parentSpanId === request.spanId);
    expect(below).toHaveLength(1);
    const [trip] = below;
    expect(trip).toMatchObject({ kind: 3, traceId: request.traceId });
    expect(trip?.name).toMatch(/^SELECT (\w+ )*todos\b/);
    expect(valuesOf(trip?.attributes ?? [])).toEqual({
      "db.system.name": "sqlite",
      "db.query.summary": trip?.name,
    });
    const took = (span: CollectedSpan) =>
      BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano);
    expect(trip && took(trip) <= took(request)).toBe(true);

    const logIn = named(spans, "POST /users/log-in");
    const trips = spans.filter(({ parentSpanId }) => parentSpanId === logIn.spanId);
    expect(trips).toHaveLength(2);
    const [, batch] = trips;
    expect(batch?.name).toMatch(/^BATCH .*INSERT sessions\b/);
    expect(valuesOf(batch?.attributes ?? [])["db.operation.batch.size"]).toBeGreaterThan(1);
  });

  test("that fails has a span that says so", async () => {
    const collector = await collect(async (service) => {
      const { call, services } = service;
      const { token } = await service.user();
      await services.database.$client.execute("ALTER TABLE todos RENAME TO gone");
      expect((await call("GET", "/todos", { token })).status).toBe(500);
    });
    const request = named(collector.spans(), "GET /todos");
    expect(request.status).toEqual({ code: 2 });
    expect(valuesOf(request.attributes)["error.type"]).toBe("500");
    const trip = collector.spans().find(({ parentSpanId }) => parentSpanId === request.spanId);
    expect(trip?.status).toEqual({ code: 2 });
    expect(valuesOf(trip?.attributes ?? [])["error.type"]).toBe("error");
  });

  test("has no part in what goes on after it", async () => {
    const signUp = async ({ call, nextMail }: Service) => {
      const json = { username: "mailed", password: PASSWORD, email: "mailed@example.com" };
      await call("POST", "/users/sign-up", { json });
      await nextMail("mailed@example.com");
    };
    const collector = await collect(signUp, {}, () => 50);
    // The mail is claimed and deleted after the answer.
    const names = collector.spans().map(({ name }) => name);
    expect(names).toContain("POST /users/sign-up");
    expect(names.filter((name) => /DELETE outbox|UPDATE outbox/.test(name))).toEqual([]);
  });

  test("leaves nothing of what was sent in its spans", async () => {
    const canary = "Zq7canary";
    // A password must not contain the user name.
    const password = "Xk8secret battery";
    const collector = await collect(async ({ call, logIn }) => {
      const json = { username: canary, password, email: `${canary}@example.com` };
      await call("POST", "/users/sign-up", { json });
      const { token } = await logIn(canary, password);
      const headers = { "user-agent": canary, "x-request-id": "x" };
      const todo = { contents: canary, notes: canary };
      await call("POST", "/todos", { token, json: todo, headers });
      await call("GET", `/todos?q=${canary}`, { token, headers });
      await call("GET", `/todos/${canary}`, { token, headers });
      await call("GET", `/${canary}?${canary}`, { headers });
      await call("PATCH", "/todos/1", { token, json: { [canary]: canary } });
      await call("POST", "/users/log-in", { json: { username: canary, password: canary } });
    });
    expect(collector.spans().length).toBeGreaterThan(10);
    expect(collector.text()).not.toMatch(/Zq7canary|Xk8secret/i);
  });
});

describe("a traceparent", () => {
  /** The span of a request with this header. */
  async function spanOf(traceparent: string, settings = {}): Promise<CollectedSpan | undefined> {
    const collector = await collect(
      ({ call }) => call("GET", "/health/alive", { headers: { traceparent } }),
      settings,
    );
    return collector.spans()[0];
  }

  test("is taken up", async () => {
    const span = await spanOf(`00-${TRACE}-${PARENT}-01`);
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
    expect(span?.spanId).not.toBe(PARENT);
  });

  test.each([
    ["too short", `00-${TRACE.slice(1)}-${PARENT}-01`],
    ["in capitals", `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ["without an id of the trace", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["without an id of the span", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["of the version that is never used", `ff-${TRACE}-${PARENT}-01`],
    ["with more than its version has", `00-${TRACE}-${PARENT}-01-more`],
    ["of another kind", "canary"],
    ["empty", ""],
  ])("that is %s is ignored", async (_, traceparent) => {
    const span = await spanOf(traceparent);
    expect(span?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(span?.traceId).not.toBe(TRACE);
    expect(span?.parentSpanId).toBeUndefined();
  });

  const notSampled = `00-${TRACE}-${PARENT}-00`;
  test("decides whether there are spans, with parentbased samplers alone", async () => {
    expect(await spanOf(notSampled)).toBeUndefined();
    const ownChoice = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1" };
    expect(await spanOf(notSampled, ownChoice)).toMatchObject({ traceId: TRACE });
    const none = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" };
    expect(await spanOf(`00-${TRACE}-${PARENT}-01`, none)).toBeUndefined();
  });
});

test("a sampler takes its part of all traces", async () => {
  const many = 400;
  const settings = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio" };
  const collector = await collect(
    async ({ app }) => {
      for (let i = 0; i < many; i++) await app.fetch(new Request("http://localhost/health/alive"));
    },
    { ...settings, OTEL_TRACES_SAMPLER_ARG: "0.5" },
  );
  // The probability of a result outside these bounds is less than 1 in 10^20.
  const { length } = collector.spans();
  expect(length).toBeGreaterThan(many / 4);
  expect(length).toBeLessThan((3 * many) / 4);
});

test("the collector gets the headers and the name of the service", async () => {
  const collector = await collect(({ call }) => call("GET", "/health/alive"), {
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc,x-tenant=todos",
    OTEL_SERVICE_NAME: "todos-eu",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=staging,service.name=other",
  });
  const [request] = collector.requests;
  expect(request?.path).toBe("/v1/traces");
  expect(request?.headers.get("content-type")).toBe("application/json");
  expect(request?.headers.get("authorization")).toBe("Bearer abc");
  expect(request?.headers.get("x-tenant")).toBe("todos");
  expect(collector.resources()[0]).toMatchObject({
    "service.name": "todos-eu",
    "service.version": "0.1.0",
    "deployment.environment.name": "staging",
    "telemetry.sdk.name": "opentelemetry",
  });
});

describe("a collector", () => {
  const MANY = 6000;

  test("that does not answer slows down no request, and the spans for it do not accumulate", async () => {
    await using collector = startCollector();
    const released = Promise.withResolvers<void>();
    collector.answerWith(async () => {
      await released.promise;
      return Response.json({});
    });
    const service = await startService({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    for (let i = 0; i < MANY; i++) {
      const { status } = await service.app.fetch(new Request("http://localhost/health/alive"));
      if (status !== 200) throw new Error(`status ${status}`);
    }
    while (collector.requests.length === 0) await Bun.sleep(1);
    // One batch is under way. Nothing else is sent before it was answered.
    expect(collector.requests.length).toBe(1);
    released.resolve();
    await service.stop();
    const { length } = collector.spans();
    expect(length).toBeGreaterThan(2000);
    expect(length).toBeLessThan(MANY / 2);
  });

  test("that never answers does not keep the process from stopping", async () => {
    await using collector = startCollector();
    collector.answerWith(() => new Promise(() => {}));
    using folder = temporaryFolder();
    const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, SHUTDOWN_TIMEOUT: "300" };
    await using started = await startProcess(folder.path, settings);
    // More than a batch, so that one is under way.
    for (let i = 0; i < 600; i++) await started.call("GET", "/health/alive");
    while (collector.requests.length === 0) await Bun.sleep(5);
    expect(await started.stop()).toBe(0);
  }, 30_000);

  test.each([
    ["is down", "http://127.0.0.1:9"],
    ["refuses", undefined],
  ])(
    "that %s is in the log once",
    async (_, url) => {
      await using collector = startCollector();
      collector.answerWith(async () => new Response("no", { status: 401 }));
      using folder = temporaryFolder();
      const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: url ?? collector.url };
      await using started = await startProcess(folder.path, settings);
      // More than a batch, so that one is sent before the process stops.
      for (let i = 0; i < 1200; i++) {
        expect((await started.call("GET", "/health/alive")).status).toBe(200);
      }
      await started.line(/traces are lost/);
      expect(await started.stop()).toBe(0);
      expect(started.stdout.filter((line) => /traces are lost/.test(line))).toHaveLength(1);
    },
    30_000,
  );
});

describe("the log", () => {
  /** The lines that a process logs about one request, and the requests to the collector. */
  async function linesOf(settings: Record<string, string>, options: CallOptions) {
    using folder = temporaryFolder();
    await using started = await startProcess(folder.path, { LOG_LEVEL: "debug", ...settings });
    const json = { username: "nobody", password: "wrong horse battery" };
    for (let i = 0; i < 6; i++) await started.call("POST", "/users/log-in", { json, ...options });
    expect(await started.stop()).toBe(0);
    const lines = started.stdout.map((line) => JSON.parse(line));
    return lines.filter(({ request_id }) => request_id !== undefined);
  }

  test("has the trace's id in each line about a request, sampled or not", async () => {
    await using collector = startCollector();
    const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    const lines = await linesOf(settings, { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } });
    expect(lines.some(({ event }) => event === "too_many_failures")).toBe(true);
    expect(new Set(lines.map(({ trace_id }) => trace_id))).toEqual(new Set([TRACE]));
    expect(collector.spans().some(({ traceId }) => traceId === TRACE)).toBe(true);

    const off = { ...settings, OTEL_TRACES_SAMPLER: "always_off" };
    const own = await linesOf(off, {});
    for (const { trace_id } of own) expect(trace_id).toMatch(/^[0-9a-f]{32}$/);
  });

  test("has none when traces are off", async () => {
    const headers = { traceparent: `00-${TRACE}-${PARENT}-01` };
    for (const line of await linesOf({}, { headers })) expect(line).not.toHaveProperty("trace_id");
  });
});

test.each([
  [["SELECT * FROM todos WHERE id = ?"], "SELECT todos"],
  [['select "id" from (select * from "sessions") "s"'], "SELECT sessions"],
  [["INSERT INTO todos (contents) SELECT ? FROM users"], "INSERT todos users"],
  [["INSERT INTO ttl VALUES (?) ON CONFLICT DO UPDATE SET value = 1"], "INSERT ttl"],
  [["UPDATE `users` SET email = NULL"], "UPDATE users"],
  [["WITH a AS (SELECT 1) DELETE FROM ttl"], "DELETE ttl"],
  [["WITH a AS (SELECT 1) SELECT * FROM a"], "SELECT a"],
  [["SELECT 'it''s from secret' AS x FROM outbox -- from secret"], "SELECT outbox"],
  [["PRAGMA foreign_keys"], "PRAGMA"],
  [["SELECT 1", "SELECT 2", "DELETE FROM ttl"], "BATCH SELECT, DELETE ttl"],
])("%j is summed up as %s", (texts, summary) => {
  expect(summaryOf(texts)).toBe(summary);
});
