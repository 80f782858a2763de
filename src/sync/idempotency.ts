/**
 * `Idempotency-Key`: a request that is sent again, because its answer was lost, is not done again. The question whether
 * the key is known, the change, and what the answer is made of are one transaction. So a crash leaves all of it or
 * nothing, and of two that come at once the second finds what the first has kept.
 *
 * A row of `ttl` says that a key is known, and with which request. The outcome is kept beside it.
 */
import { sql } from "drizzle-orm";
import { isLive, live, type SessionRef } from "../auth/live-session.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Database } from "../database/drizzle.ts";
import { kept_answers, sessions, ttl } from "../database/schema.ts";
import { type Bound, runBatch, statement } from "../database/statement.ts";
import { exchangeOf } from "../http/exchange.ts";
import type { ResponseHeaders } from "../http/negotiation.ts";
import { Failure } from "../http/problem.ts";
import { toBase64url } from "../seal.ts";
import { type Asker, type Operation, runOperation } from "./operation.ts";
import { raiseRevision } from "./revision.ts";
import type { Sweep } from "./sweep.ts";
import { isNew, ttlKey } from "./writer.ts";

const KEY = /^[\x21-\x7e]{1,128}$/;

/** Expired rows that one request deletes. It inserts one, so expired rows cannot accumulate. */
const SWEEP = 16;

const value = (name: string) => sql.placeholder(name);

const isKept = sql`
  ${kept_answers.user_id} = ${value("user_id")} AND ${kept_answers.key} = ${value("idempotency_key")}`;

/** What is known of the key before anything is done. */
interface Known {
  /** Of the request that was sent with it; null when the key is new. */
  fingerprint: string | null;
  /** Null, too, when the todo that it was about has been deleted for good. */
  outcome: string | null;
}

/** No row when the session has ended. */
const ask = statement<Known>(sql`
  SELECT ${ttl.value} AS fingerprint, ${kept_answers.outcome} AS outcome
  FROM ${sessions}
  LEFT JOIN ${ttl} ON ${ttl.kind} = 'idempotency' AND ${ttl.key} = ${ttlKey}
    AND ${ttl.expires_at} > ${value("now")}
  LEFT JOIN ${kept_answers} ON ${isKept}
  WHERE ${isLive()}`);

/** What an earlier request with the key has left, when that has expired. */
const forgetExpired = statement(
  sql`DELETE FROM ${kept_answers} WHERE ${isKept} AND ${kept_answers.expires_at} <= ${value("now")}`,
);

/** Behind the statement that keeps the outcome. */
const remember = statement(sql`
  INSERT INTO ${ttl} (kind, key, value, expires_at)
  SELECT 'idempotency', ${ttlKey}, ${value("fingerprint")}, ${kept_answers.expires_at}
  FROM ${kept_answers} WHERE ${isKept} AND ${isNew}
  ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`);

const sweepAnswers = statement(sql`
  DELETE FROM ${kept_answers} WHERE (user_id, key) IN (
    SELECT user_id, key FROM ${kept_answers} WHERE expires_at <= ${value("now")}
    ORDER BY expires_at LIMIT ${sql.raw(`${SWEEP}`)}
  )`);

/** The parts of an Elysia context that a request with a key is done with. */
interface Context {
  request: Request;
  session: SessionRef;
  set: { headers: ResponseHeaders };
}

interface Ground {
  database: Database;
  clock: Clock;
  config: Config;
  sweep: Sweep;
}

/**
 * Runs an operation once for each key: sent again, what it gave the first time is given again.
 * @param make the operation, for who asks
 * @throws Failure `validation_failed`, `idempotency_key_reused`, `todo_not_found` when the todo has since been deleted
 * for good, and what the operation throws
 */
export async function once<Result>(
  ground: Ground,
  { request, session, set }: Context,
  make: (asker: Asker) => Operation<Result>,
): Promise<Result> {
  const key = request.headers.get("idempotency-key");
  // Awaited, so that the route is in the stack of an error.
  if (key === null) return await runOperation(ground, make(session));
  if (!KEY.test(key)) throw unfitKey("validation_failed", "1 to 128 visible ASCII characters.");
  const { pathname } = new URL(request.url);
  const idempotency_key = await digest(key);
  const fingerprint = await digest(`${pathname}\n${exchangeOf(request).body ?? ""}`);
  const { known, result } = await runKeyed(ground, make({ ...session, idempotency_key }), {
    ...session,
    idempotency_key,
    fingerprint,
    now: ground.clock(),
  });
  if (known.fingerprint === null) return result();
  if (known.fingerprint !== fingerprint) {
    throw unfitKey("idempotency_key_reused", "A key that no other request was sent with.");
  }
  if (known.outcome === null) throw new Failure("todo_not_found");
  set.headers["idempotency-replayed"] = "true";
  return result();
}

/** Of all statements here. (An interface would not do for them.) */
type KeyedValues = {
  id: string;
  user_id: number;
  idempotency_key: string;
  fingerprint: string;
  now: number;
};

async function runKeyed<Result>(
  { database, config, sweep }: Ground,
  { changes, outcome, keep, names, read }: Operation<Result>,
  values: KeyedValues,
) {
  const ride = sweep.ride();
  const before: Bound<unknown>[] = [forgetExpired(values), ask(values)];
  const results: ArrayLike<unknown>[][] = await runBatch(database, [
    ...before,
    ...changes,
    outcome,
    keep(values.now + config.idempotencyTtl * 1000),
    remember(values),
    raiseRevision(values),
    sweepAnswers(values),
    ...ride.statements,
  ]);
  ride.learn(results as unknown[][]);
  const [found] = results[1] ?? [];
  // `as`: this is what `ask` returns.
  const known = live(found) as ArrayLike<unknown> & Known;
  return {
    known,
    result() {
      if (known.outcome !== null) return read(rowOf(names, JSON.parse(known.outcome)));
      const [row] = results[before.length + changes.length] ?? [];
      return read(live(row));
    },
  };
}

/** A row as the statement of an outcome returns it: its values in order and by name. */
const rowOf = (names: string[], values: unknown[]): ArrayLike<unknown> =>
  Object.assign([...values], Object.fromEntries(names.map((name, i) => [name, values[i]])));

const unfitKey = (code: "validation_failed" | "idempotency_key_reused", detail: string) =>
  new Failure(code, { errors: [{ parameter: "Idempotency-Key", detail }] });

/** SHA-256, base64url: of fixed length, and nothing of what was sent. */
async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return toBase64url(new Uint8Array(bytes));
}
