/**
 * Requests for an operation of the OpenAPI document: everything that it allows, everything that it refuses, and unusual
 * requests.
 */
import { faultsOf, type Operation, type Schema } from "../docs/document.ts";
import type { Generator } from "./generate.ts";

export interface GeneratedRequest {
  /** According to the document: with only valid values, with one invalid value, or beyond its schemas. */
  kind: "good" | "bad" | "other";
  /** For a person who reads about a failure. */
  label: string;
  id?: string;
  query?: object;
  headers?: Record<string, string>;
  body?: BodyInit | undefined;
}

/** A user and existing values: those that bodies, queries and paths may name. */
export interface Owner {
  token: string;
  id: string;
  values: Record<string, unknown>;
}

/** Valid requests for each operation. */
const GOOD = 8;
/** How often the same request is sent: more often than a password may be guessed. */
const AGAIN = 7;
const IDS = [
  "0",
  "01",
  "-1",
  "1.5",
  "1e3",
  "9007199254740991",
  "9007199254740993",
  "é",
  "\0",
  "a b",
];
const MALFORMED = ["", "{", "[]", "null", '"x"', "\ufeff{}", '{"a":"\0"}', '{"a":'.repeat(40)];
const NOT_UTF8 = new Uint8Array([0x7b, 0xff, 0x7d]);
const TOO_LARGE = "a".repeat(270_000);
const NOT_JSON = ["text/plain", "application/xml", "application/json; charset=latin1", "x"];

const bodySchema = ({ requestBody }: Operation) =>
  Object.values(requestBody?.content ?? {})[0]?.schema;
export const takesJson = ({ requestBody }: Operation) =>
  requestBody?.content["application/json"] !== undefined;
const queryOf = ({ parameters }: Operation) =>
  parameters.filter((parameter) => parameter.in === "query");

/** `value` in a format that the operation accepts for bodies: as JSON, or as either kind of form. */
function encode(operation: Operation, value: unknown, { pick }: Generator): BodyInit | undefined {
  if (value === undefined || takesJson(operation)) return JSON.stringify(value);
  const form = pick([new URLSearchParams(), new FormData()]);
  for (const [name, text] of Object.entries(Object(value))) form.set(name, String(text));
  return form;
}

export function goodBody(operation: Operation, generator: Generator): BodyInit | undefined {
  const schema = bodySchema(operation);
  return schema && encode(operation, consistent(generator.valid(schema)), generator);
}

/**
 * A body without combinations that only the document's words exclude: a zone without a time, a repetition without a due
 * date.
 */
function consistent(body: unknown): Record<string, unknown> {
  const { due, repeat, is_done, list_id, after, ...rest } = Object(body);
  const { zone, ...anyTime } = due ?? {};
  const { weekdays, ...plain } = repeat ?? {};
  const hasWeekdays = weekdays && repeat.unit === "week" && repeat.from === "due";
  return {
    ...rest,
    ...(is_done !== undefined && { is_done }),
    ...(due !== undefined && { due: due && (due.time ? due : anyTime) }),
    ...(due && repeat && !is_done && { repeat: hasWeekdays ? repeat : plain }),
    // This list and this todo do not exist.
    ...(list_id !== undefined && { list_id: null }),
    ...(after !== undefined && { after: null }),
  };
}

/** Valid requests with existing values: the user's own password, a one-time password that was sent, and so on. */
export function ownRequests(
  operation: Operation,
  { values }: Owner,
  generator: Generator,
): GeneratedRequest[] {
  const schema = bodySchema(operation);
  const only = (names: string[]) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
  const own = schema && {
    ...consistent(generator.valid(schema)),
    ...only(Object.keys(schema.properties ?? {})),
  };
  const query = only(queryOf(operation).map(({ name }) => name));
  const good = { kind: "good", label: "own" } as const;
  const asRefresh = { ...own, grant_type: "refresh_token" };
  return [
    { ...good, query, body: encode(operation, own, generator) },
    ...(own?.grant_type ? [{ ...good, body: encode(operation, asRefresh, generator) }] : []),
  ];
}

export function goodRequests(operation: Operation, generator: Generator): GeneratedRequest[] {
  const requests = Array.from({ length: GOOD }, (_, i): GeneratedRequest => {
    // No text that matches the schema is a valid cursor.
    const some = queryOf(operation).filter(
      ({ name }) => name !== "cursor" && name !== "since" && generator.pick([true, false]),
    );
    const query = Object.fromEntries(
      some.map(({ name, schema }) => [name, generator.valid(schema)]),
    );
    return { kind: "good", label: `good ${i}`, query, body: goodBody(operation, generator) };
  });
  const schema = bodySchema(operation);
  const same = {
    ...consistent(
      schema && generator.valid({ ...schema, required: Object.keys(schema.properties ?? {}) }),
    ),
    ...(schema?.properties?.grant_type && { grant_type: "password" }),
  };
  const again = Array.from({ length: AGAIN }, (): GeneratedRequest => {
    return { kind: "good", label: "again", body: schema && encode(operation, same, generator) };
  });
  return [...requests, ...again];
}

export function badRequests(operation: Operation, generator: Generator): GeneratedRequest[] {
  const schema = bodySchema(operation);
  const bodies = (schema ? generator.invalid(schema) : []).map((value): GeneratedRequest => {
    const label = `body ${JSON.stringify(value).slice(0, 200)}`;
    // In a form, everything is text, and unknown fields are ignored (RFC 6749 §3.2).
    const kind = takesJson(operation) ? "bad" : "other";
    return { kind, label, body: encode(operation, value, generator) };
  });
  const queries = queryOf(operation).flatMap(({ name, schema }) =>
    generator
      .invalid(schema)
      .filter((value) => !isText(schema, String(value)))
      .map(
        (value): GeneratedRequest => ({
          kind: "bad",
          label: `${name}=${value}`,
          query: { [name]: value },
        }),
      ),
  );
  return [...bodies, ...queries];
}

/** Whether `text`, from a query, stands for a valid value. */
function isText(schema: Schema, text: string): boolean {
  if (schema.type === "string") return faultsOf(schema, text) === "";
  if (schema.type === "boolean") return text === "true" || text === "false";
  return /^-?(0|[1-9]\d*)$/.test(text) && faultsOf(schema, Number(text)) === "";
}

/** Requests that no schema describes: paths, media types, encodings, the form of a body. */
export function oddRequests(operation: Operation, generator: Generator): GeneratedRequest[] {
  const body = goodBody(operation, generator);
  const other = (label: string, request: Partial<GeneratedRequest>): GeneratedRequest => ({
    kind: "other",
    label,
    body,
    ...request,
  });
  const odd = [
    other("unknown parameter", { query: { nothing: 1 } }),
    other("odd cursor", { query: { cursor: "2.é" } }),
    other("as a browser", { headers: { accept: "text/html" } }),
  ];
  if (operation.path.includes("{id}")) odd.push(...IDS.map((id) => other(`id ${id}`, { id })));
  if (body === undefined) return odd;
  const type = takesJson(operation) ? "application/json" : "application/x-www-form-urlencoded";
  const headers = { "content-type": type };
  return [
    ...odd,
    ...MALFORMED.map((text) => other(`malformed ${text}`, { headers, body: text })),
    other("not UTF-8", { headers, body: NOT_UTF8 }),
    other("too large", { headers, body: TOO_LARGE }),
    other("compressed", { headers: { ...headers, "content-encoding": "gzip" } }),
    ...NOT_JSON.map((type) => other(type, { headers: { "content-type": type }, body: "{}" })),
  ];
}
