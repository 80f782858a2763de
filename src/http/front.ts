/**
 * What stands around every answer: the request id, the checks that come before any route (421, 404, 405, and 503
 * while draining), the headers that all answers have, and the log line.
 */
import { getLogger } from "@logtape/logtape";
import type { Config } from "../config.ts";
import { clientIp, type SocketIp } from "./client-ip.ts";
import { corsHeaders } from "./cors.ts";
import type { Drain } from "./drain.ts";
import { beginExchange, type Exchange } from "./exchange.ts";
import { failureResponse, toFailure } from "./failures.ts";
import { Failure } from "./problem.ts";
import { type Route, routeTable } from "./route-table.ts";

const logger = getLogger(["todos", "http"]);

/** RFC 3986 §3.2.2: a registered name (with `_`, as container networks have it) or an address, and a port. */
const HOST = /^([a-z0-9][a-z0-9._-]*|\[[0-9a-f:.]+\])(:\d{1,5})?$/i;
/** What is kept of an `X-Request-Id` that came in: nothing that could forge a log line or fill the log. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** Stands in for a host that is missing or too short. */
const LOCALHOST = "http://localhost";

const everyAnswer = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

/** What the front needs of the service. */
interface Around {
  config: Config;
  drain: Drain;
  socketIp: SocketIp;
}

/** Answers a request that has a route. */
export type Handle = (request: Request) => Response | Promise<Response>;

/**
 * Puts the front before an app's routes.
 * @param routes the app's `routes`
 * @param handle what answers a request whose path and method exist
 */
export function front(
  { config, drain, socketIp }: Around,
  routes: readonly { method: string; path: string }[],
): (handle: Handle) => (request: Request) => Promise<Response> {
  const findRoute = routeTable(routes);

  async function answer(request: Request, route: Route | undefined, handle: Handle) {
    if (drain.draining && route?.pattern !== "/health/alive") throw new Failure("unavailable");
    if (!URL.canParse(request.url) || !HOST.test(request.headers.get("host") ?? "localhost")) {
      throw new Failure("misdirected_request");
    }
    if (!route) throw new Failure("not_found");
    const allow = route.methods.join(", ");
    if (request.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: { allow } });
    }
    if (!route.methods.includes(request.method)) {
      throw new Failure("method_not_allowed", { headers: { allow } });
    }
    return handle(request);
  }

  return (handle) => async (incoming) => {
    const startedAt = performance.now();
    const request = plain(incoming);
    const route = findRoute(URL.parse(request.url)?.pathname ?? "");
    const exchange = beginExchange(request, {
      id: requestId(incoming),
      route: route?.pattern ?? null,
      ip: clientIp(incoming, socketIp(incoming), config.trustProxy),
    });
    drain.enter();
    try {
      const response = await answer(request, route, handle).catch((error) =>
        failureResponse(toFailure(error, request), request),
      );
      const preflight = request.method === "OPTIONS" ? route?.methods.join(", ") : undefined;
      const headers = {
        ...everyAnswer,
        ...(exchange.needsBearer && { "cache-control": "no-store" }),
        ...corsHeaders(request, config.corsOrigins, preflight),
        "x-request-id": exchange.id,
      };
      for (const [name, value] of Object.entries(headers)) {
        // The docs page has a policy of its own.
        if (!response.headers.has(name)) response.headers.set(name, value);
      }
      log(request, exchange, response.status, performance.now() - startedAt);
      return response;
    } finally {
      drain.leave();
    }
  };
}

/**
 * The request with a URL that Elysia and `URL` read alike: Elysia takes for the path whatever stands, unresolved, from
 * a fixed offset on, which a host of three letters falls short of.
 */
function plain(request: Request): Request {
  // Without a Host that it can use, Bun leaves the URL at the path.
  const url = URL.parse(request.url.startsWith("/") ? LOCALHOST + request.url : request.url);
  if (url === null) return request;
  const { host, origin, pathname, search } = url;
  if (host.length >= 4 && request.url === origin + pathname + search) return request;
  return new Request(LOCALHOST + pathname + search, request);
}

function requestId(request: Request): string {
  const sent = request.headers.get("x-request-id");
  return sent !== null && REQUEST_ID.test(sent) ? sent : crypto.randomUUID();
}

/** One line a request, with the route's pattern: a path or a query could hold anything, a token too. */
function log(request: Request, exchange: Exchange, status: number, milliseconds: number): void {
  const { id, route, userId } = exchange;
  const ms = Math.round(milliseconds * 10) / 10;
  logger.info(`${request.method} ${route ?? "(no such path)"} ${status} in ${ms} ms`, {
    request_id: id,
    method: request.method,
    route,
    status,
    ms,
    user_id: userId ?? null,
  });
}
