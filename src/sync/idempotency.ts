/**
 * `Idempotency-Key`: a client that did not get an answer may send its request again, and it is not carried out twice.
 * The check of the key, the change, and the content of the answer are stored in one transaction. So a crash leaves all
 * of them or none. If two requests with one key arrive at the same time, the second one finds what the first has
 * stored.
 *
 * A row of `ttl` says that a key is known, and for which request. The outcome is in another table. For a batch, there
 * is one more row for each of its operations: the key, a slash, and the number of the operation.
 */
import { type SQL, sql } from "drizzle-orm";
import { isLive, live, owner, type SessionRef } from "../auth/live-session.ts";
import { kept_answers, sessions, ttl } from "../database/schema.ts";
import { runBatch, statement } from "../database/statement.ts";
import { exchangeOf } from "../http/exchange.ts";
import type { ResponseHeaders } from "../http/negotiation.ts";
import { Failure } from "../http/problem.ts";
import { toBase64url } from "../seal.ts";
import { type Asker, type Ground, type Operation, runOperation, tellRaised } from "./operation.ts";
import { raiseRevision } from "./revision.ts";
import { forgetAnswers } from "./sweep.ts";
import { isNew, ttlKey } from "./writer.ts";

const KEY = /^[\x21-\x7e]{1,128}$/;

/** Expired rows that one request deletes, in addition to one for each of its operations. */
const SWEEP = 16;
/** Rows that are kept for one user. Each operation of a batch is one row, and may have a todo's whole text (40 KB). */
const ANSWERS_PER_USER = 2_000;

const value = (name: string) => sql.placeholder(name);

const isKept = sql`
  ${kept_answers.user_id} = ${value("user_id")} AND ${kept_answers.key} = ${value("idempotency_key")}`;

/** The rows of a batch's operations. In ASCII, "0" comes directly after the slash. */
const isKeptPart = sql`
  ${kept_answers.user_id} = ${value("user_id")}
  AND ${kept_answers.key} > ${value("idempotency_key")} || '/'
  AND ${kept_answers.key} < ${value("idempotency_key")} || '0'`;

/** What is known about a key before anything is done. */
export interface Known {
  /** The fingerprint of the request that was sent with it; null when the key is new. */
  fingerprint: string | null;
  /** Also null when the todo of this request was deleted for good, or when the outcome is no longer stored. */
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

/** The stored outcome of each operation of a batch. */
const askParts = statement<{ part: number; outcome: string }>(sql`
  SELECT CAST(substr(${kept_answers.key}, length(${value("idempotency_key")}) + 2) AS INTEGER) AS part,
    ${kept_answers.outcome} AS outcome
  FROM ${kept_answers} WHERE ${isKeptPart} AND ${kept_answers.expires_at} > ${value("now")}`);

/** Deletes the rows of an earlier request with the same key, which is not known any more. */
const forgetFormer = statement(sql`DELETE FROM ${kept_answers} WHERE ${isKept} AND ${isNew}`);
const forgetFormerParts = statement(
  sql`DELETE FROM ${kept_answers} WHERE ${isKeptPart} AND ${isNew}`,
);

/** This runs after the statement that stores the outcome. */
const remember = statement(sql`
  INSERT INTO ${ttl} (kind, key, value, expires_at)
  SELECT 'idempotency', ${ttlKey}, ${value("fingerprint")}, ${kept_answers.expires_at}
  FROM ${kept_answers} WHERE ${isKept} AND ${isNew}
  ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`);

/** Of the oldest requests the service then only knows that they were carried out. */
const boundAnswers = statement(sql`
  DELETE FROM ${kept_answers} WHERE rowid IN (
    SELECT rowid FROM ${kept_answers} WHERE user_id = ${value("user_id")}
    ORDER BY expires_at DESC, rowid DESC LIMIT -1 OFFSET ${sql.raw(`${ANSWERS_PER_USER}`)}
  )`);

/**
 * Deletes the answers about what is deleted for good, because nothing of its text may stay. A repeated request is still
 * recognized, but its answer no longer exists.
 * @param about which of the user's answers
 */
export const forgetAnswersAbout = (about: SQL) =>
  statement(sql`DELETE FROM ${kept_answers} WHERE user_id = ${owner} AND ${about}`);

/** The parts of an Elysia context that a request with a key needs. */
export interface Context {
  request: Request;
  session: SessionRef;
  set: { headers: ResponseHeaders };
}

/**
 * Runs an operation once for each key. A repeated request gets the result of the first time.
 * @param gone the failure when the outcome is no longer stored, as after the todo was deleted for good
 * @param make makes the operation for its asker
 * @throws Failure `validation_failed`, `idempotency_key_reused`, `gone`, and the failures of the operation
 */
export async function once<Result>(
  ground: Ground,
  { request, session, set }: Context,
  gone: "todo_not_found" | "list_not_found",
  make: (asker: Asker) => Operation<Result>,
): Promise<Result> {
  const identity = await identify(request);
  // Awaited, so that the route is in the stack of an error.
  if (identity === undefined) return await runOperation(ground, session, make);
  const values = { ...session, ...identity, now: ground.clock() };
  const { known, result } = await runKeyed(ground, make(values), values);
  if (isReplay(known, identity, set.headers) && known.outcome === null) {
    throw new Failure(gone);
  }
  return result();
}

/** A request that has a key. */
export interface Identity {
  /** SHA-256 of the key, base64url. */
  idempotency_key: string;
  /** SHA-256 of its path and its body. */
  fingerprint: string;
}

/** @throws Failure `validation_failed` for an invalid key */
export async function identify(request: Request): Promise<Identity | undefined> {
  const key = request.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!KEY.test(key)) throw unfitKey("validation_failed", "1 to 128 visible ASCII characters.");
  const { pathname } = new URL(request.url);
  return {
    idempotency_key: await digest(key),
    fingerprint: await digest(`${pathname}\n${exchangeOf(request).body ?? ""}`),
  };
}

