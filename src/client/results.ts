/** What the answer to a request of the queue means. Rows are not taken from it: they come with the changes alone. */
import { type Changes, type Entries, type Operation, type Sending, valuesOf } from "./entries.ts";
import type { Row } from "./rows.ts";

/** An error of the service (RFC 9457). */
export interface Problem {
  status: number;
  /** For a program. */
  code: string;
  /** For a person. */
  detail: string;
}

/** A change that the service refused. It is no longer in the queue. */
export interface Refusal {
  operation: Operation;
  problem: Problem;
}

/** The outcome of one operation, as a batch has it: its row, or what was wrong. */
export interface Result {
  status: number;
  todo?: { id: number } | undefined;
  problem?: Problem | undefined;
}

/** 412: the row is no longer as the operation knew it. */
const OVERTAKEN = 412;

/**
 * @param results one for each operation of `sending`
 * @returns the ids of what was created; what to write once its rows are there; and what was refused
 */
export function settle({ operations }: Sending, results: Result[]) {
  const ids: Changes = {};
  const done: Changes = {};
  const refusals: Refusal[] = [];

  for (const [i, { keys, operation }] of operations.entries()) {
    const { status, todo, problem } = results[i] ?? {};
    const { op } = operation;
    // It stays in the queue: for the row as it is now, and for the inbox when its list was deleted elsewhere.
    if (status === OVERTAKEN || (op === "create" && problem?.code === "list_not_found")) continue;
    if (todo && op === "create") {
      ids[`alias/${operation.id}`] = { from: operation.id, to: todo.id };
    }
    for (const key of keys) done[`queue/${key}`] = null;
    // What is to be deleted may be gone already.
    if (problem && !(op === "delete" && status === 404)) refusals.push({ operation, problem });
  }
  // The request goes last, so that after a crash on the way it is repeated.
  return { ids, done: { ...done, sending: null }, refusals };
}

/** Milliseconds that this device's clock may be ahead of the service's. */
const CLOCK_DIFFERENCE = 10 * 60_000;

/**
 * The outcome of a request whose answer was lost so long ago that the service no longer knows it. The rows are up to
 * date, so what the request created is among them: it is recognized by its text and its age, and not created again. All
 * else stays in the queue for a new request, since doing it twice is the same as doing it once.
 */
export function recognized(entries: Entries, { operations, at }: Sending): Result[] {
  const taken = new Set<number>();
  return operations.map(({ operation }) => {
    const { type, op } = operation;
    const isSame = (row: Row) =>
      op === "create" &&
      textOf(row) === textOf(operation.fields) &&
      Date.parse(row.created_at) > Date.parse(at) - CLOCK_DIFFERENCE &&
      !taken.has(row.id);
    const todo = valuesOf(entries, type).find(isSame);
    if (todo) taken.add(todo.id);
    return { status: todo ? 201 : OVERTAKEN, todo };
  });
}

const textOf = ({ contents, name }: { contents?: string; name?: string }) => contents ?? name;
