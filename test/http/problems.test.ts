/** The table of errors, on every route with a JSON body: each fault gets its own problem, and changes nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { PASSWORD, type Service, startService } from "../service.ts";
import {
  CANARY,
  type Expected,
  expectNoCanary,
  expectProblem,
  sendRaw,
  stored,
} from "./answers.ts";

const MALFORMED: Expected = [400, "malformed_body"];
const UNAUTHORIZED: Expected = [401, "unauthorized"];
const NOT_FOUND: Expected = [404, "not_found"];
const METHOD: Expected = [405, "method_not_allowed"];
const TOO_LARGE: Expected = [413, "body_too_large"];
const MEDIA_TYPE: Expected = [415, "unsupported_media_type"];
const INVALID: Expected = [422, "validation_failed"];

const KIB_64 = 64 * 1024;
const ADDRESS = `${CANARY}@example.com`;

interface BodyRoute {
  method: string;
  pattern: string;
  /** Its fields. A `?` at the end of a name means that the field is optional. */
  fields: Record<string, keyof typeof badValues>;
  /** A body with a valid form and valid values. */
  body: Record<string, unknown>;
  isPublic?: true;
  /** Whether an object without fields is valid. */
  takesNothing?: true;
  /** Maximum number of bytes; 64 KiB by default. */
  maxBody?: number;
}

const bodyRoutes: BodyRoute[] = [
  {
    method: "POST",
    pattern: "/users/sign-up",
    fields: { username: "text", password: "text", "email?": "email" },
    body: { username: CANARY, password: PASSWORD, email: ADDRESS },
    isPublic: true,
  },
  {
    method: "POST",
    pattern: "/users/log-in",
    fields: { username: "text", password: "text" },
    body: { username: CANARY, password: PASSWORD },
    isPublic: true,
  },
  {
    method: "POST",
    pattern: "/users/refresh",
    fields: { refresh_token: "text" },
    body: { refresh_token: CANARY },
    isPublic: true,
  },
  {
    method: "PUT",
    pattern: "/users/me/password",
    fields: { current_password: "text", new_password: "text" },
    body: { current_password: PASSWORD, new_password: `${CANARY} battery staple` },
  },
  {
    method: "DELETE",
    pattern: "/users/me",
    fields: { password: "text" },
    body: { password: PASSWORD },
  },
  {
    method: "POST",
    pattern: "/users/email/otp",
    fields: { email: "email" },
    body: { email: ADDRESS },
  },
  {
    method: "POST",
    pattern: "/users/email/otp/verify",
    fields: { otp: "text" },
    body: { otp: CANARY },
  },
  {
    method: "POST",
    pattern: "/users/password/otp",
    fields: { email: "email" },
    body: { email: ADDRESS },
    isPublic: true,
  },
  {
    method: "POST",
    pattern: "/users/password/reset",
    fields: { email: "email", otp: "text", new_password: "text" },
    body: { email: ADDRESS, otp: CANARY, new_password: `${CANARY} battery staple` },
    isPublic: true,
  },
  {
    method: "POST",
    pattern: "/todos",
    fields: {
      contents: "text",
      "notes?": "textOrNull",
      "is_done?": "boolean",
      "priority?": "priority",
      "due?": "objectOrNull",
      "repeat?": "objectOrNull",
      "list_id?": "idOrNull",
    },
    body: { contents: CANARY },
  },
  {
    method: "PATCH",
    pattern: "/todos/:id",
    fields: {
      "contents?": "text",
      "notes?": "textOrNull",
      "is_done?": "boolean",
      "priority?": "priority",
      "due?": "objectOrNull",
      "repeat?": "objectOrNull",
    },
    body: { contents: CANARY },
  },
  {
    method: "POST",
    pattern: "/todos/:id/move",
    fields: { "list_id?": "idOrNull", "after?": "idOrNull" },
    body: { after: null },
    takesNothing: true,
  },
  {
    method: "POST",
    pattern: "/todos/batch",
    fields: { operations: "operations" },
    body: { operations: [{ op: "create", contents: CANARY }] },
    maxBody: 4 * KIB_64,
  },
  { method: "POST", pattern: "/lists", fields: { name: "text" }, body: { name: CANARY } },
  { method: "PATCH", pattern: "/lists/:id", fields: { name: "text" }, body: { name: CANARY } },
  {
    method: "POST",
    pattern: "/lists/:id/move",
    fields: { after: "idOrNull" },
    body: { after: null },
  },
];

