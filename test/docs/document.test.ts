/**
 * Compares the service with its OpenAPI document, as Schemathesis does: sends generated requests to every operation,
 * valid and invalid ones, and compares each answer with the answers that the document allows.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { sendRaw } from "../http/answers.ts";
import { createGenerator, type Generator } from "../http/generate.ts";
import {
  badRequests,
  type GeneratedRequest,
  goodBody,
  goodRequests,
  type Owner,
  oddRequests,
  ownRequests,
  takesJson,
} from "../http/requests.ts";
import { PASSWORD, type Service, startService } from "../service.ts";
import {
  closed,
  codesOf,
  faultsOf,
  type Operation,
  operationsOf,
  readDocument,
  type Schema,
} from "./document.ts";

interface Answer extends Pick<GeneratedRequest, "kind" | "label"> {
  operation: Operation;
  status: number;
  headers: Headers;
  text: string;
}

const NOT_TOKENS = ["Bearer", "Bearer x", "Bearer a.b.c", "Basic bWluYTptaW5h", "Token x"];
const COMMON_PASSWORD = "password123";
/** Headers that only some answers have. */
const TELLING = ["allow", "link", "location", "retry-after", "www-authenticate"];

/** Limits for todos and lists: low enough to be reached. */
const LIMIT = 12;

let service: Service;
/** The service in its normal state. */
const answers: Answer[] = [];
/**
 * The service when its database has lost its tables, when the database accepts no writes, and when the service is about
 * to stop.
 */
const answersInTrouble: Answer[] = [];

beforeAll(async () => {
  service = await startService({
    TODOS_PER_USER: String(LIMIT),
    LISTS_PER_USER: String(LIMIT),
    CHANGES_TTL: "60",
  });
  const operations = operationsOf(await readDocument(service));
  // In parallel, because most of the time is spent on hashing passwords.
  await Promise.all(operations.map((operation, seed) => drive(operation, createGenerator(seed))));
  await changeAddress(operations);
  await spendBudgets(operations);

  answers.push(...(await besides(operations)));

  const { database, drain } = service.services;
  const owners = new Map<Operation, Owner>();
  for (const operation of operations) owners.set(operation, await ownerFor(operation.path));
  async function inTrouble() {
    for (const [operation, owner] of owners) {
      const [request] = ownRequests(operation, owner, createGenerator(0));
      if (request) answersInTrouble.push(await send(operation, owner, request));
    }
  }
  const tables = ["todos", "trash", "lists", "sessions", "users", "ttl"];
  for (const table of tables) {
    await database.$client.execute(`ALTER TABLE ${table} RENAME TO lost_${table}`);
  }
  await inTrouble();
  for (const table of tables) {
    await database.$client.execute(`ALTER TABLE lost_${table} RENAME TO ${table}`);
  }
  await database.$client.execute("PRAGMA query_only = ON");
  await inTrouble();
  void drain.begin();
  await inTrouble();
}, 60_000);
afterAll(() => service.stop());

/** Sends an operation all kinds of requests. */
async function drive(operation: Operation, generator: Generator): Promise<void> {
  const { path } = operation;
  let owner = await ownerFor(path);
  for (const values of [{}, { password: COMMON_PASSWORD, new_password: COMMON_PASSWORD }]) {
    owner = await ownerFor(path);
    Object.assign(owner.values, values);
    for (const request of ownRequests(operation, owner, generator)) {
      answers.push(await send(operation, owner, request));
    }
  }
  owner = await ownerFor(path);
  for (const request of [
    ...goodRequests(operation, generator),
    ...badRequests(operation, generator),
    ...oddRequests(operation, generator),
  ]) {
    const answer = await send(operation, owner, request);
    answers.push(answer);
    // The request may have ended the session.
    if (answer.status === 204) owner = await ownerFor(path);
  }
  const { token } = await service.user();
  await service.call("POST", "/users/log-out", { token });
  const body = goodBody(operation, generator);
  const ended = `Bearer ${token}`;
  for (const authorization of ["", ...NOT_TOKENS, ended]) {
    const headers = { ...(authorization !== "" && { authorization }) };
    const label = authorization === ended ? "as an ended session" : `as "${authorization}"`;
    answers.push(await send(operation, undefined, { kind: "other", label, headers, body }));
  }
  const head = `${operation.method} ${path.replace("{id}", "1")} HTTP/1.1`;
  const raw = await sendRaw(service, `${head}\r\nHost: a b\r\nConnection: close\r\n\r\n`);
  answers.push(await toAnswer(operation, { kind: "other", label: "no host" }, raw));
}

