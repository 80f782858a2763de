/** The texts and examples of the OpenAPI document: nothing is without one, and they are correct. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Service, startService } from "../service.ts";
import {
  faultsOf,
  namedSchemas,
  type Operation,
  operationOf,
  operationsOf,
  readDocument,
  type Schema,
} from "./document.ts";

let service: Service;
let operations: Operation[];
beforeAll(async () => {
  service = await startService();
  operations = operationsOf(await readDocument(service));
});
afterAll(() => service.stop());

/** The values that Swagger UI fills in: the first example of each field, or of the whole. */
function exampleOf({ examples, properties }: Schema): Record<string, unknown> {
  if (examples?.[0]) return Object(examples[0]);
  return Object.fromEntries(
    Object.entries(properties ?? {}).map(([name, field]) => [name, field.examples?.[0]]),
  );
}

interface CallOptions {
  token?: string;
  /** Values that replace the document's example. */
  json?: object;
  query?: string;
  headers?: Record<string, string>;
}

/** Sends the document's example. */
async function call(to: Service, operation: Operation, options: CallOptions = {}) {
  const { method, path, parameters, requestBody } = operation;
  const { token = "", json, query = "", headers = {} } = options;
  const id = parameters.find((parameter) => parameter.in === "path")?.schema.examples?.[0];
  const schema = requestBody?.content["application/json"]?.schema;
  return to.call(method, path.replace("{id}", String(id)) + query, {
    token,
    headers,
    ...(schema && { json: { ...exampleOf(schema), ...json } }),
  });
}

test("every parameter, field and header has a description and examples that fit", () => {
  const fields = operations.flatMap(namedSchemas);
  expect(fields.length).toBeGreaterThan(200);
  const isWhole = ({ type }: Schema) => type === "object" || type === "array";
  // Any example would be refused, because a cursor is valid only for one list of one user.
  const isCursor = (name: string) => /\?(cursor|since)$/.test(name);
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

test("a field that may be null is described by its own words, not by those of its type", () => {
  const { after } =
    operationOf(operations, "moveTodo").requestBody?.content["application/json"]?.schema
      .properties ?? {};
  // No `toMatchObject`: it writes the matcher into the document, which the other tests read.
  expect(after?.type).toEqual(["integer", "null"]);
  expect(after?.description).toContain("behind");
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
  // Without values, no value can be invalid.
  const takesNothing = ({ parameters, requestBody, responses }: Operation) =>
    responses["422"] &&
    !requestBody &&
    parameters.every(({ in: place, name }) => place !== "query" && name !== "Idempotency-Key");
  const noValues = operations.filter(takesNothing).map(({ operationId }) => `${operationId} 422`);
  expect(without).toEqual(noValues);
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
      : parameter === "Idempotency-Key"
        ? { headers: { [parameter]: "not visible" } }
        : { query: `?${parameter}=` };
    const answer = await call(service, operation, { token, ...wrong });
    expect({ operationId, ...(await answer.json()) }).toMatchObject({ operationId, errors });
  }
});

test.each([
  ["signUp", { username: "jiho", password: "password123" }],
  ["changePassword", { new_password: "password123" }],
])("the example of a weak password at %s is what the service says", async (id, json) => {
  const { token } = await service.user();
  const problems = operationOf(operations, id).responses["422"]?.content?.[
    "application/problem+json"
  ];
  const { errors } = Object(problems?.examples?.weak_password?.value);
  const answer = await call(service, operationOf(operations, id), { token, json });
  expect(await answer.json()).toMatchObject({ code: "weak_password", errors });
});

test("the walk of its introduction works with the examples as they are", async () => {
  await using fresh = await startFresh();
  const walk = async (id: string, options: CallOptions = {}) => {
    const answer = await call(fresh, operationOf(operations, id), options);
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

async function startFresh() {
  const fresh = await startService();
  return { ...fresh, [Symbol.asyncDispose]: fresh.stop };
}
