/**
 * Several operations of one request: one after another, in one transaction and one round trip. Each holds or fails by
 * itself.
 */
import { type SQL, sql } from "drizzle-orm";
import { live } from "../auth/live-session.ts";
import { ttl } from "../database/schema.ts";
import {
  type Bound,
  runBatch,
  type Statement,
  statement,
  type Values,
} from "../database/statement.ts";
import { exchangeOf } from "../http/exchange.ts";
import { Failure } from "../http/problem.ts";
import {
  aroundKeyed,
  type Context,
  type Ground,
  identify,
  isReplay,
  type Known,
  rowOf,
} from "./idempotency.ts";
import { type Asker, type Operation, operation, outcomeOf, tellRaised } from "./operation.ts";
import { raiseRevision } from "./revision.ts";
import { isNew, ttlKey } from "./writer.ts";

/** An operation, or why there is none. */
export type Part<Result> = Operation<Result> | Failure;

/**
 * What must be known before any operation is run. While it is not, nothing in the transaction is done.
 * @see holdIf
 */
export interface Hold<Row> {
  /** Holds the batch up, or does not. */
  hold: Bound<never>;
  /** What there is to know, in case the batch is held up; else no row. */
  held: Bound<Row>;
}

export interface Batch<Result, Row> {
  parts: Part<Result>[];
  hold?: Hold<Row> | undefined;
}

/** What became of a batch: all of it was run, or nothing was, and `held` is what must be known to run it. */
export type BatchOutcome<Result, Row> =
  | {
      /** Of each part. */
      results: (Result | Failure)[];
      /** The id of the request that did it, which is another than this one's when it was sent again. */
      requestId: string;
    }
  | { held: Row[] };

/** Stands for the whole batch: it changes nothing, and says who has done it. */
const whole = outcomeOf<{ request_id: string }>({
  columns: { request_id: sql`${sql.placeholder("request_id")}` },
  succeeded: sql`true`,
});

const VALUE = "held";
const isHeldRow = sql`${ttl.kind} = 'idempotency' AND ${ttl.key} = ${ttlKey} AND ${ttl.value} = ${VALUE}`;

/** True in the rest of the transaction when the batch is held up. */
export const isHeld = sql`EXISTS (SELECT 1 FROM ${ttl} WHERE ${isHeldRow})`;

/**
 * Holds a batch up if `condition` is true: for the rest of the transaction its key counts as known, so nothing is
 * changed.
 */
export const holdIf = (condition: SQL): Statement<never> =>
  statement(sql`
    INSERT INTO ${ttl} (kind, key, value, expires_at)
    SELECT 'idempotency', ${ttlKey}, ${VALUE}, ${sql.placeholder("now")} + 1
    WHERE ${isNew} AND (${condition})
    ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`);

/** Its last statement, so that no other transaction ever sees the row. */
const release = statement(sql`DELETE FROM ${ttl} WHERE ${isHeldRow}`);

/**
 * @param make the batch, for who asks
 * @throws Failure `unauthorized`, `validation_failed`, `idempotency_key_reused`
 */
export async function runBatchOnce<Result, Row>(
  { database, clock, config, sweep, watch }: Ground,
  { request, session, set }: Context,
  make: (asker: Asker) => Batch<Result, Row>,
): Promise<BatchOutcome<Result, Row>> {
  const identity = await identify(request);
  const now = clock();
  // Without a key of the client's it has one of its own, by which it can be held up.
  const idempotency_key = identity?.idempotency_key ?? crypto.randomUUID();
  const asker = { ...session, idempotency_key };
  const values: Values = { ...asker, now };
  const { parts, hold } = make(asker);
  const all: Part<unknown>[] = [
    operation({ ...asker, now, request_id: exchangeOf(request).id }, [], whole, (row) => row),
    ...parts,
  ];
  const keyed = identity && aroundKeyed({ ...session, ...identity, now }, parts.length);
  const expires_at = now + config.idempotencyTtl * 1000;
  const ride = sweep.ride();

  const statements: Bound<unknown>[] = [];
  const raises: number[] = [];
  /** The number of the last one. */
  const add = (...more: Bound<unknown>[]) => statements.push(...more) - 1;
  const known = keyed && add(...keyed.before.forget, keyed.before.ask);
  const kept = keyed && add(keyed.before.askParts);
  const held = hold && add(hold.hold, hold.held);
  const outcomes = all.map((part, i) => {
    if (part instanceof Failure) return undefined;
    const outcome = add(...part.changes, part.outcome);
    if (keyed) add(part.keep(expires_at, i || undefined));
    if (part.changes.length > 0) raises.push(add(raiseRevision(values)));
    return outcome;
  });
  if (hold) add(release(values));
  if (keyed) add(...keyed.after);
  add(...ride.statements);

  const results: ArrayLike<unknown>[][] = await runBatch(database, statements);
  ride.learn(results);
  tellRaised(watch, session.user_id, raises.flatMap((index) => results[index] ?? []).slice(-1));
  const rowsOf = (index: number | undefined) => (index === undefined ? [] : (results[index] ?? []));

  // No row of this one when the session has ended.
  live(rowsOf(outcomes[0])[0]);
  const waitsFor = rowsOf(held);
  // `as`, here and below: a statement's type says what it returns.
  if (waitsFor.length > 0) return { held: waitsFor as (ArrayLike<unknown> & Row)[] };

  const [found] = rowsOf(known) as (ArrayLike<unknown> & Known)[];
  const isAgain = identity && found && isReplay(found, identity, set.headers);
  const keptRows = rowsOf(kept) as (ArrayLike<unknown> & { part: number; outcome: string })[];
  const keptParts = new Map(keptRows.map(({ part, outcome }) => [part, outcome]));
  if (isAgain && found.outcome !== null) keptParts.set(0, found.outcome);

  function resultOf(part: Part<unknown>, i: number): unknown {
    if (part instanceof Failure) return part;
    const row = isAgain ? keptRow(part, keptParts.get(i)) : rowsOf(outcomes[i])[0];
    // What it was about has been deleted for good since, or the outcome is not kept any more.
    if (row === undefined) return new Failure("todo_not_found");
    try {
      return part.read(row);
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

const keptRow = ({ names }: Operation<unknown>, outcome: string | undefined) =>
  outcome === undefined ? undefined : rowOf(names, JSON.parse(outcome));