/** Asks to verify another address than the verified one, without the password. */
async function changeAddress(operations: Operation[]): Promise<void> {
  const operation = operations.find(({ path }) => path === "/users/email/otp");
  if (!operation) throw new Error("No such operation");
  const owner = await ownerFor("/users/password/reset");
  const body = JSON.stringify({ email: "another@example.com" });
  answers.push(await send(operation, owner, { kind: "good", label: "another address", body }));
}

/** Sends valid requests to a service with very low limits for a network. */
async function spendBudgets(operations: Operation[]): Promise<void> {
  const whole = service;
  const limits = ["FAILED_LOG_INS_PER_HOUR", "SIGN_UPS_PER_HOUR", "MAILS_PER_HOUR"];
  service = await startService(Object.fromEntries(limits.map((name) => [name, "1"])));
  try {
    const owner = await ownerFor("/users");
    for (const [seed, operation] of operations.entries()) {
      if (!operation.requestBody || operation.method !== "POST") continue;
      for (const request of goodRequests(operation, createGenerator(seed))) {
        answers.push(await send(operation, owner, request));
      }
    }
  } finally {
    await service.stop();
    service = whole;
  }
}

async function send(operation: Operation, owner: Owner | undefined, request: GeneratedRequest) {
  const { id = owner?.id ?? "1", query = {}, headers, body } = request;
  const path = operation.path.replace("{id}", encodeURIComponent(id));
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]) => [name, `${value}`]),
  );
  const answer = await service.call(
    operation.method,
    `${path}${search.size > 0 ? `?${search}` : ""}`,
    {
      ...(owner && { token: owner.token }),
      ...(body !== undefined && { body }),
      headers: { ...(takesJson(operation) && { "content-type": "application/json" }), ...headers },
    },
  );
  return toAnswer(operation, request, answer);
}

async function toAnswer(
  operation: Operation,
  { kind, label }: GeneratedRequest,
  answer: Response,
): Promise<Answer> {
  const { status, headers } = answer;
  return { operation, kind, label, status, headers, text: await textOf(answer) };
}

/** The whole body or, for a stream that continues, its beginning. */
async function textOf(answer: Response): Promise<string> {
  if (answer.headers.get("content-type") !== "text/event-stream") return answer.text();
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = (await reader?.read()) ?? {};
  await reader?.cancel();
  return value;
}

/** A new user with the rows that an operation at `path` can use. */
async function ownerFor(path: string): Promise<Owner> {
  const { token, refresh_token, username } = await service.user();
  const email = `${username}@example.com`;
  const values: Owner["values"] = {
    username,
    password: PASSWORD,
    current_password: PASSWORD,
    new_password: "quiet river lantern",
    refresh_token,
    grant_type: "password",
  };
  const post = (to: string, json: object) => service.call("POST", to, { token, json });
  if (path.startsWith("/lists")) {
    const { id } = await (await post("/lists", { name: "Garden" })).json();
    return { token, id: String(id), values };
  }
  if (path.startsWith("/todos") || path.startsWith("/trash")) {
    const { id } = await (await post("/todos", { contents: "Sweep" })).json();
    const other = await (await post("/todos", { contents: "Dust" })).json();
    if (path.startsWith("/trash")) {
      for (const each of [id, other.id]) await service.call("DELETE", `/todos/${each}`, { token });
    }
    if (path === "/todos/changes" || path === "/todos/events") {
      const { next } = await (await service.call("GET", "/todos/changes", { token })).json();
      values.since = next;
    }
    const page = await service.call("GET", `/${path.split("/")[1]}?limit=1`, { token });
    values.limit = 1;
    values.cursor = (await page.json()).next_cursor;
    return { token, id: String(id), values };
  }
  if (path.includes("/sessions")) {
    const { sessions } = await (await service.call("GET", "/users/me/sessions", { token })).json();
    return { token, id: sessions[0].id, values };
  }
  if (path === "/users/email/otp/verify" || path === "/users/password/reset") {
    await post("/users/email/otp", { email });
    values.otp = await service.nextOtp(email);
  }
  if (path === "/users/password/reset") {
    await post("/users/email/otp/verify", { otp: values.otp });
    await post("/users/password/otp", { email });
    values.email = email;
    values.otp = await service.nextOtp(email);
  }
  return { token, id: "1", values };
}

/** Requests that no schema describes. */
async function besides(operations: Operation[]): Promise<Answer[]> {
  return [
    ...(await conditional(operations)),
    ...(await withoutList(operations)),
    ...(await expired(operations)),
    ...(await underOneKey(operations)),
    ...(await withoutPlace(operations)),
  ];
}

