/**
 * Reads the OpenAPI document for tests: its operations, and functions that compare an answer or an example with them.
 */
import { Ajv2020, type AnySchemaObject, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { Service } from "../service.ts";

export interface Schema {
  type?: string | string[];
  description?: string;
  examples?: unknown[];
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  anyOf?: Schema[];
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  schema: Schema;
}

interface Header {
  description?: string;
  required?: boolean;
  schema: Schema;
}

export interface Media {
  schema: Schema;
  examples?: Record<string, { value: unknown }>;
}

export interface ResponseObject {
  description: string;
  headers: Record<string, Header>;
  content?: Record<string, Media>;
}

export interface Operation {
  /** In upper case. */
  method: string;
  /** `/todos/{id}` */
  path: string;
  operationId: string;
  summary: string;
  tags: string[];
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, ResponseObject>;
  security: object[];
}

/** An operation of the document. */
type Described = Omit<Operation, "method" | "path" | "parameters"> & { parameters?: Parameter[] };

export interface Document {
  tags: { name: string }[];
  paths: Record<string, Record<string, Described>>;
}

/** The service's document, with each `$ref` replaced by the part that it names. */
export async function readDocument(service: Service): Promise<Document> {
  const document: unknown = await (await service.call("GET", "/swagger/json")).json();
  // Another test lints the document, so it is an OpenAPI document.
  return resolver(document)(document) as Document;
}

/** Replaces references. All references to one part get the same object, so its schema is compiled only once. */
function resolver(document: unknown): (value: unknown) => unknown {
  const targets = new Map<string, unknown>();

  function resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== "object" || value === null) return value;
    if ("$ref" in value) return targetOf(String(value.$ref));
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, resolve(child)]));
  }

  function targetOf(reference: string): unknown {
    if (!targets.has(reference)) {
      let target = document;
      for (const name of reference.split("/").slice(1)) target = Object(target)[name];
      targets.set(reference, resolve(target));
    }
    return targets.get(reference);
  }

  return resolve;
}

export const operationsOf = ({ paths }: Document): Operation[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      parameters: [],
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  );

/** @throws Error when there is no operation with this id */
export function operationOf(operations: Operation[], operationId: string): Operation {
  const operation = operations.find((each) => each.operationId === operationId);
  if (!operation) throw new Error(`No operation ${operationId}`);
  return operation;
}

const ajv = new Ajv2020({
  allErrors: true,
  allowUnionTypes: true,
  // Only the service looks up the name of a time zone.
  formats: { password: true, "time-zone": true },
});
formats.default(ajv);
const compiled = new WeakMap<Schema, ValidateFunction>();

/** What is wrong with `value` according to `schema` (JSON Schema 2020-12), and where. "" when it is valid. */
export function faultsOf(schema: Schema, value: unknown): string {
  // Ajv's type allows keywords that these schemas do not have.
  const validate = compiled.get(schema) ?? ajv.compile(schema as AnySchemaObject);
  compiled.set(schema, validate);
  return validate(value) ? "" : ajv.errorsText(validate.errors);
}

/** The same schema, which also refuses members that it does not name. JSON Schema allows such members. */
export function closed(schema: Schema): Schema {
  const { properties, items, anyOf } = schema;
  const members = Object.entries(properties ?? {}).map(([name, member]) => [name, closed(member)]);
  return {
    ...schema,
    ...(properties && { properties: Object.fromEntries(members) }),
    ...(items && { items: closed(items) }),
    ...(anyOf && { anyOf: anyOf.map(closed) }),
    ...(properties && { additionalProperties: false }),
  };
}

/**
 * The codes that the document lists for an error. Only the 422 of an operation that takes no values has no examples.
 */
export function codesOf({ content = {} }: ResponseObject): string[] {
  const codes = Object.values(content).flatMap(({ examples = {} }) => Object.keys(examples));
  return codes.length > 0 ? codes : ["validation_failed"];
}

/** Every named schema of the operation: parameters, fields and headers. */
export function namedSchemas(operation: Operation): [name: string, schema: Schema][] {
  const { operationId, parameters, requestBody, responses } = operation;
  const bodies = [requestBody, ...Object.values(responses)].flatMap((body) =>
    Object.values(body?.content ?? {}),
  );
  return [
    ...parameters.map(({ name, description, schema }): [string, Schema] => [
      `${operationId} ?${name}`,
      { ...schema, ...(description !== undefined && { description }) },
    ]),
    ...bodies.flatMap(({ schema }) => fieldsOf(operationId, schema)),
    ...Object.values(responses).flatMap(({ headers }) =>
      Object.entries(headers).map(([name, { description, schema }]): [string, Schema] => [
        `${operationId} ${name}:`,
        { ...schema, ...(description !== undefined && { description }) },
      ]),
    ),
  ];
}

/** Every schema of a value in a request, in the form of `namedSchemas`. */
export const inputsOf = (operation: Operation): [name: string, schema: Schema][] =>
  namedSchemas({ ...operation, responses: {} });

function fieldsOf(name: string, { properties, items }: Schema): [string, Schema][] {
  if (items) return fieldsOf(`${name}[]`, items);
  return Object.entries(properties ?? {}).flatMap(([field, schema]) => [
    [`${name} .${field}`, schema],
    ...fieldsOf(`${name} .${field}`, schema),
  ]);
}
