/** Who answers a read of a database on a libSQL server: a replica that is near, or the primary. */
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
   * Reads a state that is at least as far as `position`.
   * @param patience milliseconds that it may take to get there and to answer
   * @throws when it cannot do so in time, for whatever reason
   */
  read(step: Step, position: Position, patience: number): Promise<ReplicaAnswer>;
  close(): void;
}

export interface ReplicaAnswer {
  result: ResultSet;
  /** Of the very state that was read. */
  position: Position;
}

/** What a replica throws that has not come as far as it should in time. */
export const replicaBehind = () => new LibsqlError("The replica is behind", "REPLICA_BEHIND");

interface Sources {
  replica: Replica;
  /** It is told each answer of the primary. */
  heard: Heard;
  /** Milliseconds for which a replica may answer without word from the primary. */
  staleReads: number;
  /** Given when replicas answer the reads of requests. */
  scope: RequestScope | undefined;
  askPrimary(steps: Step[]): Promise<PrimaryAnswer>;
  background(work: Promise<void>): void;
}

/** Milliseconds that a request's read waits for a replica. */
const PATIENCE = 200;
/** The same while the primary is out of reach, so that nobody else can answer. */
const LAST_PATIENCE = 1000;

/**
 * With a scope, a replica answers the reads of requests if it is as far as the request has seen, and not older than
 * `staleReads`. The primary answers all other reads. While it is out of reach, a replica that is not older than
 * `staleReads` answers them.
 */
export function createReads(sources: Sources): (step: Step) => Promise<ResultSet> {
  const { replica, heard, staleReads, scope, askPrimary, background } = sources;
  let lastRefresh: Age = () => Number.POSITIVE_INFINITY;

  /** What the replica finds. Undefined when it may not answer, or cannot. */
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

  /** Asks how far the primary is, well before the bound, so that no request has to wait for that. */
  function refresh(): void {
    // A time and no flag: on workerd, work may end with its request before it has come to an end.
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
      // A session may be too new for the replica, and nobody may be told that it has ended when it has not.
      if (answer && answer.result.rows.length > 0) return answer.result;
      throw error;
    }
  }

  return (step) => {
    const view = scope?.getStore();
    return view ? readInRequest(step, view) : readAtPrimary(step);
  };
}