/** Sends an entity tag to each operation that accepts one: a matching one and others. */
function conditional(operations: Operation[]): Promise<Answer[]> {
  const headers = { "If-None-Match": "*", "If-Match": '"0"' };
  const taken = operations.flatMap((operation) =>
    Object.entries(headers)
      .filter(([name]) => operation.parameters.some((parameter) => parameter.name === name))
      .map(([name, tag]) => ({ operation, headers: { [name]: tag } })),
  );
  return Promise.all(
    taken.map(async ({ operation, headers }) => {
      const owner = await ownerFor(operation.path);
      const body = goodBody(operation, createGenerator(0));
      return send(operation, owner, { kind: "other", label: "conditional", headers, body });
    }),
  );
}

/**
 * Sends a key that was already used to each operation that accepts one: with the same request, with another one, and
 * when the answer is no longer kept.
 */
async function underOneKey(operations: Operation[]): Promise<Answer[]> {
  const keyed = operations.filter(({ parameters }) =>
    parameters.some(({ name }) => name === "Idempotency-Key"),
  );
  const repeats: (() => Promise<Answer>)[] = [];
  const answers = await Promise.all(
    keyed.map(async (operation) => {
      const owner = await ownerFor(operation.path);
      const headers = { "Idempotency-Key": "once" };
      const body = goodBody(operation, createGenerator(1));
      const same = { kind: "other", label: "under one key", headers, body } as const;
      const first = await send(operation, owner, same);
      const again = await send(operation, owner, same);
      const other = JSON.stringify({ contents: "of another request" });
      await service.call("POST", "/todos", {
        token: owner.token,
        headers: { ...headers, "content-type": "application/json", "Idempotency-Key": "other" },
        body: other,
      });
      const reused = await send(operation, owner, {
        ...same,
        headers: { "Idempotency-Key": "other" },
      });
      repeats.push(() => send(operation, owner, same));
      return [first, again, reused];
    }),
  );
  await service.services.database.$client.execute("DELETE FROM kept_answers");
  return [...answers.flat(), ...(await Promise.all(repeats.map((repeat) => repeat())))];
}

/** Opens as many streams as a user may have, and one more. */
async function withoutPlace(operations: Operation[]): Promise<Answer[]> {
  const operation = operations.find(({ operationId }) => operationId === "listenForChanges");
  if (!operation) throw new Error("No such operation");
  const owner = await ownerFor(operation.path);
  const listening = await Promise.all(
    Array.from({ length: 5 }, () => service.call("GET", operation.path, owner)),
  );
  const refused = await send(operation, owner, { kind: "other", label: "sixth" });
  await Promise.all(listening.map(textOf));
  return [refused];
}

/** Continues from a cursor that is too old. */
async function expired(operations: Operation[]): Promise<Answer[]> {
  const owner = await ownerFor("/todos/changes");
  const { next } = await (await service.call("GET", "/todos/changes", owner)).json();
  service.passSeconds(service.config.changesTtl);
  const going = operations.filter(({ parameters }) =>
    parameters.some(({ name }) => name === "since"),
  );
  const query = { since: next };
  return Promise.all(
    going.map((operation) => send(operation, owner, { kind: "other", label: "expired", query })),
  );
}

/**
 * Names a list that does not exist, and ticks off a todo that repeats when the user has the maximum number of todos.
 */
async function withoutList(operations: Operation[]): Promise<Answer[]> {
  const owner = await ownerFor("/todos");
  const add = (json: object) => service.call("POST", "/todos", { token: owner.token, json });
  const repeat = { every: 1, unit: "day", from: "due" };
  const { id } = await (await add({ contents: "x", due: { date: "2026-11-30" }, repeat })).json();
  while ((await add({ contents: "x" })).status === 201);
  const bodies: Record<string, object> = {
    createTodo: { contents: "x", list_id: 999_999 },
    moveTodo: { list_id: 999_999 },
    updateTodo: { is_done: true },
  };
  const meant = operations.filter(({ operationId }) => bodies[operationId]);
  return Promise.all(
    meant.map((operation) => {
      const body = JSON.stringify(bodies[operation.operationId]);
      return send(operation, owner, { kind: "other", label: "beside", id: String(id), body });
    }),
  );
}

/** Asserts that `faultOf` finds no fault in any answer. It returns a description of the fault. */
function expectNone(of: Answer[], faultOf: (answer: Answer) => string): void {
  expect(of.length).toBeGreaterThan(40);
  const faults = of.flatMap((answer) => {
    const fault = faultOf(answer);
    if (fault === "") return [];
    return [`${answer.operation.operationId}, ${answer.label}: ${answer.status}, ${fault}`];
  });
  expect(faults).toEqual([]);
}

