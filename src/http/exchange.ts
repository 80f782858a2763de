/** What is known of a request beside the request itself, from the moment it comes in until its answer is logged. */

export interface Exchange {
  /** Goes out as `X-Request-Id`, into the log, and into every problem's `instance`. */
  id: string;
  /** The route's pattern (`/todos/:id`), never the path as sent; null when there is no such route. */
  route: string | null;
  /** The client's address, or null where the runtime does not tell. */
  ip: string | null;
  /** Set once an access token has been verified. */
  userId?: number;
  /** Whether a bearer token was asked for: such an answer is not to be stored by caches. */
  needsBearer?: boolean;
}

const exchanges = new WeakMap<Request, Exchange>();

export function beginExchange(request: Request, exchange: Exchange): Exchange {
  exchanges.set(request, exchange);
  return exchange;
}

/** The exchange of a request that came through `createApp`'s front. */
export function exchangeOf(request: Request): Exchange {
  const exchange = exchanges.get(request);
  if (!exchange) throw new Error("This request did not come through the front");
  return exchange;
}
