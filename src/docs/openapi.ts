/**
 * The OpenAPI document. `@elysiajs/swagger` collects it from the routes. This module corrects it: in the plugin's
 * document every body has three media types, every schema is inline, and headers and examples of errors are missing.
 */
import swagger from "@elysiajs/swagger";
import { type AnyElysia, Elysia } from "elysia";
import { anywhere, CHALLENGE, problemSchema } from "../http/problem.ts";
import { header } from "../model/values.ts";
import { nameSchemas, type Reference, refer, type Schema } from "./components.ts";
import {
  codesOf,
  createErrorSchemas,
  type ErrorSchemas,
  type Inputs,
  problemExamples,
  REQUEST_ID,
  takesValues,
} from "./errors.ts";
import { introduction } from "./introduction.ts";

type Content = Record<string, { schema: Schema | Reference; examples?: object }>;

/**
 * A response as the plugin leaves it: the properties of its schema, except the fields, have moved up to the response.
 */
interface Gathered {
  title?: string;
  description?: string;
  headers?: object;
  /** `application/json` by default. */
  mediaType?: string;
  /** For OAuth's errors. */
  examples?: { error: string }[];
  content?: Record<string, { schema: Schema }>;
}
interface Response {
  description: string;
  headers: object;
  content?: Content;
  "x-common"?: true;
}
interface Parameter {
  name: string;
  in: string;
  description: string;
  schema: Schema;
  examples?: unknown[];
}
interface Operation {
  parameters?: Parameter[];
  /**
   * For the request. (If they were in the middle of `parameters`, they would replace those that the plugin collects.)
   */
  "x-headers"?: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, Gathered>;
  security?: object[];
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
}

const securitySchemes = {
  password: {
    type: "oauth2",
    description: "Your user name and password.",
    flows: { password: { tokenUrl: "/token", refreshUrl: "/token", scopes: {} } },
  },
  bearer: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "An access token that you have already.",
  },
};

const headers = {
  "X-Request-Id": header("The request, as the log knows it.", REQUEST_ID),
  "WWW-Authenticate": header("How to log in (RFC 6750 §3).", CHALLENGE),
  "Retry-After": header("Seconds to wait.", "30"),
};
const headersByStatus: Record<string, keyof typeof headers> = {
  "401": "WWW-Authenticate",
  "429": "Retry-After",
  "503": "Retry-After",
};

/** Parts that several operations share. */
interface Shared {
  errors: ErrorSchemas;
  /** By name. */
  responses: Record<string, Response>;
}

/** @param routes an app's routes, without the layers in front of them */
export async function describe(routes: AnyElysia): Promise<object> {
  // Not compiled: the document is made only once, and some runtimes do not allow code from text after the start.
  const gatherer = new Elysia({ aot: false }).use(swagger()).use(routes);
  const gathered = await gatherer.handle(new Request("http://localhost/swagger/json"));
  const document: Document = await gathered.json();
  const shared: Shared = { errors: createErrorSchemas(), responses: {} };
  const finished = mapValues(document.paths, (methods) =>
    mapValues(methods, (operation) => finish(operation, shared)),
  );
  const schemas = {};
  nameSchemas(shared.errors.all(), schemas);
  const paths = nameSchemas(finished, schemas);
  const { responses } = shared;
  return {
    ...introduction,
    paths,
    components: { headers, responses, schemas, securitySchemes },
  };
}

function finish(operation: Operation, shared: Shared) {
  const { "x-headers": requestHeaders = [], ...rest } = operation;
  const { parameters = [], requestBody, security = [] } = rest;
  const [body] = Object.values(requestBody?.content ?? {});
  const inputs = {
    fields: body?.schema.properties ?? {},
    query: parameters.filter((parameter) => parameter.in === "query"),
  };
  const responses = mapValues(operation.responses, (gathered, status) =>
    finishResponse(status, gathered, inputs, shared),
  );
  const isForm = requestBody?.content["application/x-www-form-urlencoded"];
  return {
    ...rest,
    parameters: [...parameters.map(finishParameter), ...requestHeaders],
    ...(body &&
      !isForm && { requestBody: { ...requestBody, content: { "application/json": body } } }),
    responses,
    security,
  };
}

/** The plugin puts a schema's examples where OpenAPI requires a map. */
function finishParameter({ examples, ...parameter }: Parameter) {
  return { ...parameter, schema: { ...parameter.schema, ...(examples && { examples }) } };
}

function finishResponse(
  status: string,
  gathered: Gathered,
  inputs: Inputs,
  shared: Shared,
): Response | Reference {
  const { title, description = "", examples, content = {} } = gathered;
  const { mediaType = "application/json" } = gathered;
  const [media] = Object.values(content);
  const schema = { ...media?.schema, title, description, mediaType: undefined };
  if (codesOf(schema).length > 0) return problemResponse(status, schema, inputs, shared);
  const headers = { ...headersOf(status), ...gathered.headers };
  if (!media) return { description, headers };
  if (!examples) {
    return { description, headers, content: { [mediaType]: { schema } } };
  }
  const named = Object.fromEntries(examples.map((value) => [value.error, { value }]));
  const error = { ...schema, description: "An OAuth 2 error (RFC 6749 §5.2)." };
  const oauth = { schema: shared.errors.add(error, "error"), examples: named };
  return { description, headers, content: { "application/json": oauth } };
}

/** The response for a problem: a reference, unless it has a description for this operation alone. */
function problemResponse(
  status: string,
  schema: Schema,
  inputs: Inputs,
  shared: Shared,
): Response | Reference {
  const codes = codesOf(schema);
  const { description = "" } = schema;
  const content = problemContent(schema, inputs, shared);
  const response = { description, headers: headersOf(status), content };
  const usual = problemSchema(codes);
  const isUsual = description === usual.description;
  if (!isUsual || (status === "422" && takesValues(inputs))) return response;
  // A problem with another title has more members than its codes.
  const name = schema.title === usual.title ? codes.join("_or_") : (schema.title ?? "");
  // The docs page describes these in the introduction.
  const isCommon = codes.every((code) => anywhere.some((common) => common === code));
  shared.responses[name] = { ...response, ...(isCommon && { "x-common": true }) };
  return refer("responses", name);
}

function problemContent(schema: Schema, inputs: Inputs, { errors }: Shared): Content {
  const examples = problemExamples(schema, inputs);
  const hasExamples = Object.keys(examples).length > 0;
  const media = { schema: errors.add(schema, "code"), ...(hasExamples && { examples }) };
  return { "application/problem+json": media };
}

function headersOf(status: string): Record<string, Reference> {
  const own = headersByStatus[status];
  return Object.fromEntries(
    ["X-Request-Id", ...(own ? [own] : [])].map((name) => [name, refer("headers", name)]),
  );
}

const mapValues = <V, W>(
  object: Record<string, V>,
  map: (value: V, key: string) => W,
): Record<string, W> =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value, key)]));