/**
 * Whether the request was already carried out. Then its answer says so.
 * @throws Failure `idempotency_key_reused`
 */
export function isReplay(
  known: Known,
  { fingerprint }: Identity,
  headers: ResponseHeaders,
): boolean {
  if (known.fingerprint === null) return false;
  if (known.fingerprint !== fingerprint) {
    throw unfitKey("idempotency_key_reused", "A key that no other request has used.");
  }
  headers["idempotency-replayed"] = "true";
  return true;
}

/** The values of all statements here. (An interface would not be assignable.) */
export type KeyedValues = {
  id: string;
  user_id: number;
  idempotency_key: string;
  fingerprint: string;
  now: number;
};

/** The statements around the operations of a request with a key. */
export const aroundKeyed = (values: KeyedValues, parts = 0) => ({
  before: {
    forget: [forgetFormer(values), ...(parts > 0 ? [forgetFormerParts(values)] : [])],
    known: ask(values),
    keptParts: parts > 0 ? askParts(values) : undefined,
  },
  // The request stores at most one row more than it has parts, so expired rows cannot accumulate.
  after: [
    remember(values),
    forgetAnswers({ ...values, limit: SWEEP + parts }),
    boundAnswers(values),
  ],
});

async function runKeyed<Result>(
  { database, config, sweep, watch }: Ground,
  { changes, outcome, keep, read }: Operation<Result>,
  values: KeyedValues,
) {
  const ride = sweep.ride();
  const { before, after } = aroundKeyed(values);
  const rows = await runBatch(database, {
    before,
    changes,
    outcome,
    kept: keep(values.now + config.idempotencyTtl * 1000),
    raise: raiseRevision(values),
    after,
    swept: ride.statements,
  });
  ride.learn(rows.swept);
  tellRaised(watch, values.user_id, rows.outcome);
  const known = live(rows.before.known[0]);
  return { known, result: () => read(known.outcome ?? live(rows.outcome[0]).outcome) };
}

const unfitKey = (code: "validation_failed" | "idempotency_key_reused", detail: string) =>
  new Failure(code, { errors: [{ parameter: "Idempotency-Key", detail }] });

/** SHA-256, base64url: it has a fixed length, and shows nothing of what was sent. */
async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return toBase64url(new Uint8Array(bytes));
}
