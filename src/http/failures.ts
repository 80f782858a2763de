/** Turns every failure into a problem, and logs unexpected errors completely. */
import { getLogger } from "@logtape/logtape";
import { Elysia, type ElysiaCustomStatusResponse, status, ValidationError } from "elysia";
import { outageOf } from "../database/errors.ts";
import { exchangeOf, idsOf } from "./exchange.ts";
import { fieldErrors } from "./field-errors.ts";
import {
  type Code,
  Failure,
  type Particulars,
  type Problem,
  problem,
  type StatusOf,
} from "./problem.ts";

const logger = getLogger(["todos", "http"]);

/** The part of an Elysia context in which the answer's status and headers are set. */
interface Settings {
  status?: number | string;
  headers: Record<string, unknown>;
}

/** Turns an expected error into the answer of a route. The route returns it. */
const failOf =
  (request: Request, set: Settings) =>
  <C extends Code>(
    code: C,
    particulars?: Particulars,
  ): ElysiaCustomStatusResponse<StatusOf<C>, Problem<C>> => {
    const { body, headers } = problem(code, exchangeOf(request).id, particulars);
    Object.assign(set.headers, headers);
    return status(body.status, body);
  };

/**
 * Gives every route `fail(code)`, which a handler returns for an expected error, and answers thrown errors. Use it
 * before the routes: Elysia's `onError` covers only routes that are registered after it.
 *
 * Elysia reads the text of its hooks. If a hook has `return` or `=>` directly before a call, Elysia awaits it, because
 * the call may return a promise. Then every request has to wait for it. So no hook here has this.
 */
export const failures = new Elysia({ name: "failures" })
  .derive({ as: "global" }, ({ request, set }) => ({ fail: failOf(request, set) }))
  .onTransform({ as: "global" }, ({ request, route }) => {
    exchangeOf(request).route = route;
  })
  // `unknown`, because otherwise Elysia types every route as one that may answer 200 with a problem.
  .onError({ as: "global" }, ({ code, error, request, route, set }): unknown => {
    // If no route matches, the front has better information.
    const isOurs = code !== "NOT_FOUND";
    // Also for a refused body, because this comes before `onTransform`.
    if (isOurs) exchangeOf(request).route ??= route ?? null;
    return isOurs ? answerWith(toFailure(error, request), request, set) : undefined;
  });

/** Turns the answer into a problem: sets its status and headers, and returns its body. */
export function answerWith(failure: Failure, request: Request, set: Settings): Problem {
  const { body, headers } = problem(failure.code, exchangeOf(request).id, failure.particulars);
  set.status = body.status;
  Object.assign(set.headers, headers);
  return body;
}

/** The failure that an error stands for. An unexpected error is logged and becomes `internal_error`. */
export function toFailure(error: unknown, request: Request): Failure {
  if (error instanceof Failure) return error;
  // Elysia wraps the errors of a body parser.
  if (error instanceof Error && error.cause instanceof Failure) return error.cause;
  if (error instanceof ValidationError && error.type !== "response") {
    return new Failure("validation_failed", { errors: fieldErrors(error) });
  }
  const outage = outageOf(error);
  const code = outage ? "unavailable" : "internal_error";
  const exchange = exchangeOf(request);
  const { route } = exchange;
  const properties = { ...idsOf(exchange), route, code, error: withoutAnswer(error) };
  if (outage) logger.warn("the database cannot answer: {outage}", { outage, ...properties });
  else logger.error("unexpected error", properties);
  return new Failure(code);
}

/**
 * When an answer does not fit its schema, Elysia's error contains the whole answer, including tokens. The log must not.
 */
function withoutAnswer(error: unknown): unknown {
  if (!(error instanceof ValidationError)) return error;
  const paths = error.all.map(({ path }) => path || "/");
  return new Error(`The answer does not fit its schema at ${paths.join(", ")}`);
}
