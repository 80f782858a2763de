/** The OpenAPI document: it is valid and complete, and its order is useful for a reader. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { type Service, startService } from "../service.ts";
import {
  type Document,
  type Operation,
  operationOf,
  operationsOf,
  readDocument,
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
    inOrder.map((id) => operationOf(operations, id)),
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

test("an error with a special meaning is not described as a common error", () => {
  const unready = operationOf(operations, "isReady").responses["503"]?.description;
  expect(unready).toMatch(/\S/);
  expect(unready).not.toBe(operationOf(operations, "ping").responses["503"]?.description);
});

test("says that no answer of /token in OAuth's words may be kept", () => {
  const oauth = Object.values(operationOf(operations, "requestToken").responses).filter(
    ({ content }) => content?.["application/json"],
  );
  expect(oauth.length).toBeGreaterThan(5);
  for (const { headers } of oauth) {
    expect(headers["Cache-Control"]?.schema.examples).toEqual(["no-store"]);
  }
});
