/**
 * Writes to a libSQL server. A few round trips run at the same time. Writes that wait meanwhile share the next trip and
 * its commit.
 */
import { LibsqlBatchError, LibsqlError, type ResultSet } from "@libsql/core/api";
import { silent, type WritesMeter } from "../instruments.ts";
import { takeGroup } from "./groups.ts";
import type { Condition, ProgramOutcome, Step } from "./hrana.ts";
import { COUNT_UP, type Position } from "./position.ts";

/**
 * Round trips that run at the same time. SQLite has one writer, so more of them gain nothing. They are a danger: when
 * about a dozen writes wait for the lock, libSQL's server (0.24.32) with its default options may never give it to anybody
 * again, until it is restarted. See "The data of a cluster" in `docs/operating.md`.
 */
export const TRIPS = 2;
/**
 * A trip without an answer keeps its place until this many time limits have passed, although its writes were rejected
 * after the first one. The server may still be working on it. If its place were free, one more write would wait for the
 * lock. With the usual limit of 2 s, this is longer than a transaction may take at the server, 5 s.
 */
const LIMITS_UNTIL_LOST = 3;
/** Maximum number of writes in one trip, so that no program becomes larger than a server accepts. */
const GROUP = 32;

/** One transaction's statements, and the promise of their results. */
interface Write {
  steps: Step[];
  /** Rejects it when its turn does not come in time. */
  timer: ReturnType<typeof setTimeout>;
  resolve: (written: CommittedWrite) => void;
  reject: (error: unknown) => void;
}

export interface CommittedWrite {
  /** One result for each step. */
  results: ResultSet[];
  /** A reader that has reached this position sees the write. Undefined where commits are not counted. */
  position: Position | undefined;
}

/** The outcome of a program, and the position of the database after it, where commits are counted. */
export interface PrimaryAnswer extends ProgramOutcome {
  position: Position | undefined;
}

interface WriteOptions {
  /** Whether each commit counts itself (see `position.ts`). */
  counting: boolean;
  meter?: WritesMeter | undefined;
}

/** Runs steps as one transaction. Rejects with LibsqlBatchError when a step fails. */
export type RemoteWrites = (steps: Step[]) => Promise<CommittedWrite>;

export const noTurn = (milliseconds: number) =>
  new LibsqlError(`the write waited ${milliseconds} ms and was not sent`, "SERVER_UNREACHABLE");

/**
 * Each write takes effect completely or not at all, whatever happens to the others in the same trip: it has its own
 * savepoint. It is acknowledged after the commit. If a caller awaits each of its writes, they happen in that order. But a
 * write that is rejected because there was no answer may still happen a little later, even after the next one.
 *
 * @param ask sends one program, and waits for the answer for at most `milliseconds`
 * @param timeout milliseconds that a write waits for the end of its trip. Before, it may wait half as long for its turn
 */
export function createWrites(
  ask: (steps: Step[], milliseconds: number) => Promise<PrimaryAnswer>,
  timeout: number,
  { counting, meter = silent }: WriteOptions,
): RemoteWrites {
  const waiting: Write[] = [];
  let trips = 0;

  async function send(group: Write[]): Promise<void> {
    const writes = group.map((write) => write.steps);
    const { steps, firsts, commit } = program(writes, counting);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      const error = new LibsqlError(`no answer within ${timeout} ms`, "SERVER_UNREACHABLE");
      for (const write of group) write.reject(error);
    }, timeout);
    let answer: PrimaryAnswer;
    try {
      answer = await whenNotLocked(timeout / 2, () => ask(steps, LIMITS_UNTIL_LOST * timeout));
    } catch (error) {
      if (group.length > 1 && isRefusal(error)) {
        // Those that were rejected meanwhile must not happen any more.
        for (const write of group) if (!isLate) await send([write]);
      } else {
        for (const write of group) write.reject(error);
      }
      return;
    } finally {
      clearTimeout(timer);
    }
    const failure = failureOf(answer, commit);
    if (!failure) meter.committed(group.length);
    for (const [i, { steps, resolve, reject }] of group.entries()) {
      const first = firsts[i] ?? Number.NaN;
      try {
        const results = resultsOf(answer.steps.slice(first, first + steps.length), failure);
        resolve({ results, position: answer.position });
      } catch (error) {
        reject(error);
      }
    }
  }

  async function sendWaiting(): Promise<void> {
    trips++;
    while (waiting.length > 0) {
      const group = takeGroup(waiting, GROUP, ({ steps }) => steps.length);
      meter.writesWaiting(waiting.length);
      for (const write of group) clearTimeout(write.timer);
      await send(group);
    }
    trips--;
  }

  function refuseFirst(): void {
    // All wait equally long. So the one that has waited too long is the first one.
    waiting.shift()?.reject(noTurn(timeout / 2));
    meter.writesWaiting(waiting.length);
  }

  return (steps) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(refuseFirst, timeout / 2);
      waiting.push({ steps, timer, resolve, reject });
      meter.writesWaiting(waiting.length);
      if (trips < TRIPS) void sendWaiting();
    });
}

