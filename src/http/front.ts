/**
 * Everything around the routes: the request id, the checks before any route (421, and 503 while draining), the answers
 * when no route matches (404, 405, OPTIONS), the headers that all answers have, and the log line.
 */
import { Elysia } from "elysia";
import type { Config } from "../config.ts";
import type { SchemaWatch } from "../database/schema-watch.ts";
import type { Meter, Tracer } from "../instruments.ts";
import type { LogRequest } from "../log/requests.ts";
import type { Bookmarks } from "./bookmarks.ts";
import { clientIp, type SocketIp } from "./client-ip.ts";
import { corsHeaders, preflightHeaders } from "./cors.ts";
import type { Drain } from "./drain.ts";
import { beginExchange, exchangeOf, idsOf } from "./exchange.ts";
import { answerWith, toFailure } from "./failures.ts";
import { Failure } from "./problem.ts";
import { routeTable } from "./route-table.ts";

/**
 * RFC 3986 §3.2: a registered name (with `_`, as container networks have it) or an address, and a port, which may be
 * empty.
 */
const HOST = /^([a-z0-9][a-z0-9._-]*|\[[0-9a-f:.]+\])(:\d{0,5})?$/i;
/** The form of an `X-Request-Id` that is accepted from a client. It can neither forge a log line nor fill the log. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;

const everyAnswer = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

/** What the front needs from the service. */
interface Around {
  config: Config;
  drain: Drain;
  logRequest: LogRequest;
  meter: Meter;
  /** Undefined when requests are not traced. */
  tracer: Tracer | undefined;
  schema: SchemaWatch;
  socketIp: SocketIp;
  /** Only where replicas answer the reads of requests. */
  bookmarks: Bookmarks | undefined;
}

/**
 * Gives every answer its headers, and refuses requests that no route may see. Used before `unrouted`, whose hook
 * for requests comes second. Elysia reads the source text of its hooks. A hook that passes on its whole context makes
 * every request parse cookies.
 */
export const entrance = ({ config: { corsOrigins }, drain, schema }: Around) =>
  new Elysia({ name: "entrance" }).headers(everyAnswer).onRequest(({ request, set }) => {
    set.headers["x-request-id"] = exchangeOf(request).id;
    if (corsOrigins.length > 0) Object.assign(set.headers, corsHeaders(request, corsOrigins));
    if (!isHost(request.headers.get("host"))) throw new Failure("misdirected_request");
    if (isUnavailable({ drain, schema }) && !isAnswered(request, drain)) {
      throw new Failure("unavailable");
    }
  });

/** Whether requests are refused, because the service drains or its schema is behind. */
export const isUnavailable = ({ drain, schema }: Pick<Around, "drain" | "schema">): boolean =>
  drain.draining || schema.isBehind();

/**
 * Answers requests that no route matches. Used after the routes.
 * @param routes the app's `routes`
 */
export function unrouted(routes: readonly { method: string; path: string }[]) {
  const { find, overlapping } = routeTable(routes);
  const app = new Elysia({ name: "unrouted" }).onRequest(({ request }) => {
    const route = overlapping.get(pathOf(request.url));
    if (!route || route.methods.includes(request.method)) return;
    exchangeOf(request).route = route.pattern;
    throw new Failure("method_not_allowed", { headers: { allow: route.methods.join(", ") } });
  });
  return app.onError(
    { as: "global" },
    // `unknown`, or Elysia would type every route as one that may answer 200 with a `Response`.
    ({ code, request, path, set }): unknown => {
      if (code !== "NOT_FOUND") return undefined;
      const route = find(path);
      if (!route) return answerWith(new Failure("not_found"), request, set);
      exchangeOf(request).route = route.pattern;
      const allow = route.methods.join(", ");
      if (request.method !== "OPTIONS") {
        return answerWith(new Failure("method_not_allowed", { headers: { allow } }), request, set);
      }
      if (set.headers["access-control-allow-origin"]) {
        Object.assign(set.headers, preflightHeaders(allow));
      }
      return new Response(null, { status: 204, headers: { allow } });
    },
  );
}

/** The path of a URL that has a host. Parsing the URL would take ten times as long. */
function pathOf(url: string): string {
  const start = url.indexOf("/", "https://".length);
  const end = url.indexOf("?", start);
  return url.slice(start, end === -1 ? undefined : end);
}

/** Answers a request. */
export type Handle = (request: Request) => Response | Promise<Response>;

/**
 * Follows each request from its start to its log line, however it ends. An answer that is ready at once, such as that of
 * a ping, waits for no promise.
 */
export function around(services: Around) {
  const { config, drain, logRequest, meter, tracer, socketIp, bookmarks } = services;
  return (handle: Handle) =>
    (request: Request): Response | Promise<Response> => {
      const ip = clientIp(request, socketIp(request), config.trustProxy);
      const trace = tracer?.request(request);
      const exchange = beginExchange(request, requestId(request), ip, trace?.id);

      function finish(response: Response): Response {
        const { id, route, session, startedAt } = exchange;
        const { method } = request;
        const { status } = response;
        const ms = performance.now() - startedAt;
        const answered = { method, route, status, ms };
        meter.requestEnded(answered);
        trace?.end(answered, id);
        logRequest({
          ...idsOf(exchange),
          method,
          route,
          status,
          ms: Math.round(ms * 10) / 10,
          user_id: session?.user_id ?? null,
          ip,
        });
        drain.leave();
        return response;
      }

      drain.enter();
      const respond = () => answer(handle, request);
      const work = () => (bookmarks ? bookmarks.follow(request, respond) : respond());
      const response = trace ? trace.run(work) : work();
      return response instanceof Response ? finish(response) : response.then(finish);
    };
}

function answer(handle: Handle, request: Request): Response | Promise<Response> {
  // The framework's own code may fail where none of its hooks can see it.
  const whenBroken = (error: unknown): Response => {
    const set = {
      headers: { ...everyAnswer, "x-request-id": exchangeOf(request).id },
      status: 500,
    };
    const body = answerWith(toFailure(error, request), request, set);
    return new Response(JSON.stringify(body), set);
  };
  try {
    const response = handle(request);
    return response instanceof Response ? response : response.catch(whenBroken);
  } catch (error) {
    return whenBroken(error);
  }
}

/**
 * Whether the route answers in any case: `/health/alive`, `/health/ready` until the service drains, and `/token`, which
 * refuses requests itself, in OAuth's own format.
 */
function isAnswered(request: Request, { draining }: Drain): boolean {
  const path = URL.parse(request.url)?.pathname;
  return path === "/health/alive" || path === "/token" || (path === "/health/ready" && !draining);
}

/** The last valid host. Nearly all requests have the same one. */
let lastHost: string | undefined;

/** A missing header counts as valid, because HTTP/1.0 has none. */
function isHost(host: string | null): boolean {
  if (host === null || host === lastHost) return true;
  if (!HOST.test(host) || !URL.canParse(`http://${host}`)) return false;
  lastHost = host;
  return true;
}

function requestId(request: Request): string {
  const sent = request.headers.get("x-request-id");
  return sent !== null && REQUEST_ID.test(sent) ? sent : crypto.randomUUID();
}
