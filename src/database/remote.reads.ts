/** Decides who answers a read of a database on a libSQL server: a replica near the service, or the primary. */
import { LibsqlError, type ResultSet } from "@libsql/core/api";
import { getLogger } from "@logtape/logtape";
import { outageOf } from "./errors.ts";
import { type Age, type Heard, sinceNow } from "./heard.ts";
import { type Step, succeeded } from "./hrana.ts";
import { BEGINNING, later, type Position } from "./position.ts";
import type { PrimaryAnswer } from "./remote.writes.ts";
import type { RequestScope, RequestView } from "./request-view.ts";

const logger = getLogger(["todos", "database"]);

/** A copy of the database that may be behind the primary. */
export interface Replica {
  /**
   * Reads a state that is at least as new as `position`.
   * @param patience milliseconds that the replica has to reach this state and to answer
   * @throws when the replica cannot do so in time, for any reason
   */
  read(step: Step, position: Position, patience: number): Promise<ReplicaAnswer>;
  close(): void;
}

export interface ReplicaAnswer {
  result: ResultSet;
  /** The position of exactly the state that was read. */
  position: Position;
}

/** The error of a replica that has not reached the wanted state in time. */
export const replicaBehind = () => new LibsqlError("The replica is behind", "REPLICA_BEHIND");

interface Sources {
  replica: Replica;
  /** It is told the position of each answer from the primary. */
  heard: Heard;
  /** Milliseconds for which a replica may answer after it last heard from the primary. */
  staleReads: number;
  /** Given when replicas answer the reads of requests. */
  scope: RequestScope | undefined;
  askPrimary(steps: Step[]): Promise<PrimaryAnswer>;
  background(work: Promise<void>): void;
}

/** Milliseconds that a read of a request waits for a replica. */
const PATIENCE = 200;
/** The same while the primary is unreachable and so nobody else can answer. */
const LAST_PATIENCE = 1000;

/**
 * With a scope, a replica answers the reads of requests, if it has reached the state that the request has seen, and if
 * it is not older than `staleReads`. The primary answers all other reads. While the primary is unreachable, a replica
 * that is not older than `staleReads` answers them.
 */
export function createReads(sources: Sources): (step: Step) => Promise<ResultSet> {
  const { replica, heard, staleReads, scope, askPrimary, background } = sources;
  let lastRefresh: Age = () => Number.POSITIVE_INFINITY;

  /** The result from the replica. Undefined when it must not answer, or cannot. */
  async function askReplica(
    step: Step,
    seen: Position,
    patience: number,
  ): Promise<ReplicaAnswer | undefined> {
    const floor = heard.floor();
    if (floor === undefined) return undefined;
    try {
      return await replica.read(step, later(floor, seen), patience);
    } catch (error) {
      logger.debug("the replica does not answer: {error}", { error });
      return undefined;
    }
  }

  /** Asks the primary for its position, well before the bound is reached, so that no request has to wait for this. */
  function refresh(): void {
    // A time and not a flag: on workerd, work may end with its request before it has finished.
    if (Math.min(heard.age(), lastRefresh()) < staleReads / 2) return;
    lastRefresh = sinceNow();
    background(
      askPrimary([]).then(
        () => undefined,
        // The next read tries again.
        () => undefined,
      ),
    );
  }

  async function readInRequest(step: Step, view: RequestView): Promise<ResultSet> {
    if (view.replicaAllowed) {
      const answer = await askReplica(step, view.seen(), PATIENCE);
      if (answer) {
        refresh();
        view.sawReplica(answer.position);
        return answer.result;
      }
    }
    const { steps, position } = await askPrimary([step]);
    if (position) view.sawPrimary(position);
    return succeeded(steps[0]);
  }

  async function readAtPrimary(step: Step): Promise<ResultSet> {
    try {
      const { steps } = await askPrimary([step]);
      return succeeded(steps[0]);
    } catch (error) {
      if (outageOf(error) !== "unreachable") throw error;
      const answer = await askReplica(step, BEGINNING, LAST_PATIENCE);
      // The session may be too new for the replica. Nobody may be told that a session has ended while it is live.
      if (answer && answer.result.rows.length > 0) return answer.result;
      throw error;
    }
  }

  return (step) => {
    const view = scope?.getStore();
    return view ? readInRequest(step, view) : readAtPrimary(step);
  };
}
