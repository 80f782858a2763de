/** Counts the requests in flight, so that a shutdown can let them finish. */

export interface Drain {
  /** Set once, by `begin`: from then on new requests are refused and `/health/ready` is 503. */
  readonly draining: boolean;
  enter(): void;
  leave(): void;
  /** Refuses new requests, and resolves when none is left in flight. */
  begin(): Promise<void>;
}

export function createDrain(): Drain {
  let inFlight = 0;
  let draining = false;
  const drained = Promise.withResolvers<void>();
  const settle = () => {
    if (draining && inFlight === 0) drained.resolve();
  };
  return {
    get draining() {
      return draining;
    },
    enter() {
      inFlight++;
    },
    leave() {
      inFlight--;
      settle();
    },
    begin() {
      draining = true;
      settle();
      return drained.promise;
    },
  };
}
