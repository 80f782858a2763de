/** The OpenAPI document: whole, in order, and with words and examples that are worth reading. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { RE2JS } from "re2js";
import { catalogue } from "../../src/http/problem.ts";
import { type Service, startService } from "../service.ts";
import {
  type Document,
  faultsOf,
  inputsOf,
  namedSchemas,
  type Operation,
  operationsOf,
  readDocument,
  type Schema,
} from "./document.ts";

let service: Service;
let document: Document;
let operations: Operation[];
beforeAll(async () => {
  service = await startService();
  document = await readDocument(service);
  operations = operationsOf(document);
});
afterAll(() => service.stop());

const named = (operationId: string) => {
  const operation = operations.find((each) => each.operationId === operationId);
  if (!operation) throw new Error(`No operation ${operationId}`);
  return operation;
};

/** What Swagger UI fills in: the first example of each field, or of the whole. */
function exampleOf({ examples, properties }: Schema): Record<string, unknown> {
  if (examples?.[0]) return Object(examples[0]);
  return Object.fromEntries(
    Object.entries(properties ?? {}).map(([name, field]) => [name, field.examples?.[0]]),
  );
}

interface CallOptions {
  token?: string;
  /** Over the document's example. */
  json?: object;
  query?: string;
}

/** Sends what the document has for an example. */
async function call(to: Service, operation: Operation, options: CallOptions = {}) {
  const { method, path, parameters, requestBody } = operation;
  const { token = "", json, query = "" } = options;
  const id = parameters.find((parameter) => parameter.in === "path")?.schema.examples?.[0];
  const schema = requestBody?.content["application/json"]?.schema;
  return to.call(method, path.replace("{id}", String(id)) + query, {
    token,
    ...(schema && { json: { ...exampleOf(schema), ...json } }),
  });
}

