/** Every error that a client can get: its code, its schema, and its body (RFC 9457). */
import { t } from "elysia";
import { Integer } from "../model/values.ts";

/** Each status's phrase (RFC 9110 §15 and RFC 6585), which is its problem's `title`. */
const titles = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

/**
 * Each error's `code`, with its HTTP status and its `detail`. The details are fixed texts, so that no error can repeat
 * what the client has sent.
 */
export const catalogue = {
  malformed_body: [400, "The body is not a JSON object in UTF-8."],
  invalid_otp: [400, "The one-time password is wrong, expired or used up."],
  invalid_credentials: [401, "The user name or the password is wrong."],
  invalid_refresh_token: [401, "The refresh token is invalid, expired or used up."],
  unauthorized: [401, "This needs a valid access token, sent as a bearer token."],
  password_required: [403, "Changing a verified address requires the password."],
  wrong_password: [403, "The password is wrong."],
  limit_reached: [
    403,
    "You have reached a limit. Delete something first. Todos in the trash count too.",
  ],
  not_found: [404, "There is nothing at this path."],
  session_not_found: [404, "You have no such session."],
  todo_not_found: [404, "You have no such todo."],
  list_not_found: [404, "You have no such list."],
  method_not_allowed: [405, "This path does not support this method; see Allow."],
  username_taken: [409, "This user name is taken."],
  cursor_expired: [410, "This cursor is too old; start again without a cursor."],
  precondition_failed: [412, "It has changed meanwhile; see current."],
  body_too_large: [
    413,
    "The body is larger than 64 KiB (a batch: 256 KiB), or comes in more than 1,024 pieces.",
  ],
  unsupported_media_type: [
    415,
    "The body must be application/json in UTF-8, without a content encoding.",
  ],
  misdirected_request: [421, "The Host header does not name a host."],
  idempotency_key_reused: [422, "This idempotency key was sent with another request; see errors."],
  validation_failed: [422, "Some values are not valid; see errors."],
  weak_password: [422, "The password is too easy to guess; see errors."],
  too_many_attempts: [429, "Too many failed attempts; try again later, or reset the password."],
  rate_limited: [429, "Too many requests of this kind from your network; try again later."],
  too_many_streams: [429, "Too many streams of events are open; try again later."],
  otp_cooldown: [
    429,
    "A one-time password was sent a moment ago, or too many were sent today; try again later.",
  ],
  internal_error: [500, "Something went wrong on the server."],
  unavailable: [503, "The service cannot answer right now; try again soon."],
} as const satisfies Record<string, readonly [status: keyof typeof titles, detail: string]>;

export type Code = keyof typeof catalogue;
export const isCode = (value: unknown): value is Code =>
  typeof value === "string" && Object.hasOwn(catalogue, value);
export type StatusOf<C extends Code> = (typeof catalogue)[C][0];

/** One invalid value. `pointer` and `parameter` are empty for the body and the query as a whole. */
export type FieldError =
  | { pointer: string; detail: string }
  | { parameter: string; detail: string };

/** The body of an error, `application/problem+json` (RFC 9457 §3). */
export interface Problem<C extends Code = Code> {
  type: "about:blank";
  title: string;
  status: StatusOf<C>;
  code: C;
  detail: string;
  /** `urn:request:` and the request id. The log has the cause under this id. */
  instance: string;
  /** Only with status 422. */
  errors?: FieldError[];
  /** Only with status 412: the current row. */
  current?: object;
}

/** Additional parts of an error: headers; for a 422 the invalid values; for a 412 the current row. */
export interface Particulars {
  errors?: FieldError[];
  current?: object;
  headers?: Record<string, string>;
}

/** An expected error. Whatever throws it, a query or a hook, `failures.ts` makes it the answer. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: Code;
  readonly particulars: Particulars;

  constructor(code: Code, particulars: Particulars = {}, options?: ErrorOptions) {
    super(code, options);
    this.code = code;
    this.particulars = particulars;
  }
}

/** The failure of a value that is valid by itself, but does not fit other values or existing rows. */
export const unfit = (pointer: string, detail: string) =>
  new Failure("validation_failed", { errors: [{ pointer, detail }] });

/** The failure of a query parameter or a header that no schema can check. */
export const unfitParameter = (parameter: string, detail: string) =>
  new Failure("validation_failed", { errors: [{ parameter, detail }] });

/** Seconds after which a client that was answered `unavailable` may try again. */
export const RETRY_AFTER = "2";

/** RFC 6750 §3: every 401 names the scheme. */
export const CHALLENGE = 'Bearer realm="todos"';

