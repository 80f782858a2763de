/** Writes to a libSQL server: a few trips at once, and those that wait meanwhile share the next one and its commit. */
import { LibsqlBatchError, LibsqlError, type ResultSet } from "@libsql/core/api";
import { silent, type WritesMeter } from "../instruments.ts";
import { takeGroup } from "./groups.ts";
import type { Condition, ProgramOutcome, Step } from "./hrana.ts";
import { COUNT_UP, type Position } from "./position.ts";

/**
 * Trips under way at once. SQLite has one writer, and a libSQL server lets the rest spin for the lock: of 128 writes at
 * once it finished 16 a second, of 2 at once 869.
 */
const TRIPS = 4;
/** Writes that one trip carries at most, so that no program grows beyond what a server takes. */
const GROUP = 32;

/** One transaction's statements, and who waits for their results. */
interface Write {
  steps: Step[];
  /** On the clock of performance.now(). */
  deadline: number;
  resolve: (written: CommittedWrite) => void;
  reject: (error: unknown) => void;
}

export interface CommittedWrite {
  /** One for each step. */
  results: ResultSet[];
  /** Whoever is as far as this sees the write. Undefined where commits are not counted. */
  position: Position | undefined;
}

/** What came of a program, and how far the database was after it, where commits are counted. */
export interface PrimaryAnswer extends ProgramOutcome {
  position: Position | undefined;
}

interface WriteOptions {
  /** Whether each commit counts itself (see `position.ts`). */
  counting: boolean;
  meter?: WritesMeter | undefined;
}

/** Runs steps as one transaction. Rejects with LibsqlBatchError when one of them fails. */
export type RemoteWrites = (steps: Step[]) => Promise<CommittedWrite>;

/**
 * Each write is whole or not at all, whatever becomes of others in the same trip: it stands behind a savepoint. It is
 * acknowledged after the commit. Writes of one caller that awaits each happen in their order.
 *
 * @param ask sends one program, within its own time limit
 * @param timeout milliseconds that a write waits for its turn at most, and for another process's lock
 */
export function createWrites(
  ask: (steps: Step[]) => Promise<PrimaryAnswer>,
  timeout: number,
  { counting, meter = silent }: WriteOptions,
): RemoteWrites {
  const waiting: Write[] = [];
  let trips = 0;

  async function send(group: Write[]): Promise<void> {
    const writes = group.map((write) => write.steps);
    const { steps, firsts, commit } = program(writes, counting);
    const deadline = Math.max(...group.map((write) => write.deadline));
    let answer: PrimaryAnswer;
    try {
      answer = await whenNotLocked(deadline, () => ask(steps));
    } catch (error) {
      if (group.length > 1 && isRefusal(error)) {
        for (const write of group) await send([write]);
      } else {
        for (const write of group) write.reject(error);
      }
      return;
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
      const now = performance.now();
      for (const late of group.filter((write) => write.deadline < now)) {
        late.reject(new LibsqlError(`no turn within ${timeout} ms`, "SERVER_UNREACHABLE"));
      }
      const inTime = group.filter((write) => write.deadline >= now);
      if (inTime.length > 0) await send(inTime);
    }
    trips--;
  }

  return (steps) =>
    new Promise((resolve, reject) => {
      waiting.push({ steps, deadline: performance.now() + timeout, resolve, reject });
      meter.writesWaiting(waiting.length);
      if (trips < TRIPS) void sendWaiting();
    });
}

/** True after BEGIN, until the transaction is over. SQLite itself ends it after a full disk and the like. */
const inTransaction: Condition = { type: "not", cond: { type: "is_autocommit" } };
const ok = (step: number): Condition => ({ type: "ok", step });
const not = (cond: Condition): Condition => ({ type: "not", cond });

/** The program for a group of writes, the number of each one's first step, and that of the commit. */
function program(writes: Step[][], counting: boolean) {
  const steps: Step[] = [{ sql: "BEGIN IMMEDIATE" }];
  // Before the migrations have run, this fails and nothing else does: there is no table to count in.
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

/** Why nothing of a group was committed; undefined when it was, but for the writes that failed by themselves. */
function failureOf({ steps }: ProgramOutcome, commit: number): LibsqlError | undefined {
  const committed = steps[commit];
  if (committed && !(committed instanceof LibsqlError)) return undefined;
  // After the error that ended the transaction no step ran, so it is the last one.
  const fatal = steps.findLast((step) => step instanceof LibsqlError);
  // `instanceof` once more, because `findLast` does not narrow.
  if (fatal instanceof LibsqlError) return fatal;
  return new LibsqlError("the transaction was not committed", "HRANA_PROTO_ERROR");
}

/** What one write's statements gave. Throws what its caller is to get when the write was not committed. */
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

/** Whether a program was refused before any of it ran: one of its statements, or of their arguments, cannot be read. */
function isRefusal(error: unknown): boolean {
  return error instanceof LibsqlError && /^(SQL|ARGS)_/.test(error.code);
}

/** Repeats a program that found the database locked, and so did nothing, until `deadline`. */
async function whenNotLocked(
  deadline: number,
  attempt: () => Promise<PrimaryAnswer>,
): Promise<PrimaryAnswer> {
  for (let longest = 10; ; longest *= 2) {
    const answer = await attempt();
    const [begun] = answer.steps;
    const isLocked = begun instanceof LibsqlError && /\bdatabase is locked\b/.test(begun.message);
    // Random, so that services that wait for each other do not go on colliding.
    const pause = longest * Math.random();
    if (!isLocked || performance.now() + pause >= deadline) return answer;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