const all = () => [...answers, ...answersInTrouble];
const documented = ({ operation, status }: Answer) => operation.responses[status];
const mediaType = ({ headers }: Answer) => headers.get("content-type")?.split(";")[0];
/** The code of an error, from a problem or from OAuth's format. */
function codeOf({ text, status }: Answer): string {
  if (status < 400) return "";
  const { code, error } = JSON.parse(text);
  return code ?? error;
}

/** The same, and the codes of the operations of a batch, because each of them is refused by itself. */
function codesIn(answer: Answer): string[] {
  if (answer.status !== 200 || answer.operation.operationId !== "changeTodos") {
    return [codeOf(answer)];
  }
  const { results }: { results: { problem?: { code: string } }[] } = JSON.parse(answer.text);
  return results.map(({ problem }) => problem?.code ?? "");
}

test("every answer has a status that the document lists", () => {
  expectNone(all(), (answer) => (documented(answer) ? "" : `not listed: ${answer.text}`));
});

test("every answer has a media type that the document lists, and none where there is no body", () => {
  expectNone(all(), (answer) => {
    const types = Object.keys(documented(answer)?.content ?? {});
    const type = mediaType(answer);
    if (types.length === 0) return type === undefined && answer.text === "" ? "" : `${type}`;
    return types.includes(type ?? "") ? "" : `${type}`;
  });
});

test("every body fits its schema, and has nothing that the schema does not name", () => {
  const schemas = new Map<Schema, Schema>();
  expectNone(all(), (answer) => {
    const schema = documented(answer)?.content?.[mediaType(answer) ?? ""]?.schema;
    if (!schema) return "";
    const whole = schemas.get(schema) ?? closed(schema);
    schemas.set(schema, whole);
    const isJson = mediaType(answer)?.endsWith("json");
    return faultsOf(whole, isJson ? JSON.parse(answer.text) : answer.text);
  });
});

test("every error has a code that the document lists for it", () => {
  const errors = all().filter(({ status }) => status >= 400);
  expectNone(errors, (answer) => {
    const listed = documented(answer);
    return listed && codesOf(listed).includes(codeOf(answer)) ? "" : codeOf(answer);
  });
});

test("every answer has the headers that the document promises, and of those that tell something no other", () => {
  expectNone(all(), (answer) => {
    const headers = Object.entries(documented(answer)?.headers ?? {});
    const faults = headers.map(([name, { required = false, schema }]) => {
      const value = answer.headers.get(name);
      const fault = value === null && !required ? "" : faultsOf(schema, value);
      return fault && `${name}: ${fault}`;
    });
    const names = headers.map(([name]) => name.toLowerCase());
    const surplus = TELLING.filter((name) => answer.headers.has(name) && !names.includes(name));
    return [...faults, ...surplus].filter(Boolean).join(", ");
  });
});

test("a request that the document allows is never refused as invalid", () => {
  const refusals = ["validation_failed", "malformed_body", "unsupported_media_type", "not_found"];
  const good = answers.filter(({ kind }) => kind === "good");
  expectNone(good, (answer) => (refusals.includes(codeOf(answer)) ? answer.text : ""));
});

test("a request that the document's schemas refuse is refused as invalid", () => {
  const bad = answers.filter(({ kind }) => kind === "bad");
  const isRefusal = (code: string) => code === "validation_failed" || code === "malformed_body";
  expectNone(bad, (answer) => (codesIn(answer).some(isRefusal) ? "" : answer.text));
});

test("no request makes the service fail", () => {
  expectNone(answers, ({ status, text }) => (status < 500 ? "" : text));
});

test("every answer that the document lists can be got", () => {
  const { length } = answers;
  expect(length).toBeGreaterThan(1000);
  const got = new Set(
    all().map((answer) => `${answer.operation.operationId} ${answer.status} ${codeOf(answer)}`),
  );
  const operations = new Set(answers.map(({ operation }) => operation));
  const never = [...operations].flatMap(({ operationId, responses }) =>
    Object.entries(responses).flatMap(([status, response]) => {
      const listed = Number(status) < 400 ? [""] : codesOf(response);
      return listed
        .map((code) => `${operationId} ${status} ${code}`)
        .filter((one) => !got.has(one));
    }),
  );
  // An unexpected error can happen everywhere, but it cannot be provoked here.
  const unforeseen = ["isAlive", "isReady", "ping"].map((id) => `${id} 500 internal_error`);
  expect(never.sort()).toEqual(unforeseen);
});
