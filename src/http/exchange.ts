/** What the service knows about a request while it answers it: its id, client, route and session. */

export interface Exchange {
  /** The text of the body, after it was read as JSON. */
  body?: string;
  /** It is sent as `X-Request-Id`, and it is in the log and in every problem's `instance`. */
  readonly id: string;
  /** The id of its trace; undefined when traces are off. */
  readonly traceId: string | undefined;
  /** The client's address, or null where the runtime does not provide it. */
  readonly ip: string | null;
  /** When the request arrived, on the clock of `performance.now()`. */
  readonly startedAt: number;
  /** The route's pattern (`/todos/:id`), never the path that was sent. Null when there is no such route. */
  route: string | null;
  /** The session that a verified access token names. Only a statement can say whether it is still live. */
  session: { readonly id: string; readonly user_id: number } | undefined;
}

const exchanges = new WeakMap<Request, Exchange>();

export function beginExchange(
  request: Request,
  id: string,
  ip: string | null,
  traceId?: string,
): Exchange {
  const startedAt = performance.now();
  const exchange: Exchange = { id, traceId, ip, startedAt, route: null, session: undefined };
  exchanges.set(request, exchange);
  return exchange;
}

/** The exchange of a request that came through the front of `createApp`. */
export function exchangeOf(request: Request): Exchange {
  const exchange = exchanges.get(request);
  if (!exchange) throw new Error("This request did not come through the front");
  return exchange;
}

/** The properties that each line of the log about this request has. */
export function idsOf({ id, traceId }: Pick<Exchange, "id" | "traceId">) {
  return traceId === undefined ? { request_id: id } : { request_id: id, trace_id: traceId };
}