/**
 * True after BEGIN until the transaction is over. SQLite itself ends a transaction after errors such as a full disk.
 */
const inTransaction: Condition = { type: "not", cond: { type: "is_autocommit" } };
const ok = (step: number): Condition => ({ type: "ok", step });
const not = (cond: Condition): Condition => ({ type: "not", cond });

/** The program for a group of writes, the number of each write's first step, and the number of the commit. */
function program(writes: Step[][], counting: boolean) {
  const steps: Step[] = [{ sql: "BEGIN IMMEDIATE" }];
  // Before the migrations have run, the table for the count does not exist. Then only this step fails.
  if (counting) steps.push({ ...COUNT_UP, condition: inTransaction });
  const firsts: number[] = [];
  const add = (sql: string, condition: Condition) => steps.push({ sql, condition }) - 1;
  for (const write of writes) {
    let last = add("SAVEPOINT one", inTransaction);
    firsts.push(last + 1);
    for (const step of write) last = steps.push({ ...step, condition: ok(last) }) - 1;
    const release = add("RELEASE one", ok(last));
    const undo = add("ROLLBACK TO one", { type: "and", conds: [not(ok(release)), inTransaction] });
    add("RELEASE one", ok(undo));
  }
  const commit = add("COMMIT", inTransaction);
  add("ROLLBACK", inTransaction);
  return { steps, firsts, commit };
}

/** Why the whole group was not committed. Undefined when it was committed, even if single writes in it failed. */
function failureOf({ steps }: ProgramOutcome, commit: number): LibsqlError | undefined {
  const committed = steps[commit];
  if (committed && !(committed instanceof LibsqlError)) return undefined;
  // After the error that ended the transaction, no further step ran. So this error is the last one.
  const fatal = steps.findLast((step) => step instanceof LibsqlError);
  // `instanceof` again, because `findLast` does not narrow the type.
  if (fatal instanceof LibsqlError) return fatal;
  return new LibsqlError("the transaction was not committed", "HRANA_PROTO_ERROR");
}

/** The results of one write's statements. Throws the error for its caller when the write was not committed. */
function resultsOf(
  outcomes: ProgramOutcome["steps"],
  failure: LibsqlError | undefined,
): ResultSet[] {
  const results = outcomes.map((outcome, index) => {
    if (outcome instanceof LibsqlError) throw batchError(outcome, index);
    return outcome;
  });
  if (failure) throw failure;
  return results.map((result) => {
    if (result === undefined) throw new LibsqlError("a statement was not run", "HRANA_PROTO_ERROR");
    return result;
  });
}

function batchError(error: LibsqlError, index: number): LibsqlBatchError {
  const message = error.message.replace(`${error.code}: `, "");
  return new LibsqlBatchError(message, index, error.code, undefined, undefined, error);
}

/** Whether a program was refused before any of it ran, because one of its statements or arguments cannot be read. */
function isRefusal(error: unknown): boolean {
  return error instanceof LibsqlError && /^(SQL|ARGS)_/.test(error.code);
}

/** Repeats a program that found the database locked, and so did nothing, for some milliseconds. */
async function whenNotLocked(
  milliseconds: number,
  attempt: () => Promise<PrimaryAnswer>,
): Promise<PrimaryAnswer> {
  const deadline = performance.now() + milliseconds;
  for (let longest = 10; ; longest *= 2) {
    const answer = await attempt();
    const [begun] = answer.steps;
    const isLocked = begun instanceof LibsqlError && /\bdatabase is locked\b/.test(begun.message);
    // Random, so that services that wait for each other do not collide again and again.
    const pause = longest * Math.random();
    if (!isLocked || performance.now() + pause >= deadline) return answer;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
