/**
 * Shared by the tests of this folder: the form of an error, the stored rows, and requests that are written byte by
 * byte.
 */
import { expect } from "bun:test";
import { connect } from "node:net";
import type { Service } from "../service.ts";

/** Sent in names and values that are refused. No answer may contain it, in upper or lower case. */
export const CANARY = "Zq7canary";

/** RFC 9110 §15. */
const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** The two challenges: without credentials, and with invalid ones (RFC 6750 §3). */
export const CHALLENGE = 'Bearer realm="todos"';
export const INVALID_TOKEN = 'Bearer realm="todos", error="invalid_token"';

/** An error as `[status, code]`, for a table of them. */
export type Expected = readonly [status: number, code: string];

/**
 * Asserts that `answer` is the problem (RFC 9457) with this status and code, that it is complete, and that it repeats
 * nothing from the request.
 * @returns its `errors`; empty unless the status is 422
 */
export async function expectProblem(answer: Response, [status, code]: Expected) {
  const text = await answer.text();
  expect(`${answer.status} ${text}`).toStartWith(`${status} {`);
  expectNoCanary(answer, text);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expectEveryAnswerHeaders(answer);
  const { detail, errors, ...members } = JSON.parse(text);
  expect(members).toEqual({
    type: "about:blank",
    title: TITLES[status],
    status,
    code,
    instance: `urn:request:${answer.headers.get("x-request-id")}`,
  });
  expect(detail).toMatch(/^[A-Z].*\.$/);
  expect(errors !== undefined).toBe(status === 422);
  expect(answer.headers.has("www-authenticate")).toBe(status === 401);
  expect(answer.headers.has("allow")).toBe(status === 405);
  expect(answer.headers.has("retry-after")).toBe(status === 429 || status === 503);
  const faults: { pointer?: string; parameter?: string; detail: string }[] = errors ?? [];
  for (const { pointer, parameter, detail: fault, ...rest } of faults) {
    expect(rest).toEqual({});
    expect(fault).toMatch(/\S/);
    expect([typeof pointer, typeof parameter].sort()).toEqual(["string", "undefined"]);
  }
  if (status === 422) expect(faults).not.toEqual([]);
  return faults;
}

/** Asserts the headers that every answer must have. */
export function expectEveryAnswerHeaders({ headers }: Response): void {
  expect(headers.get("x-request-id")).toMatch(/^[\w.:-]{1,128}$/);
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("referrer-policy")).toBe("no-referrer");
  expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
}

/** Asserts that nothing from the request is in the body or in a header. */
export function expectNoCanary(answer: Response, body: string): void {
  const whole = JSON.stringify([...answer.headers, body]).toLowerCase();
  expect(whole).not.toContain(CANARY.toLowerCase());
}

/** Everything in an answer except its request id and date. */
export async function whole(answer: Response) {
  const { status, headers } = answer;
  const id = headers.get("x-request-id") ?? "";
  const names = [...headers].filter(([name]) => name !== "x-request-id" && name !== "date");
  return { status, headers: names, body: (await answer.text()).replace(id, "") };
}

const TABLES = [
  "users",
  "sessions",
  "todos",
  "trash",
  "lists",
  "deletions",
  "ttl",
  "kept_answers",
  "outbox",
];

/** All rows of the given tables, by default of those that requests write to, to compare before and after. */
export async function stored({ services }: Service, names = TABLES): Promise<string> {
  const tables = await services.database.$client.batch(
    names.map((table) => `SELECT * FROM ${table} ORDER BY 1, 2`),
    "read",
  );
  return JSON.stringify(tables.map(({ rows }) => rows.map((row) => Object.values(row))));
}

/**
 * Sends `request` unchanged, because `fetch` would correct it or refuse to send it. Parses the first answer. The
 * request should have `Connection: close`, unless the answer ends the connection anyway.
 */
export async function sendRaw({ url }: Service, request: string): Promise<Response> {
  const { hostname, port } = new URL(url);
  const text = await new Promise<string>((resolve, reject) => {
    let received = "";
    const socket = connect(Number(port), hostname, () => socket.write(request, "latin1"));
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      received += chunk;
      // Deno keeps the connection open for a body that was declared but does not arrive.
      const [head = "", body = ""] = received.split(/(?<=\r\n\r\n)/);
      const length = /^content-length: *(\d+)/im.exec(head)?.[1];
      if (length !== undefined && Buffer.byteLength(body) >= Number(length)) socket.end();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
  });
  const [head = "", ...body] = text.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const status = Number(statusLine.split(" ")[1]);
  const bodiless = status === 204 || /^HEAD /.test(request);
  return new Response(bodiless ? null : body.join("\r\n\r\n"), { status, headers });
}
