/**
 * The OpenAPI document, gathered from the routes by `@elysiajs/swagger`. That plugin gives every body three media
 * types, inlines every schema, and knows nothing of headers or of an example for each error: that is put right here.
 */
import swagger from "@elysiajs/swagger";
import { type AnyElysia, Elysia } from "elysia";
import {
  CHALLENGE,
  type Code,
  catalogue,
  type FieldError,
  isCode,
  problem,
  problemSchema,
  RETRY_AFTER,
} from "../http/problem.ts";
import { header } from "../model/values.ts";
import { introduction } from "./introduction.ts";

interface Schema {
  title?: string | undefined;
  description?: string;
  type?: string;
  const?: unknown;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
}
type Content = Record<string, { schema: object; examples?: object }>;
/** A response as the plugin leaves it: with what its schema has beside the fields moved up here. */
interface Response {
  $ref?: string;
  title?: string;
  description?: string | undefined;
  headers?: object;
  /** Of OAuth's errors. */
  examples?: { error: string }[];
  content?: Content;
}
interface Operation {
  parameters?: {
    name: string;
    in: string;
    description: string;
    schema: object;
    examples?: unknown[];
  }[];
  requestBody?: { content: Content };
  responses: Record<string, Response>;
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

const REQUEST_ID = "0b3a5c1e-7f2d-4a53-9c55-1d0f5be1a0f4";
const headersOfAll = { "X-Request-Id": header("The request, as the log knows it.", REQUEST_ID) };
const headersByStatus: Record<string, object> = {
  "401": { "WWW-Authenticate": header("How to log in (RFC 6750 §3).", CHALLENGE) },
  "429": { "Retry-After": header("Seconds to wait.", "30") },
  "503": { "Retry-After": header("Seconds to wait.", RETRY_AFTER) },
};

const anyProblem = {
  ...problemSchema(Object.keys(catalogue).filter(isCode)),
  description: "An error (RFC 9457).",
};

/** @param routes an app's routes, without what stands in front of them */
export async function describe(routes: AnyElysia): Promise<object> {
  const gatherer = new Elysia().use(swagger()).use(routes);
  const gathered = await gatherer.handle(new Request("http://localhost/swagger/json"));
  const { paths }: Document = await gathered.json();
  const responses: Record<string, Response> = {};
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    finish(operation, responses);
  }
  const schemas: Record<string, unknown> = {};
  return {
    ...introduction,
    paths: nameSchemas(paths, schemas),
    components: { responses: nameSchemas(responses, schemas), schemas, securitySchemes },
  };
}

/** @param shared gets the responses that say nothing of this operation alone, by name */
function finish(operation: Operation, shared: Record<string, Response>): void {
  operation.security ??= [];
  for (const parameter of operation.parameters ?? []) {
    // The plugin takes a schema's examples to where OpenAPI wants a map. (As the parameter's own, Swagger UI would
    // fill them in, and a list asked for with an example of a cursor is a 422.)
    const { examples } = parameter;
    delete parameter.examples;
    if (examples) parameter.schema = { ...parameter.schema, examples };
  }
  const json = operation.requestBody?.content["application/json"];
  if (operation.requestBody && json) operation.requestBody.content = { "application/json": json };
  for (const [status, gathered] of Object.entries(operation.responses)) {
    const response = finishResponse(status, gathered, operation);
    const codes = Object.keys(response.content?.["application/problem+json"]?.examples ?? {});
    const name = codes.join("_or_");
    // A 422 tells of the operation's own fields, and OAuth's 503 is one of a kind.
    const isShared = name !== "" && status !== "422" && !gathered.examples;
    if (isShared) shared[name] = response;
    operation.responses[status] = isShared ? { $ref: `#/components/responses/${name}` } : response;
  }
}

function finishResponse(status: string, gathered: Response, operation: Operation): Response {
  const { title, description, examples } = gathered;
  const headers = { ...headersOfAll, ...headersByStatus[status], ...gathered.headers };
  const fields = gathered.content?.["application/json"]?.schema;
  if (!fields) return { description, headers };
  const schema = { title, ...fields };
  if (title === "Problem") {
    return { description, headers, content: problemContent(codesOf(schema), operation) };
  }
  if (!examples) return { description, headers, content: { "application/json": { schema } } };
  const named = Object.fromEntries(examples.map((value) => [value.error, { value }]));
  // Whoever shuts down answers before there is a route, and so not in OAuth's words.
  const problems = status === "503" ? problemContent(["unavailable"], operation) : {};
  const content = { "application/json": { schema, examples: named }, ...problems };
  return { description, headers, content };
}

const codesOf = ({ properties }: Schema) =>
  [properties?.code, ...(properties?.code?.anyOf ?? [])].map((each) => each?.const).filter(isCode);

/** A problem narrowed to the status and the codes that the response can have, with an example of each. */
function problemContent(codes: Code[], operation: Operation): Content {
  const statuses = codes.map((code) => catalogue[code][0]);
  const hasErrors = statuses.some((status) => status === 422);
  const narrowed = {
    type: "object",
    properties: {
      status: { type: "integer", enum: [...new Set(statuses)] },
      code: { type: "string", enum: codes },
    },
    required: ["status", "code", ...(hasErrors ? ["errors"] : [])],
  };
  const examples = codes.map((code) => {
    const errors = faultsOf(operation)[code];
    return [code, { value: problem(code, REQUEST_ID, errors && { errors }).body }];
  });
  return {
    "application/problem+json": {
      schema: { allOf: [anyProblem, narrowed] },
      examples: Object.fromEntries(examples),
    },
  };
}

/** What each 422 may tell of this operation: its first field or query parameter, or that there should be none. */
function faultsOf({ parameters, requestBody }: Operation): Record<string, FieldError[]> {
  const schema: Schema = requestBody?.content["application/json"]?.schema ?? {};
  const fields = Object.entries(schema.properties ?? {});
  const password = fields.findLast(([name]) => name.endsWith("password"))?.[0];
  const query = parameters?.find((parameter) => parameter.in === "query");
  const [field] = fields.map(([name, { description = "" }]) => ({
    pointer: `/${name}`,
    detail: description,
  }));
  const parameter = { parameter: query?.name ?? "", detail: query?.description ?? "Takes none." };
  const common = "This is one of the most common passwords.";
  return {
    validation_failed: [field ?? parameter],
    weak_password: [{ pointer: `/${password}`, detail: common }],
  };
}

/**
 * Replaces each schema that has a title by a reference to it under `components`, and puts right what TypeBox writes
 * at length or for OpenAPI 3.0.
 */
function nameSchemas(value: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((each) => nameSchemas(each, schemas));
  if (typeof value !== "object" || value === null) return value;
  const named: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    const isExample = key === "example" || key === "examples";
    named[key] = isExample ? child : nameSchemas(child, schemas);
  }
  // Whatever it is: where it has these members, they are JSON Schema's.
  const { title, anyOf } = value as Schema;
  if (anyOf) {
    const { anyOf: _, nullable: __, ...rest } = named;
    const [first, second] = anyOf;
    if (second?.type === "null") return { ...rest, ...first, type: [first?.type, "null"] };
    return { ...rest, type: "string", enum: anyOf.map((each) => each.const) };
  }
  if (typeof title !== "string" || named.type !== "object") return named;
  delete named.title;
  schemas[title] = named;
  return { $ref: `#/components/schemas/${title}` };
}