/** The body and the headers of the problem `code`. `requestId` becomes its `instance`. */
export function problem<C extends Code>(
  code: C,
  requestId: string,
  { errors, current, headers }: Particulars = {},
): { body: Problem<C>; headers: Record<string, string> } {
  const [status, detail] = catalogue[code];
  return {
    body: {
      type: "about:blank",
      title: titles[status],
      status,
      code,
      detail,
      instance: `urn:request:${requestId}`,
      ...(errors && { errors }),
      ...(current && { current }),
    },
    headers: {
      "content-type": "application/problem+json",
      // Caches must not keep an error, even if it was found before the token was checked.
      "cache-control": "no-store",
      ...(status === 401 && { "www-authenticate": CHALLENGE }),
      ...(status === 503 && { "retry-after": RETRY_AFTER }),
      ...headers,
    },
  };
}

const FieldErrors = t.Array(
  t.Object(
    {
      pointer: t.Optional(
        t.String({
          description: "JSON Pointer (RFC 6901) into the body; empty for the body as a whole.",
          examples: ["/username"],
        }),
      ),
      parameter: t.Optional(
        t.String({
          description: "Name of a query parameter; empty for the query as a whole.",
          examples: ["limit"],
        }),
      ),
      detail: t.String({ description: "What is expected.", examples: ["1 to 100."] }),
    },
    { title: "FieldError", description: "A value at fault, with a `pointer` or a `parameter`." },
  ),
  {
    description: "Each value at fault.",
    examples: [[{ parameter: "limit", detail: "1 to 100." }]],
  },
);

const schemas = new Map<string, ReturnType<typeof makeSchema>>();

/** The schema of a problem with one of `codes`. Either all of these codes have status 422, or none. */
export function problemSchema(codes: readonly Code[]) {
  // Many routes have the same errors, and each start would make hundreds of schemas.
  const key = codes.join();
  const schema = schemas.get(key) ?? makeSchema(codes);
  schemas.set(key, schema);
  return schema;
}

function makeSchema(codes: readonly Code[]) {
  const statuses = distinct(codes.map((code) => catalogue[code][0]));
  const details = codes.map((code) => catalogue[code][1]);
  const members = {
    type: t.Literal("about:blank", {
      description: "Always about:blank: see `code`.",
      examples: ["about:blank"],
    }),
    title: t.String({
      description: "The status in words.",
      examples: statuses.slice(0, 1).map((status) => titles[status]),
    }),
    status: Integer({ description: "The HTTP status.", examples: statuses.slice(0, 1) }),
    code: t.Union(
      codes.map((code) => t.Literal(code)),
      { description: "What went wrong, for a program.", examples: [...codes] },
    ),
    detail: t.String({
      description: "What went wrong, for a person.",
      examples: details.slice(0, 1),
    }),
    instance: t.String({
      description: "The request, as the log knows it: `X-Request-Id`, as a URN.",
      examples: ["urn:request:0b3a5c1e-7f2d-4a53-9c55-1d0f5be1a0f4"],
    }),
  };
  const description = details.join(" Or: ");
  return statuses.includes(422)
    ? t.Object({ ...members, errors: FieldErrors }, { title: "ValidationProblem", description })
    : t.Object(members, { title: "Problem", description });
}

const distinct = <T>(values: T[]) => [...new Set(values)];

/** An Elysia `response` schema for each status among the codes `C`. */
export type ProblemResponses<C extends Code> = {
  [S in StatusOf<C>]: ReturnType<typeof t.Unsafe<ProblemWith<S, C>>>;
};
type ProblemWith<S extends number, C extends Code> = C extends Code
  ? StatusOf<C> extends S
    ? Problem<C>
    : never
  : never;

/** The errors of any route. */
export const anywhere = ["misdirected_request", "internal_error", "unavailable"] as const;

/** The errors of a route that takes a body, before its values are checked. */
export const bodyProblems = ["malformed_body", "body_too_large", "unsupported_media_type"] as const;

/**
 * The errors of a route, for its `response`: one schema for each status, narrowed to the codes of the route. The errors
 * of any route are included.
 */
export function problems<const C extends Code = never>(
  ...codes: C[]
): ProblemResponses<C | (typeof anywhere)[number]> {
  const byStatus = Map.groupBy([...codes, ...anywhere], (code) => catalogue[code][0]);
  // Object.fromEntries loses the types of the values. The two types above restore them.
  return Object.fromEntries(
    Array.from(byStatus, ([status, those]) => [status, problemSchema(those)]),
  ) as unknown as ProblemResponses<C | (typeof anywhere)[number]>;
}