/** Routes whose method may have a body, but that take none: the body is ignored. */
const bodiless = [
  "POST /users/log-out",
  "DELETE /users/me/sessions",
  "DELETE /users/me/sessions/:id",
  "DELETE /todos/:id",
  "DELETE /lists/:id",
  "POST /trash/:id/restore",
  "DELETE /trash/:id",
  "DELETE /trash",
];
/** It takes a form, and has its own test file. */
const FORM_ROUTE = "POST /token";

const named = ({ method, pattern }: { method: string; pattern: string }) => `${method} ${pattern}`;

let service: Service;
let token: string;
let todoId: number;
let before: string;
/** For requests that succeed, so that the first test of them changes nothing. */
let spare: Service;

beforeAll(async () => {
  [service, spare] = await Promise.all([startService(), startService()]);
  ({ token } = await service.user());
  const todo = await service.call("POST", "/todos", { token, json: { contents: "Water plants" } });
  todoId = (await todo.json()).id;
  await service.call("POST", "/lists", { token, json: { name: "Garden" } });
  before = await stored(service);
});
afterAll(() => Promise.all([service.stop(), spare.stop()]));
// Nothing of a refused request is stored.
afterEach(async () => expect(await stored(service)).toBe(before));

interface Sent {
  body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  /** The media type; null for none. */
  type?: string | null;
  headers?: Record<string, string>;
  query?: string;
  /** The bearer token instead of the valid one; null for none. */
  bearer?: string | null;
}

