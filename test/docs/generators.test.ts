/** What generators of clients need from the OpenAPI document: named schemas, portable patterns, limits and formats. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { RE2JS } from "re2js";
import { catalogue } from "../../src/http/problem.ts";
import { type Service, startService } from "../service.ts";
import { inputsOf, namedSchemas, type Operation, operationsOf, readDocument } from "./document.ts";

let service: Service;
let operations: Operation[];
beforeAll(async () => {
  service = await startService();
  operations = operationsOf(await readDocument(service));
});
afterAll(() => service.stop());

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
  // For headers, the HTTP server has its own limit.
  const withoutHeaders = operations.map((operation) => ({
    ...operation,
    parameters: operation.parameters.filter((parameter) => parameter.in !== "header"),
  }));
  const texts = withoutHeaders.flatMap(inputsOf).filter(([, { type, enum: closed }]) => {
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
  // Each of the first 512 code points, and some others, alone and after a letter.
  const characters = [...Array(512).keys(), 0x2028, 0x3000, 0xfeff, 0xffff, 0x1f98a].map((code) =>
    String.fromCodePoint(code),
  );
  const samples = ["", ...characters, ...characters.map((each) => `a${each}`), "mina@example.com"];
  for (const pattern of patterns) {
    // Only plain groups and escapes have the same meaning everywhere.
    expect(pattern).not.toMatch(/\(\?|\\(?!x[0-9a-f]{2}|[^\w\s])|\[\^?\]|&&/);
    const [ours, theirs] = [new RegExp(pattern, "u"), RE2JS.compile(pattern)];
    const different = samples.filter((each) => ours.test(each) !== theirs.test(each));
    expect([pattern, different]).toEqual([pattern, []]);
  }
});

/** Every media type object in a part of the document. References are not followed. */
function mediaOf(part: unknown): { schema: object }[] {
  if (typeof part !== "object" || part === null) return [];
  if ("content" in part) {
    // A stream of events is described as a text.
    const { "text/event-stream": _, ...bodies } = Object(part.content);
    return Object.values(bodies);
  }
  return Object.values(part).flatMap(mediaOf);
}
