/**
 * How the service stops: it announces this first, then refuses new requests, and lets the requests in flight finish.
 */

export interface Drain {
  /** Set by `announce`: `/health/ready` answers 503, while requests are still served. */
  readonly isAnnounced: boolean;
  /** Set by `begin`: new requests are refused. */
  readonly draining: boolean;
  /** Requests that are being answered. */
  readonly inFlight: number;
  enter(): void;
  leave(): void;
  /** Makes `/health/ready` answer 503, so that load balancers send no more requests here. */
  announce(): void;
  /** Refuses new requests, and resolves when no request is in flight. */
  begin(): Promise<void>;
  /** Calls `listener` when new requests begin to be refused. */
  onBegin(listener: () => void): void;
}

export function createDrain(): Drain {
  let inFlight = 0;
  let isAnnounced = false;
  let draining = false;
  const listeners: (() => void)[] = [];
  const drained = Promise.withResolvers<void>();
  const settle = () => {
    if (draining && inFlight === 0) drained.resolve();
  };
  return {
    get isAnnounced() {
      return isAnnounced;
    },
    get draining() {
      return draining;
    },
    get inFlight() {
      return inFlight;
    },
    enter() {
      inFlight++;
    },
    leave() {
      inFlight--;
      settle();
    },
    announce() {
      isAnnounced = true;
    },
    begin() {
      isAnnounced = true;
      draining = true;
      for (const listener of listeners) listener();
      settle();
      return drained.promise;
    },
    onBegin(listener) {
      listeners.push(listener);
    },
  };
}
