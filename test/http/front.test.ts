/** The parts that surround every answer: headers, request ids, HEAD, OPTIONS, 404, 405, 421 and CORS. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import {
  CANARY,
  type Expected,
  expectEveryAnswerHeaders,
  expectNoCanary,
  expectProblem,
  sendRaw,
} from "./answers.ts";

const NOT_FOUND: Expected = [404, "not_found"];
const METHOD: Expected = [405, "method_not_allowed"];
const MISDIRECTED: Expected = [421, "misdirected_request"];

const LISTED = "https://app.example";
const LISTED_TOO = "http://localhost:5173";

let service: Service;
let token: string;
let todoPath: string;

beforeAll(async () => {
  service = await startService();
  ({ token } = await service.user());
  const json = { contents: "Water plants" };
  const created = await service.call("POST", "/todos", { token, json });
  todoPath = created.headers.get("location") ?? "";
  await service.call("POST", "/lists", { token, json: { name: "Garden" } });
});
afterAll(() => service.stop());

/** Each path with its declared methods. */
function paths(): Map<string, string[]> {
  const byPath = Map.groupBy(service.app.routes, ({ path }) => path);
  return new Map(
    Array.from(byPath, ([path, routes]) => [
      path === "/todos/:id" ? todoPath : path.replace(":id", "1"),
      routes.map(({ method }) => method),
    ]),
  );
}

const allowOf = (answer: Response) => answer.headers.get("allow")?.split(", ").sort();

describe("request id", () => {
  test("is new for each request that brings none", async () => {
    const answers = [await service.call("GET", "/"), await service.call("GET", "/")];
    const [one, other] = answers.map(({ headers }) => headers.get("x-request-id"));
    expect(one).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(other).not.toBe(one ?? "");
  });

  test.each([
    "a",
    "0b3a5c1e-7f2d-4a53-9c55-1d0f5be1a0f4",
    "trace:1-67891233.abc_DEF",
    "x".repeat(128),
  ])("%s is kept, and told in a problem", async (id) => {
    const headers = { "x-request-id": id };
    expect((await service.call("GET", "/", { headers })).headers.get("x-request-id")).toBe(id);
    const refused = await service.call("GET", "/nowhere", { headers });
    expect(refused.headers.get("x-request-id")).toBe(id);
    await expectProblem(refused, NOT_FOUND);
  });

  test.each([
    ["", "empty"],
    [CANARY.padEnd(129, "x"), "129 characters long"],
    [`${CANARY} ${CANARY}`, "two words"],
    [`${CANARY}"}`, "quoted"],
    [`${CANARY}<script>`, "markup"],
    [`${CANARY}%0a`, "escaped"],
    [`${CANARY}\u00e9`, "not ASCII"],
    [`${CANARY}, ${CANARY}`, "a list"],
  ])("%j is replaced, since it is %s", async (id) => {
    await expectProblem(
      await service.call("GET", "/nowhere", { headers: { "x-request-id": id } }),
      NOT_FOUND,
    );
  });
});

