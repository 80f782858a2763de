/**
 * The OpenAPI document, gathered from the routes by `@elysiajs/swagger`. That plugin gives every body three media
 * types, inlines every schema, and knows nothing of headers or of an example for each error: that is put right here.
 */
import swagger from "@elysiajs/swagger";
import { type AnyElysia, Elysia } from "elysia";
import { version } from "../../package.json" with { type: "json" };
import { catalogue, isCode, problem, problemSchema } from "./problem.ts";

interface Schema {
  title?: string | undefined;
  const?: unknown;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
}
type Content = Record<string, { schema: object; examples?: object }>;
/** A response as the plugin leaves it: with the schema's title, description and `headers` moved up here. */
interface Response {
  title?: string;
  description?: string | undefined;
  headers?: object;
  content?: Content;
}
interface Operation {
  parameters?: { schema: object; examples?: unknown[] }[];
  requestBody?: { content: Content };
  responses: Record<string, Response>;
  security?: object[];
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
}

const introduction = `Sign up, log in, and keep todos.

1. \`POST /users/sign-up\` with a user name and a password.
2. \`POST /users/log-in\` gives an access token and a refresh token. On this page, **Authorize** does it for you.
3. \`POST /todos\`, \`GET /todos?order=DESC\`, \`PATCH /todos/{id}\` and \`DELETE /todos/{id}\`, with the access token as bearer.
4. \`POST /users/refresh\` when the access token has expired; \`POST /users/log-out\` ends both at once.

Every error is a problem (RFC 9457): its \`code\` is for programs, its \`detail\` for people, and its \`instance\` is the id under which the log has it.`;

const documentation = {
  openapi: "3.1.0",
  info: {
    title: "Todos",
    version,
    description: introduction,
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/", description: "This server" }],
  tags: [
    { name: "Users", description: "Signing up, and what you may do about yourself." },
    { name: "Sessions", description: "Logging in, staying logged in, and logging out." },
    { name: "Todos", description: "Your todos, and nobody else's." },
    { name: "Health", description: "For people, supervisors and load balancers." },
  ],
};

const securitySchemes = {
  password: {
    type: "oauth2",
    description: "Your user name and password. The client id and secret stay empty.",
    flows: { password: { tokenUrl: "/token", refreshUrl: "/token", scopes: {} } },
  },
  bearer: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "An access token that you have already.",
  },
};

const header = (description: string, example: string) => ({
  description,
  schema: { type: "string", examples: [example] },
});
const REQUEST_ID = "0b3a5c1e-7f2d-4a53-9c55-1d0f5be1a0f4";
const headersOfAll = { "X-Request-Id": header("The request, as the log knows it.", REQUEST_ID) };
const headersByStatus: Record<string, object> = {
  "201": { Location: header("Where it is, a relative reference.", "/todos/1") },
  "401": { "WWW-Authenticate": header("RFC 6750 §3.", 'Bearer realm="todos"') },
  "503": { "Retry-After": header("Seconds to wait.", "2") },
};

const anyProblem = {
  ...problemSchema(Object.keys(catalogue).filter(isCode)),
  description: "An error (RFC 9457).",
};
const exampleErrors = [{ pointer: "/password", detail: "8 to 256 characters." }];

/** @param routes an app's routes, without what stands in front of them */
export async function describe(routes: AnyElysia): Promise<object> {
  const gatherer = new Elysia().use(swagger()).use(routes);
  const gathered = await gatherer.handle(new Request("http://localhost/swagger/json"));
  const { paths }: Document = await gathered.json();
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    finish(operation);
  }
  const schemas: Record<string, unknown> = {};
  return {
    ...documentation,
    paths: nameSchemas(paths, schemas),
    components: { schemas, securitySchemes },
  };
}

function finish(operation: Operation): void {
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
  for (const [status, response] of Object.entries(operation.responses)) {
    operation.responses[status] = finishResponse(status, response);
  }
}

function finishResponse(status: string, { title, description, headers, content }: Response) {
  const gathered = content?.["application/json"]?.schema;
  const schema = gathered && { title, ...gathered };
  return {
    description,
    headers: { ...headersOfAll, ...headersByStatus[status], ...headers },
    ...(schema && {
      content: title === "Problem" ? problemContent(schema) : { "application/json": { schema } },
    }),
  };
}

/** A problem narrowed to the codes that the response can have, with an example of each. */
function problemContent({ properties }: Schema): Content {
  const codes = [properties?.code, ...(properties?.code?.anyOf ?? [])]
    .map((schema) => schema?.const)
    .filter(isCode);
  const narrowed = {
    type: "object",
    properties: { code: { type: "string", enum: codes } },
    required: ["code"],
  };
  const examples = codes.map((code) => {
    const particulars = catalogue[code][0] === 422 ? { errors: exampleErrors } : {};
    return [code, { value: problem(code, REQUEST_ID, particulars).body }];
  });
  return {
    "application/problem+json": {
      schema: { allOf: [anyProblem, narrowed] },
      examples: Object.fromEntries(examples),
    },
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
    delete named.nullable;
    const literals = anyOf.map((each) => each.const);
    if (!literals.includes(undefined)) {
      delete named.anyOf;
      return { ...named, type: "string", enum: literals };
    }
  }
  if (typeof title !== "string" || named.type !== "object") return named;
  delete named.title;
  schemas[title] = named;
  return { $ref: `#/components/schemas/${title}` };
}
