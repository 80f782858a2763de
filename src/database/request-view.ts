/** What one request has seen of the database, so that none of its statements sees less. */
import { BEGINNING, later, type Position } from "./position.ts";

export interface RequestView {
  /** Whether a replica may answer its reads. */
  readonly replicaAllowed: boolean;
  /** How far it has seen, together with what its client had seen before. */
  seen(): Position;
  /** Whether a replica has answered one of its reads. */
  hasSeenReplica(): boolean;
  /** Notes an answer of a replica. */
  sawReplica(position: Position): void;
  /** Notes an answer of the primary. */
  sawPrimary(position: Position): void;
}

/** @param before how far its client has seen */
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
      // The primary has everything that exists. What is beyond was seen before a backup was restored.
      brought = BEGINNING;
    },
  };
}

/** Knows which request any code belongs to that runs for one. An `AsyncLocalStorage` of Node's is a scope. */
export interface RequestScope {
  /** Runs `work` with `view`. Whatever that starts has the same view. */
  run<T>(view: RequestView, work: () => T): T;
  /** The view of the request that is being answered. Undefined in what no request has started. */
  getStore(): RequestView | undefined;
}