describe("GET /swagger/json", () => {
  test("a strict OpenAPI linter finds nothing", async () => {
    const source = await (await service.call("GET", "/swagger/json")).text();
    const config = await createConfig({ extends: ["recommended-strict"] });
    const problems = await lintFromString({ source, config });
    expect(
      problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer]),
    ).toEqual([]);
  });

  test("has every route of the service but the page's own, and no other", () => {
    const routes = service.app.routes
      .filter(({ path }) => !path.startsWith("/swagger"))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(routes.sort());
  });

  test("each operation has a summary, one group, and an id that makes a method's name", () => {
    for (const { operationId, summary, tags } of operations) {
      expect(operationId).toMatch(/^[a-z]+([A-Z][a-z]+)*$/);
      expect(summary).toMatch(/^[A-Z].*[^.]$/);
      expect(tags).toHaveLength(1);
    }
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("the groups stand in the order in which a person comes to them, and so do their operations", () => {
    const groups = [...new Set(operations.flatMap(({ tags }) => tags))];
    expect(document.tags.map(({ name }) => name)).toEqual(groups);
    const inOrder = [
      "signUp",
      "logIn",
      "sendEmailOtp",
      "listTodos",
      "listLists",
      "listTrash",
      "ping",
    ];
    expect(groups.map((group) => operations.find(({ tags }) => tags[0] === group))).toEqual(
      inOrder.map(named),
    );
  });

  test("says of an operation that it needs a token where the service asks for one", async () => {
    for (const operation of operations) {
      const { method, path, requestBody, security } = operation;
      const body = requestBody && { json: {} };
      const answer = await service.call(method, path.replace("{id}", "1"), body);
      const asked = answer.status === 401 && (await answer.json()).code === "unauthorized";
      expect([operation.operationId, asked]).toEqual([operation.operationId, security.length > 0]);
      expect(operation.responses["401"] !== undefined || !asked).toBe(true);
    }
  });

  test("every parameter, field and header has a description and examples that fit", () => {
    const fields = operations.flatMap(namedSchemas);
    expect(fields.length).toBeGreaterThan(200);
    const isWhole = ({ type }: Schema) => type === "object" || type === "array";
    // Any example would be refused, since a cursor is good for one list of one user.
    const isCursor = (name: string) => name.endsWith(" ?cursor");
    const bad = fields.flatMap(([name, schema]) => {
      const { description = "", examples = [] } = schema;
      if (!/^\S.*\.$/.test(description)) return [`${name} has no description`];
      if (examples.length === 0 && !isWhole(schema) && !isCursor(name)) {
        return [`${name} has no example`];
      }
      const faults = examples.map((example) => faultsOf(schema, example)).join("");
      return faults === "" ? [] : [`${name}: ${faults}`];
    });
    expect(bad).toEqual([]);
  });

  test("every error has an example for each of its codes, and they fit", () => {
    const without: string[] = [];
    for (const { operationId, responses } of operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        if (Number(status) < 400) continue;
        for (const [type, { schema, examples = {} }] of Object.entries(content ?? {})) {
          const named = Object.entries(examples);
          if (named.length === 0) without.push(`${operationId} ${status}`);
          for (const [name, { value }] of named) {
            expect([operationId, name, faultsOf(schema, value)]).toEqual([operationId, name, ""]);
            const isProblem = type === "application/problem+json";
            expect(value).toMatchObject(
              isProblem ? { status: Number(status), code: name } : { error: name },
            );
          }
        }
      }
    }
    // There is no fault to name where no values are taken.
    const takesNothing = ({ parameters, requestBody, responses }: Operation) =>
      responses["422"] && !requestBody && parameters.every((parameter) => parameter.in === "path");
    const noValues = operations.filter(takesNothing).map(({ operationId }) => `${operationId} 422`);
    expect(without).toEqual(noValues);
  });

  test("an error's code is an open list, and the schemas of errors have all of them", async () => {
    const { components } = await (await service.call("GET", "/swagger/json")).json();
    const { Problem, ValidationProblem } = components.schemas;
    const listed = [Problem, ValidationProblem].map(({ properties }) => properties.code);
    expect(listed.map(({ enum: closed }) => closed)).toEqual([undefined, undefined]);
    const codes = listed.flatMap(({ examples }) => examples);
    expect(codes.sort()).toEqual(Object.keys(catalogue).sort());
    expect(ValidationProblem.required).toContain("errors");
  });

  test("every body refers to a named schema, and none is put together inline", async () => {
    const source = await (await service.call("GET", "/swagger/json")).text();
    expect(source).not.toContain('"allOf"');
    const { paths, components } = JSON.parse(source);
    const media = mediaOf([paths, components.responses]);
    expect(media.length).toBeGreaterThan(50);
    for (const { schema } of media) expect(Object.keys(schema)).toEqual(["$ref"]);
  });

  test("every text in a request has a maximum length", () => {
    const texts = operations.flatMap(inputsOf).filter(([, { type, enum: closed }]) => {
      return [type].flat().includes("string") && !closed;
    });
    expect(texts.length).toBeGreaterThan(15);
    const open = texts.filter(([, { maxLength = 0 }]) => maxLength === 0);
    expect(open.map(([name]) => name)).toEqual([]);
  });

  test("every id is a 64-bit integer for clients whose integers have fewer bits", () => {
    const ids = operations.flatMap(namedSchemas).filter(([name]) => / [?.](\w+_)?id$/.test(name));
    const integers = ids.filter(([, { type }]) => type === "integer");
    expect(integers.length).toBeGreaterThan(5);
    for (const [name, { format }] of integers) expect([name, format]).toEqual([name, "int64"]);
  });

  test("no schema is named as Go names the constructor of another", async () => {
    const { components } = await (await service.call("GET", "/swagger/json")).json();
    const names = Object.keys(components.schemas);
    expect(names).toContain("Todo");
    expect(names.filter((name) => names.includes(`New${name}`))).toEqual([]);
  });

  test("every pattern means the same in ECMAScript and RE2, and uses nothing that others lack", () => {
    const patterns = new Set(
      operations.flatMap(inputsOf).flatMap(([, { pattern }]) => pattern ?? []),
    );
    expect(patterns.size).toBeGreaterThan(3);
    // Each of the first 512 code points, and some beyond, alone and after a letter.
    const characters = [...Array(512).keys(), 0x2028, 0x3000, 0xfeff, 0xffff, 0x1f98a].map((code) =>
      String.fromCodePoint(code),
    );
    const samples = [
      "",
      ...characters,
      ...characters.map((each) => `a${each}`),
      "mina@example.com",
    ];
    for (const pattern of patterns) {
      // Groups and escapes mean the same everywhere only when they are plain.
      expect(pattern).not.toMatch(/\(\?|\\(?!x[0-9a-f]{2}|[^\w\s])|\[\^?\]|&&/);
      const [ours, theirs] = [new RegExp(pattern, "u"), RE2JS.compile(pattern)];
      const different = samples.filter((each) => ours.test(each) !== theirs.test(each));
      expect([pattern, different]).toEqual([pattern, []]);
    }
  });

  test("the example of a 422 is what the service says of such a request", async () => {
    const { token } = await service.user();
    for (const operation of operations) {
      const { operationId, responses } = operation;
      const examples = responses["422"]?.content?.["application/problem+json"]?.examples;
      const { errors } = Object(examples?.validation_failed?.value);
      if (!errors) continue;
      const [{ pointer, parameter }] = errors;
      expect([operationId, pointer ?? parameter]).not.toEqual([operationId, ""]);
      const wrong = pointer
        ? { json: { [pointer.slice(1)]: [] } }
        : { query: `?${parameter}=nothing` };
      const answer = await call(service, operation, { token, ...wrong });
      expect({ operationId, ...(await answer.json()) }).toMatchObject({ operationId, errors });
    }
  });

  test.each([
    ["signUp", { username: "jiho", password: "password123" }],
    ["changePassword", { new_password: "password123" }],
  ])("the example of a weak password at %s is what the service says", async (id, json) => {
    const { token } = await service.user();
    const problems = named(id).responses["422"]?.content?.["application/problem+json"];
    const { errors } = Object(problems?.examples?.weak_password?.value);
    const answer = await call(service, named(id), { token, json });
    expect(await answer.json()).toMatchObject({ code: "weak_password", errors });
  });

  test("the walk of its introduction works with the examples as they are", async () => {
    await using fresh = await startFresh();
    const walk = async (id: string, options: CallOptions = {}) => {
      const answer = await call(fresh, named(id), options);
      expect([id, answer.ok]).toEqual([id, true]);
      return answer;
    };
    await walk("signUp");
    const { access_token: token, refresh_token } = await (await walk("logIn")).json();
    await walk("createTodo", { token });
    await walk("listTodos", { token });
    expect(await (await walk("updateTodo", { token })).json()).toMatchObject({ is_done: true });
    await walk("deleteTodo", { token });
    await walk("verifyEmail", { token, json: { otp: await fresh.nextOtp("mina@example.com") } });
    await walk("sendPasswordOtp");
    const otp = await fresh.nextOtp("mina@example.com");
    await walk("refreshTokens", { json: { refresh_token } });
    await walk("logOut", { token });
    await walk("resetPassword", { json: { otp } });
  });
});

async function startFresh() {
  const fresh = await startService();
  return { ...fresh, [Symbol.asyncDispose]: fresh.stop };
}

/** Every media type object in a part of the document, as it stands: references are not followed. */
function mediaOf(part: unknown): { schema: object }[] {
  if (typeof part !== "object" || part === null) return [];
  if ("content" in part) return Object.values(Object(part.content));
  return Object.values(part).flatMap(mediaOf);
}
