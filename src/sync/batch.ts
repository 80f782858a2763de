/**
 * Several operations of one request. They run one after another, in one transaction and one round trip. Each one
 * succeeds or fails by itself.
 */
import { type SQL, sql } from "drizzle-orm";
import { live } from "../auth/live-session.ts";
import { ttl } from "../database/schema.ts";
import { type Bound, runBatch, type Statement, statement } from "../database/statement.ts";
import { exchangeOf } from "../http/exchange.ts";
import { Failure } from "../http/problem.ts";
import { aroundKeyed, type Context, identify, isReplay } from "./idempotency.ts";
import {
  type Asker,
  type Ground,
  type Operation,
  operation,
  outcomeOf,
  tellRaised,
} from "./operation.ts";
import { raiseRevision } from "./revision.ts";
import { isNew, ttlKey } from "./writer.ts";

/** An operation, or the reason why there is none. */
export type Part<Result> = Operation<Result> | Failure;

/**
 * The rows that must be known before any operation may run. While they are not known, the transaction changes nothing.
 * @see holdIf
 */
export type Hold<Row> = {
  /** Stops the batch if the rows are not known. */
  hold: Bound<never>;
  /** The rows to know, if the batch was stopped. Otherwise no rows. */
  held: Bound<Row>;
};

export interface Batch<Result, Row> {
  parts: Part<Result>[];
  hold?: Hold<Row> | undefined;
}

/**
 * The outcome of a batch. Either every operation has run, or none has. In the second case `held` has the rows that must
 * be known.
 */
export type BatchOutcome<Result, Row> =
  | {
      /** The result of each part. */
      results: (Result | Failure)[];
      /** The id of the request that ran the batch. For a repeated request, this is the id of the first one. */
      requestId: string;
    }
  | { held: Row[] };

/** The outcome of the batch as a whole. It changes nothing, and says which request has run the batch. */
const whole = outcomeOf<{ request_id: string }>({
  columns: { request_id: sql`${sql.placeholder("request_id")}` },
  succeeded: sql`true`,
});

const VALUE = "held";
/** Milliseconds until it would expire. The clock may be set back during the request, and it must not expire then. */
const HELD = 24 * 3600 * 1000;
const isHeldRow = sql`${ttl.kind} = 'idempotency' AND ${ttl.key} = ${ttlKey} AND ${ttl.value} = ${VALUE}`;

/** True in the rest of the transaction when the batch was stopped. */
export const isHeld = sql`EXISTS (SELECT 1 FROM ${ttl} WHERE ${isHeldRow})`;

/**
 * Stops a batch if `condition` is true: for the rest of the transaction its key counts as known, so no statement
 * changes anything.
 */
export const holdIf = (condition: SQL): Statement<never> =>
  statement(sql`
    INSERT INTO ${ttl} (kind, key, value, expires_at)
    SELECT 'idempotency', ${ttlKey}, ${VALUE}, ${sql.placeholder("now")} + ${sql.raw(`${HELD}`)}
    WHERE ${isNew} AND (${condition})
    ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`);

/** The last statement of the transaction, so that no other transaction ever sees the row. */
const release = statement(sql`DELETE FROM ${ttl} WHERE ${isHeldRow}`);

/**
 * @param make makes the batch for its asker
 * @throws Failure `unauthorized`, `validation_failed`, `idempotency_key_reused`
 */
export async function runBatchOnce<Result, Row>(
  { database, clock, config, sweep, watch }: Ground,
  { request, session, set }: Context,
  make: (asker: Asker) => Batch<Result, Row>,
): Promise<BatchOutcome<Result, Row>> {
  const identity = await identify(request);
  const now = clock();
  // If the client has sent no key, the batch gets a random one, because it is stopped by its key.
  const idempotency_key = identity?.idempotency_key ?? crypto.randomUUID();
  const asker = { ...session, idempotency_key, now };
  const { parts, hold } = make(asker);
  const all: Part<unknown>[] = [
    operation({ ...asker, request_id: exchangeOf(request).id }, [], whole, (row) => row),
    ...parts,
  ];
  const keyed = identity && aroundKeyed({ ...session, ...identity, now }, parts.length);
  const expires_at = now + config.idempotencyTtl * 1000;
  const ride = sweep.ride();

  const rows = await runBatch(database, {
    before: keyed?.before,
    hold,
    parts: all.map((part, i) =>
      part instanceof Failure
        ? undefined
        : {
            changes: part.changes,
            outcome: part.outcome,
            kept: keyed && part.keep(expires_at, i || undefined),
            raise: part.changes.length > 0 ? raiseRevision(asker) : undefined,
          },
    ),
    released: hold && release(asker),
    after: keyed?.after,
    swept: ride.statements,
  });
  ride.learn(rows.swept);
  tellRaised(
    watch,
    session.user_id,
    rows.parts.flatMap((part) => part?.outcome ?? []),
  );

  // There is no row for this when the session has ended.
  live(rows.parts[0]?.outcome[0]);
  if (rows.hold && rows.hold.held.length > 0) return { held: rows.hold.held };

  const found = rows.before?.known[0];
  const isAgain = identity && found && isReplay(found, identity, set.headers);
  const keptParts = new Map(rows.before?.keptParts?.map(({ part, outcome }) => [part, outcome]));
  if (isAgain && found.outcome !== null) keptParts.set(0, found.outcome);

  function resultOf(part: Part<unknown>, i: number): unknown {
    if (part instanceof Failure) return part;
    const outcome = isAgain ? keptParts.get(i) : rows.parts[i]?.outcome[0]?.outcome;
    // The todo of this operation was deleted for good since then, or the outcome is no longer stored.
    if (outcome === undefined) return new Failure("todo_not_found");
    try {
      return part.read(outcome);
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }

  const [first, ...rest] = all.map(resultOf);
  const requestId =
    first instanceof Failure
      ? exchangeOf(request).id
      : (first as { request_id: string }).request_id;
  return { requestId, results: rest as (Result | Failure)[] };
}
