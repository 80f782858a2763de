/** The state of the database that one request has seen, so that none of its statements sees an older one. */
import { BEGINNING, later, type Position } from "./position.ts";

export interface RequestView {
  /** Whether a replica may answer its reads. */
  readonly replicaAllowed: boolean;
  /** The newest position that it has seen. It includes what its client had seen before. */
  seen(): Position;
  /** Whether a replica has answered one of its reads. */
  hasSeenReplica(): boolean;
  /** Called with the position of an answer from a replica. */
  sawReplica(position: Position): void;
  /** Called with the position of an answer from the primary. */
  sawPrimary(position: Position): void;
}

/** @param before the position that its client has seen */
export function createRequestView(before: Position, replicaAllowed: boolean): RequestView {
  let brought = before;
  let own = BEGINNING;
  let replicaHasAnswered = false;
  return {
    replicaAllowed,
    seen: () => later(brought, own),
    hasSeenReplica: () => replicaHasAnswered,
    sawReplica(position) {
      replicaHasAnswered = true;
      own = later(own, position);
    },
    sawPrimary(position) {
      own = later(own, position);
      // The primary has everything that exists. A position after that was seen before a backup was restored.
      brought = BEGINNING;
    },
  };
}

/** Knows which request the running code belongs to. An `AsyncLocalStorage` of Node is a scope. */
export interface RequestScope {
  /** Runs `work` with `view`. All code that it starts has the same view. */
  run<T>(view: RequestView, work: () => T): T;
  /** The view of the current request. Undefined in code that no request has started. */
  getStore(): RequestView | undefined;
}