/** Calls `route` with valid credentials and a valid media type, unless `sent` has others. */
function send({ method, pattern, isPublic }: BodyRoute, sent: Sent): Promise<Response> {
  const { body, type = "application/json", headers, query = "", bearer = token } = sent;
  return service.call(method, pattern.replace(":id", String(todoId)) + query, {
    ...(bearer !== null && !isPublic && { token: bearer }),
    headers: { ...(type !== null && { "content-type": type }), ...headers },
    // For bytes, unlike for a string, `fetch` does not guess the type.
    ...(body !== undefined && { body: typeof body === "string" ? bytes(body) : body }),
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** Its form is correct, so it passes every check of the form. Its values are invalid, so it has no effect. */
const WELL_FORMED = JSON.stringify({ [CANARY]: CANARY });

/** A well-formed body of exactly this many bytes. */
const sized = (size: number) => WELL_FORMED.padEnd(size);

/** An object with objects in it, the innermost at this depth. */
const nestedObjects = (depth: number) =>
  `{"${CANARY}":${'{"a":'.repeat(depth - 2)}{}${"}".repeat(depth - 1)}`;

/** An object with arrays in it, the innermost at this depth. */
const nestedArrays = (depth: number) =>
  `{"${CANARY}":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;

/** Sent in chunks, without a length. */
function streamed(text: string): ReadableStream<Uint8Array> {
  const rest = bytes(text);
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= rest.length) controller.close();
      else controller.enqueue(rest.slice(offset, offset + 10_000));
      offset += 10_000;
    },
  });
}

test("every route with a method that can have a body is in these tables", () => {
  const known = [...bodyRoutes.map(named), ...bodiless, FORM_ROUTE];
  const routes = service.app.routes
    .filter(({ method }) => !["GET", "HEAD", "OPTIONS"].includes(method))
    .map(({ method, path }) => `${method} ${path}`);
  expect(routes.sort()).toEqual(known.sort());
  const withSchema = service.app.routes
    .filter(({ hooks }) => hooks.body !== undefined)
    .map(({ method, path }) => `${method} ${path}`);
  expect(withSchema.sort()).toEqual(bodyRoutes.map(named).sort());
});

const malformed: [name: string, sent: Sent][] = [
  ["text that is not JSON", { body: `{${CANARY}}` }],
  ["truncated JSON", { body: `{"${CANARY}":"${CANARY}` }],
  ["something after the object", { body: `${WELL_FORMED} ${CANARY}` }],
  ["two objects", { body: `${WELL_FORMED}${WELL_FORMED}` }],
  ["single quotes", { body: `{'${CANARY}':1}` }],
  ["a comma at the end", { body: `{"${CANARY}":1,}` }],
  ["a comment", { body: `{"${CANARY}":1} // ${CANARY}` }],
  ["NaN", { body: `{"${CANARY}":NaN}` }],
  ["a raw line break in a string", { body: `{"${CANARY}":"\n"}` }],
  ["an array", { body: `["${CANARY}"]` }],
  ["a string", { body: `"${CANARY}"` }],
  ["null", { body: "null" }],
  ["true", { body: "true" }],
  ["a number", { body: "12345" }],
  ["a form", { body: `username=${CANARY}` }],
  ["a byte that is not UTF-8", { body: latin1(`{"${CANARY}":"\xff"}`) }],
  ["an overlong UTF-8 sequence", { body: latin1(`{"${CANARY}":"\xc0\x80"}`) }],
  ["a surrogate in UTF-8", { body: latin1(`{"${CANARY}":"\xed\xa0\x80"}`) }],
  ["UTF-16", { body: latin1(Array.from(WELL_FORMED, (char) => `${char}\0`).join("")) }],
  ["a byte-order mark", { body: latin1(`\xef\xbb\xbf${WELL_FORMED}`) }],
  ["a NUL byte in a string", { body: `{"${CANARY}":"\0"}` }],
  ["a NUL byte after the object", { body: `${WELL_FORMED}\0` }],
  ["objects nested 33 deep", { body: nestedObjects(33) }],
  ["arrays nested 33 deep", { body: nestedArrays(33) }],
  ["arrays nested 30,000 deep", { body: nestedArrays(30_000) }],
  ["white space alone", { body: " \n" }],
  ["an empty body", { body: "" }],
  ["no body", {}],
  ["no body and no media type", { type: null }],
];

const mediaTypes = [
  "text/plain",
  "text/json",
  "application/jsonp",
  "application/json5",
  "application/x-ndjson",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/problem+json",
  "application/x-www-form-urlencoded",
  `multipart/form-data; boundary=${CANARY}`,
  "application/octet-stream",
  "application/json; charset=utf-16",
  "application/json; charset=iso-8859-1",
  "application/json; charset=utf-8; charset=utf-16",
  "application/json, text/plain",
  "application/json text/plain",
  `application/${CANARY}`,
  "json",
  "*/*",
];

/** What no string may contain. */
const badText: [name: string, value: unknown][] = [
  ["a NUL escape", `${CANARY}\u0000`],
  ["a control character", `${CANARY}\u001f`],
  ["a carriage return", `${CANARY}\r\n`],
  ["DEL", `${CANARY}\u007f`],
  ["a C1 control character", `${CANARY}\u0085`],
  ["a lone high surrogate", `${CANARY}\ud83d`],
  ["a lone low surrogate", `\ude00${CANARY}`],
  ["surrogates the wrong way round", `${CANARY}\ude00\ud83d`],
  ["an empty string", ""],
  ["10,001 characters", CANARY.padEnd(10_001, "x")],
  ["an integer", 5],
  ["a boolean", true],
  ["null", null],
  ["an empty array", []],
  ["an array", [CANARY]],
  ["an empty object", {}],
  ["an object", { [CANARY]: CANARY }],
];
const badBoolean: [name: string, value: unknown][] = [
  ["a word", CANARY],
  ['"true"', "true"],
  ['"false"', "false"],
  ["an empty string", ""],
  ["1", 1],
  ["0", 0],
  ["null", null],
  ["an empty array", []],
  ["an array", [true]],
  ["an object", { [CANARY]: true }],
];

const badPriority: [name: string, value: unknown][] = [
  ["-1", -1],
  ["4", 4],
  ["1.5", 1.5],
  ['"1"', "1"],
  ["true", true],
  ["null", null],
  ["a word", CANARY],
  ["an array", [1]],
  ["an object", { [CANARY]: 1 }],
];

const badId: [name: string, value: unknown][] = [
  ["0", 0],
  ["-1", -1],
  ["1.5", 1.5],
  ["2^53", 2 ** 53],
  ['"1"', "1"],
  ["true", true],
  ["a word", CANARY],
  ["an array", [1]],
  ["an object", { [CANARY]: 1 }],
];

/** Values that are not objects. `test/todos` has objects with invalid content. */
const badObject: [name: string, value: unknown][] = [
  ["a word", CANARY],
  ["an empty string", ""],
  ["a number", 1],
  ["false", false],
  ["an empty array", []],
  ["an array", [{ [CANARY]: 1 }]],
  ["an object with a field that it does not know", { [CANARY]: CANARY }],
];

/** Values that are not lists of operations. `test/todos/batch.test.ts` has lists with invalid content. */
const badOperations: [name: string, value: unknown][] = [
  ["null", null],
  ["a word", CANARY],
  ["an object", { op: "create", contents: CANARY }],
  ["an empty array", []],
  ["101 operations", Array.from({ length: 101 }, () => ({ op: "create", contents: CANARY }))],
];

/** What an e-mail address must not be, in addition to that. */
const badEmail: [name: string, value: unknown][] = [
  ["without @", CANARY],
  ["without a local part", "@example.com"],
  ["without a domain", `${CANARY}@`],
  ["with two @", `${CANARY}@example.com@example.org`],
  ["255 characters long", `${CANARY}@${`${"x".repeat(59)}.`.repeat(4)}xxxxx`],
  ["two addresses, by a comma", `${ADDRESS},eve@example.org`],
  ["two addresses, by a semicolon", `${ADDRESS};eve@example.org`],
  ["two addresses, by a space", `${ADDRESS} eve@example.org`],
  ["two addresses in a list", [ADDRESS, "eve@example.org"]],
  ["a group", `friends:${ADDRESS},eve@example.org;`],
  ["a header in a second line", `${ADDRESS}\r\nBcc: eve@example.org`],
  ["followed by CR", `${ADDRESS}\r`],
  ["followed by LF", `${ADDRESS}\n`],
  ["with LF within", `${CANARY}\n@example.com`],
  ["folded", `${CANARY}@\r\n example.com`],
  ["a comment and an address", `(${CANARY})${ADDRESS}`],
  ["an address and a comment", `${ADDRESS} (${CANARY})`],
  ["with a comment within", `${CANARY}(eve)@example.com`],
  ["with a display name", `Mina <${ADDRESS}>`],
  ["in angle brackets", `<${ADDRESS}>`],
  ["with an SMTP parameter", `${ADDRESS}> NOTIFY=SUCCESS`],
  ["with a source route", `@a.example:${ADDRESS}`],
  ["quoted", `"${CANARY}"@example.com`],
  ["quoted, with @ within", `"${CANARY}@example.org"@example.com`],
  ["with a backslash", `${CANARY}\\@example.com`],
  ["a URL", `mailto:${ADDRESS}`],
  ["after a space", ` ${ADDRESS}`],
  ["before a space", `${ADDRESS} `],
  ["with a dot at the start", `.${ADDRESS}`],
  ["with a dot before the @", `${CANARY}.@example.com`],
  ["with two dots", `${CANARY}..${ADDRESS}`],
  ["with two dots in the domain", `${CANARY}@example..com`],
  ["with a dot at the end", `${ADDRESS}.`],
  ["at a domain with a hyphen first", `${CANARY}@-example.com`],
  ["at a domain with an underscore", `${CANARY}@exa_mple.com`],
  ["at a label of 64 characters", `${CANARY}@${"x".repeat(64)}.com`],
  // In lower case this is k, and so it would be the address of somebody else.
  ["with a Kelvin sign", `\u212a${ADDRESS}`],
  ["with a full-width letter", `${CANARY}\uff4d@example.com`],
  ["with a zero-width space", `${CANARY}\u200b@example.com`],
  ["with a full-width @", `${CANARY}\uff20example.com`],
];
const badValues = {
  text: badText,
  textOrNull: badText.filter(([, value]) => value !== null),
  email: [...badText, ...badEmail],
  boolean: badBoolean,
  priority: badPriority,
  idOrNull: badId,
  objectOrNull: badObject,
  operations: badOperations,
};

const unknownFields = [
  "id",
  "user_id",
  "created_at",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "",
  "\\u0000",
  "\\ud800",
  "a/b",
  CANARY,
];

describe.each(bodyRoutes.map((route) => [named(route), route] as const))("%s", (_, route) => {
  const names = Object.keys(route.fields).map((name) => name.replace("?", ""));
  const required = Object.keys(route.fields).filter((name) => !name.endsWith("?"));
  const sendJson = (json: unknown) => send(route, { body: JSON.stringify(json) });
  const { maxBody = KIB_64 } = route;

  test.each(malformed)("%s is malformed_body", async (_name, sent) => {
    await expectProblem(await send(route, sent), MALFORMED);
  });

  test.each([
    ["objects nested 32 deep", { body: nestedObjects(32) }],
    ["arrays nested 32 deep", { body: nestedArrays(32) }],
    ["white space around", { body: `\r\n\t ${WELL_FORMED}\r\n\t ` }],
  ] as [string, Sent][])("%s is well formed", async (_name, sent) => {
    await expectProblem(await send(route, sent), INVALID);
  });

  test.each(mediaTypes)("%s is unsupported_media_type", async (type) => {
    await expectProblem(await send(route, { body: WELL_FORMED, type }), MEDIA_TYPE);
  });

  test("a body without a media type is unsupported_media_type", async () => {
    await expectProblem(await send(route, { body: WELL_FORMED, type: null }), MEDIA_TYPE);
  });

  test.each([
    "APPLICATION/JSON",
    "Application/Json;Charset=Utf-8",
    "application/json;charset=UTF-8",
    'application/json ; charset="utf-8"',
  ])("%s is taken", async (type) => {
    await expectProblem(await send(route, { body: WELL_FORMED, type }), INVALID);
  });

  test.each(["gzip", "br", "identity", CANARY])(
    "Content-Encoding: %s is refused",
    async (coding) => {
      const headers = { "content-encoding": coding };
      await expectProblem(
        await send(route, { body: Bun.gzipSync(WELL_FORMED), headers }),
        MEDIA_TYPE,
      );
    },
  );

  test(`${maxBody} bytes are taken, with a length or streamed`, async () => {
    await expectProblem(await send(route, { body: sized(maxBody) }), INVALID);
    await expectProblem(await send(route, { body: streamed(sized(maxBody)) }), INVALID);
  });

  test("a byte more is body_too_large, with a length or streamed", async () => {
    await expectProblem(await send(route, { body: sized(maxBody + 1) }), TOO_LARGE);
    await expectProblem(await send(route, { body: streamed(sized(maxBody + 1)) }), TOO_LARGE);
  });

  // Bun never settles a cancelled stream of such a request when more of it has already arrived.
  test.each([
    ["a short host", "", "api"],
    ["an empty query", "?", "localhost"],
    ["a fragment", "#x", "localhost"],
  ])("a byte more is body_too_large with %s, in many chunks at once", async (_, suffix, host) => {
    const path = route.pattern.replace(":id", String(todoId)) + suffix;
    const head = `${route.method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n`;
    const type = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    const chunks = `3e8\r\n${" ".repeat(1000)}\r\n`.repeat(maxBody / 1000 + 40);
    await expectProblem(await sendRaw(service, `${head}${type}${chunks}0\r\n\r\n`), TOO_LARGE);
  });

  test("a body that is declared too large is refused before it is sent", async () => {
    const path = route.pattern.replace(":id", String(todoId));
    const head = `${route.method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
    const declared = `Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`;
    await expectProblem(await sendRaw(service, head + declared), TOO_LARGE);
  });

  test.each(unknownFields)('an unknown field "%s" is validation_failed', async (name) => {
    const body = `{"${name}":"${CANARY}",${JSON.stringify(route.body).slice(1)}`;
    const [fault, ...others] = await expectProblem(await send(route, { body }), INVALID);
    expect(others).toEqual([]);
    // The body as a whole: a pointer to the field would repeat its name.
    expect(fault?.pointer).toBe("");
  });

  if (!route.takesNothing) {
    test("no fields at all is validation_failed, with a pointer to each that is required", async () => {
      const faults = await expectProblem(await send(route, { body: "{}" }), INVALID);
      const pointers = required.map((name) => `/${name}`);
      expect(faults.map(({ pointer }) => pointer)).toEqual(required.length > 0 ? pointers : [""]);
    });
  }

  for (const name of required) {
    test(`${name} is required`, async () => {
      const { [name]: _left, ...rest } = route.body;
      const faults = await expectProblem(await sendJson(rest), INVALID);
      expect(faults.map(({ pointer }) => pointer)).toEqual([`/${name}`]);
    });
  }

  for (const name of names) {
    const kind = route.fields[name] ?? route.fields[`${name}?`] ?? "text";
    test.each(badValues[kind])(
      `${name} is validation_failed when it is %s`,
      async (_name, value) => {
        const answer = await sendJson({ ...route.body, [name]: value });
        const faults = await expectProblem(answer, INVALID);
        // Some of an object's own fields may be invalid.
        expect(new Set(faults.map(({ pointer }) => pointer?.split("/")[1]))).toEqual(
          new Set([name]),
        );
      },
    );
  }

  test("what fails first is told, and it alone", async () => {
    const everything = {
      body: sized(maxBody + 1).replace("{", "("),
      type: "text/plain",
      query: `?${CANARY}=1`,
      bearer: CANARY,
    };
    const nowhere = { ...route, pattern: `${route.pattern}/${CANARY}/nowhere` };
    await expectProblem(await send(nowhere, everything), NOT_FOUND);
    await expectProblem(await send({ ...route, method: "REPORT" }, everything), METHOD);
    await expectProblem(await send(route, everything), TOO_LARGE);
    await expectProblem(await send(route, { ...everything, body: `(${CANARY}` }), MEDIA_TYPE);
    const wellTyped = { ...everything, type: "application/json" };
    await expectProblem(await send(route, { ...wellTyped, body: `(${CANARY}` }), MALFORMED);
    await expectProblem(
      await send(route, { ...wellTyped, body: WELL_FORMED }),
      route.isPublic ? INVALID : UNAUTHORIZED,
    );
    await expectProblem(
      await send(route, { ...wellTyped, body: WELL_FORMED, bearer: null }),
      route.isPublic ? INVALID : UNAUTHORIZED,
    );
    await expectProblem(
      await send(route, { ...wellTyped, body: WELL_FORMED, bearer: token }),
      INVALID,
    );
  });
});

test("bad values are told before an unknown id", async () => {
  const call = (json: unknown) => service.call("PATCH", "/todos/999999", { token, json });
  await expectProblem(await call({}), INVALID);
  await expectProblem(await call({ is_done: CANARY }), INVALID);
  await expectProblem(await call({ is_done: true }), [404, "todo_not_found"]);
});

describe.each(bodiless)("%s", (route) => {
  const [method = "", pattern = ""] = route.split(" ");

  test.each([
    ["not JSON", "application/json", CANARY],
    ["of another type", "text/plain", CANARY],
    ["larger than 64 KiB", "application/json", sized(2 * KIB_64)],
    ["a broken form", "multipart/form-data", CANARY],
  ])("ignores a body that is %s", async (_name, type, body) => {
    const other = await spare.user();
    const json = { contents: "Not for long" };
    const todo = await (await spare.call("POST", "/todos", { token: other.token, json })).json();
    const name = { name: "Not for long" };
    const list = await spare.call("POST", "/lists", { token: other.token, json: name });
    const mine = await spare.call("GET", "/users/me/sessions", { token: other.token });
    const { sessions } = await mine.json();
    const ids: Record<string, unknown> = {
      todos: todo.id,
      trash: todo.id,
      lists: (await list.json()).id,
      users: sessions[0].id,
    };
    if (pattern.startsWith("/trash")) {
      await spare.call("DELETE", `/todos/${todo.id}`, { token: other.token });
    }
    const id = String(ids[pattern.split("/")[1] ?? ""]);
    const answer = await spare.call(method, pattern.replace(":id", id), {
      token: other.token,
      headers: { "content-type": type },
      body,
    });
    expect(answer.status).toBe(pattern.endsWith("/restore") ? 200 : 204);
    expectNoCanary(answer, await answer.text());
  });
});