describe("headers", () => {
  test("that every answer has", async () => {
    for (const [method, path, status] of [
      ["GET", "/", 200],
      ["HEAD", "/", 200],
      ["OPTIONS", "/", 204],
      ["GET", "/health/alive", 200],
      ["GET", "/health/ready", 200],
      ["GET", "/nowhere", 404],
      ["POST", "/", 405],
      ["GET", "/todos", 401],
      ["POST", "/users/log-in", 400],
      ["POST", "/token", 400],
    ] as const) {
      const answer = await service.call(method, path, {
        ...(path === "/token" && { body: new URLSearchParams({ grant_type: "none" }) }),
      });
      expect(answer.status).toBe(status);
      expectEveryAnswerHeaders(answer);
    }
    const good = await service.call("POST", "/todos", { token, json: { contents: "Sweep" } });
    expect(good.status).toBe(201);
    expectEveryAnswerHeaders(good);
  });

  test("the docs have them too, with a policy of their own", async () => {
    for (const path of ["/swagger", "/swagger/json"]) {
      const { headers } = await service.call("GET", path);
      expect(headers.get("x-request-id")).toMatch(/\S/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    }
  });

  test("Cache-Control: no-store wherever a bearer is asked for, but where there is an ETag", async () => {
    for (const [method, path, json, status] of [
      ["GET", "/users/me", undefined, 200],
      ["HEAD", "/users/me", undefined, 200],
      ["GET", "/users/me/sessions", undefined, 200],
      ["GET", "/todos/999999", undefined, 404],
      ["GET", "/todos?limit=0", undefined, 422],
      ["POST", "/todos", { contents: "Sweep" }, 201],
      ["POST", "/todos", [], 400],
      ["PUT", "/users/me/password", {}, 422],
    ] as const) {
      const answer = await service.call(method, path, { token, json });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  });
});

describe("methods", () => {
  test("HEAD works wherever GET does, and answers as it does but without a body", async () => {
    for (const [path, methods] of paths()) {
      if (!methods.includes("GET")) continue;
      const get = await service.call("GET", path, { token });
      const head = await service.call("HEAD", path, { token });
      // The docs page has no file of this name.
      const status = path === "/swagger/assets/:file" ? 404 : 200;
      expect(`${path} ${head.status}`).toBe(`${path} ${status}`);
      expect(get.status).toBe(status);
      expect(await head.text()).toBe("");
      for (const name of ["content-type", "cache-control", "content-security-policy"]) {
        expect(head.headers.get(name)).toBe(get.headers.get(name));
      }
    }
    for (const path of ["/todos/999999", "/todos/x"]) {
      const head = await service.call("HEAD", path, { token });
      expect(head.status).toBe(404);
      expect(await head.text()).toBe("");
    }
  });

  test("OPTIONS answers 204 with Allow on every path, without credentials", async () => {
    for (const [path, methods] of paths()) {
      const answer = await service.call("OPTIONS", path);
      expect(answer.status).toBe(204);
      expect(await answer.text()).toBe("");
      const head = methods.includes("GET") ? ["HEAD"] : [];
      expect(allowOf(answer)).toEqual([...methods, ...head, "OPTIONS"].sort());
      expectEveryAnswerHeaders(answer);
    }
  });

  test("any other is 405 with the same Allow, with credentials or without", async () => {
    for (const [path] of paths()) {
      const allow = allowOf(await service.call("OPTIONS", path)) ?? [];
      const all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "REPORT", "PURGE"];
      for (const method of all) {
        if (allow.includes(method)) continue;
        const answer = await service.call(method, `${path}?${CANARY}=1`, {
          ...(method === "PUT" && { token }),
          headers: { "x-http-method-override": "GET" },
        });
        expect(allowOf(answer)).toEqual(allow);
        if (method === "HEAD") expect(answer.status).toBe(405);
        else await expectProblem(answer, METHOD);
      }
    }
  });

  test.each(["TRACE", "CONNECT"])("%s is 405 as well", async (method) => {
    for (const host of ["localhost", "a"]) {
      const request = `${method} /todos HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      await expectProblem(await sendRaw(service, request), METHOD);
    }
  });

  test("a literal path takes none of those of a path with a parameter", async () => {
    for (const body of ["{", "x".repeat(70_000)]) {
      const answer = await service.call("PATCH", "/todos/changes", { token, body });
      expect(allowOf(answer)).toEqual(["GET", "HEAD", "OPTIONS"]);
      await expectProblem(answer, METHOD);
    }
  });

  test("TRACE is 405 at a path that has to be resolved, too", async () => {
    const request = "TRACE /../todos#x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    await expectProblem(await sendRaw(service, request), METHOD);
  });
});

describe("a path that does not exist", () => {
  test.each([
    `/${CANARY}`,
    `/${CANARY}?${CANARY}=${CANARY}`,
    `/${CANARY}/%00%ff%0d%0a`,
    "/.env",
    "/users",
    "/users/",
    "/users/me/",
    "/users/1",
    "/users/me/sessions/",
    `/users/me/sessions/1/${CANARY}`,
    "/todos/",
    "/todos//",
    "/todos/1/",
    `/todos/1/${CANARY}`,
    "/TODOS",
    "/%74odos",
    "/token/",
    "/health",
    "/:id",
    "/swagger/nowhere",
    "/swagger/../../package.json",
  ])("%s is not_found, whatever the method", async (path) => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"]) {
      await expectProblem(await service.call(method, path), NOT_FOUND);
      await expectProblem(await service.call(method, path, { token }), NOT_FOUND);
    }
    expect((await service.call("HEAD", path)).status).toBe(404);
  });

  test.each([
    ["//todos", 404],
    ["//health/alive", 404],
    ["/x/../health/alive", 200],
    ["/health/./alive", 200],
    ["/../health/alive", 200],
    ["/x/%2e%2E/health/alive", 200],
    ["/x\\..\\health\\alive", 200],
    ["/todos?cursor=/../#x", 401],
    ["/health/alive?", 200],
    ["/health/alive#x", 200],
    ["http://todos.example/health/alive", 200],
    ["/todos/../users/me", 401],
    ["/users/me#/../../health/alive", 401],
    ["/health/alive/../../users/me?x#y", 401],
  ])("%s is resolved once, for the front and the router alike", async (path, status) => {
    for (const host of ["localhost", "a"]) {
      const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      expect((await sendRaw(service, request)).status).toBe(status);
    }
  });
});

describe("Host", () => {
  const get = (host: string, path = "/health/alive") =>
    sendRaw(service, `GET ${path} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);

  test.each([
    "a",
    "ab",
    "abc",
    "abcd",
    "a:",
    "a:1",
    "a:12",
    "A",
    "localhost",
    "localhost:3000",
    "todos.example",
    "todos.example.",
    "to_dos",
    "1.2.3.4:80",
    "[::1]",
    "[::1]:",
    "[::1]:3000",
  ])(
    "%s can be one: path, query, body and credentials are what they are elsewhere",
    async (host) => {
      const line = `Host: ${host}\r\n`;
      expect((await get(line)).status).toBe(200);
      await expectProblem(await get(line, "/nowhere"), NOT_FOUND);
      const authorized = `${line}Authorization: Bearer ${token}\r\n`;
      const page = await get(authorized, "/todos?limit=1");
      expect((await page.json()).todos).toHaveLength(1);
      await expectProblem(await get(authorized, "/todos?limit=0"), [422, "validation_failed"]);
      const json = '{"contents":"Sweep"}';
      const created = await sendRaw(
        service,
        `POST /todos HTTP/1.1\r\n${authorized}Connection: close\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
      );
      expect(created.status).toBe(201);
      expect(created.headers.get("location")).toMatch(/^\/todos\/\d+$/);
    },
  );

  test.each([
    "",
    "a/b",
    "localhost/",
    `localhost/${CANARY}`,
    "http://localhost",
    "a b",
    "a\tb",
    "a,b",
    "a?b",
    "a#b",
    "a\\b",
    "a@b",
    `${CANARY}:${CANARY}@localhost`,
    "%",
    "a%20b",
    "%61",
    "<a>",
    '"a"',
    "*",
    ".",
    "-a",
    "\xe9",
    "\xff",
    ":80",
    "localhost:99999",
    "localhost:-1",
    "localhost:80:80",
    "localhost:x",
    "999.1.1.1",
    "xn--",
    "[",
    "[]",
    "[zz]",
    "[::1",
    "::1",
  ])("%j cannot be one", async (host) => {
    await expectProblem(await get(`Host: ${host}\r\n`), MISDIRECTED);
    await expectProblem(await get(`Host: ${host}\r\n`, `/${CANARY}`), MISDIRECTED);
  });

  test("two are none", async () => {
    await expectProblem(await get("Host: a.example\r\nHost: b.example\r\n"), MISDIRECTED);
    await expectProblem(await get("Host: a.example\r\nHost: a.example\r\n"), MISDIRECTED);
  });

  test("without one, HTTP/1.1 is 400 (RFC 9112 §3.2), by the runtime itself", async () => {
    expect((await get("")).status).toBe(400);
  });

  test("without one, HTTP/1.0 is served", async () => {
    expect((await sendRaw(service, "GET /health/alive HTTP/1.0\r\n\r\n")).status).toBe(200);
  });
});

/** The names of the headers of an answer that begin with `Access-Control-`. */
const corsOf = ({ headers }: Response) =>
  Array.from(headers.keys()).filter((name) => name.startsWith("access-control-"));

const preflight = (origin: string) => ({
  origin,
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization, content-type",
});

describe("CORS without CORS_ORIGINS", () => {
  test.each([LISTED, "null", "http://localhost"])("is off for %s", async (origin) => {
    for (const method of ["GET", "OPTIONS", "POST"]) {
      const answer = await service.call(method, "/users/me", { token, headers: preflight(origin) });
      expect(corsOf(answer)).toEqual([]);
      expect(answer.headers.get("vary")).toBeNull();
    }
  });
});

describe("CORS with CORS_ORIGINS", () => {
  let listing: Service;
  beforeAll(async () => {
    listing = await startService({ CORS_ORIGINS: `${LISTED}, ${LISTED_TOO}` });
  });
  afterAll(() => listing.stop());

  test.each([LISTED, LISTED_TOO])("%s may read every answer, errors too", async (origin) => {
    const { token } = await listing.user();
    for (const [path, status] of [
      ["/health/alive", 200],
      ["/todos", 200],
      ["/todos/999999", 404],
      ["/todos?limit=0", 422],
      ["/nowhere", 404],
      ["/token", 405],
    ] as const) {
      const { status: got, headers } = await listing.call("GET", path, {
        token,
        headers: { origin },
      });
      expect(got).toBe(status);
      expect(headers.get("access-control-allow-origin")).toBe(origin);
      expect(headers.get("vary")).toBe(path === "/todos" ? "Origin, Authorization" : "Origin");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
      const exposed = headers.get("access-control-expose-headers")?.toLowerCase().split(", ");
      expect(exposed).toContainValues(["x-request-id", "etag", "link", "location", "retry-after"]);
    }
  });

  test.each([LISTED, LISTED_TOO])("a preflight from %s tells what it may send", async (origin) => {
    const answer = await listing.call("OPTIONS", "/todos/1", { headers: preflight(origin) });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answer.headers.get("vary")).toBe("Origin");
    const methods = answer.headers.get("access-control-allow-methods")?.split(", ").sort();
    expect(methods).toEqual(allowOf(answer) ?? []);
    expect(methods).toEqual(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH"]);
    const headers = answer.headers.get("access-control-allow-headers")?.toLowerCase().split(", ");
    expect(headers).toContainValues(["authorization", "content-type"]);
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  });

  test.each([
    `https://${CANARY}.example`,
    "http://app.example",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://APP.example",
    `${LISTED}/`,
    `${LISTED}, ${LISTED_TOO}`,
    "null",
    "*",
    "",
  ])("%j is not listed and may read nothing", async (origin) => {
    for (const method of ["GET", "OPTIONS"]) {
      const answer = await listing.call(method, "/health/alive", { headers: preflight(origin) });
      expect(corsOf(answer)).toEqual([]);
      expect(answer.headers.get("vary")).toBe("Origin");
      expectNoCanary(answer, await answer.text());
    }
  });

  test("without an origin nothing is said but Vary", async () => {
    const answer = await listing.call("GET", "/health/alive");
    expect(corsOf(answer)).toEqual([]);
    expect(answer.headers.get("vary")).toBe("Origin");
  });
});

test("what needs no database is answered at once, without a promise", () => {
  for (const path of ["/", "/health/alive"]) {
    const answer = service.app.fetch(new Request(`http://localhost${path}`));
    expect(answer).toBeInstanceOf(Response);
  }
});
