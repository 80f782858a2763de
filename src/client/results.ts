/**
 * Interprets the answer to a request of the queue. Rows are not taken from this answer: they only come with the
 * changes.
 */
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

/** A change that the service has refused. It is no longer in the queue. */
export interface Refusal {
  operation: Operation;
  problem: Problem;
}

/** The outcome of one operation, as a batch returns it: its row or its problem. */
export interface Result {
  status: number;
  todo?: { id: number } | undefined;
  problem?: Problem | undefined;
}

/** 412: the row has changed since the operation was made. */
const OVERTAKEN = 412;

/**
 * @param results one for each operation of `sending`
 * @returns the ids of created rows; the entries to write when these rows have arrived; and the refused changes
 */
export function settle({ operations }: Sending, results: Result[]) {
  const ids: Changes = {};
  const done: Changes = {};
  const refusals: Refusal[] = [];

  for (const [i, { keys, operation }] of operations.entries()) {
    const { status, todo, problem } = results[i] ?? {};
    const { op } = operation;
    // The change stays in the queue. It is then sent for the current row, and for the inbox if its list was deleted
    // elsewhere.
    if (status === OVERTAKEN || (op === "create" && problem?.code === "list_not_found")) continue;
    if (todo && op === "create") {
      ids[`alias/${operation.id}`] = { from: operation.id, to: todo.id };
    }
    for (const key of keys) done[`queue/${key}`] = null;
    // A row to delete may already be gone.
    if (problem && !(op === "delete" && status === 404)) refusals.push({ operation, problem });
  }
  // The request is removed last. After a crash it is then sent again.
  done.sending = null;
  return { ids, done, refusals };
}

/** Milliseconds by which this device's clock may be ahead of the service's. */
const CLOCK_DIFFERENCE = 10 * 60_000;

/**
 * The outcome of a request whose answer was lost so long ago that the service no longer remembers the request. The rows
 * are up to date, so a todo that the request created is among them. It is recognized by its text and its age, and not
 * created again. All other changes stay in the queue for a new request, because doing them twice has the same result as
 * doing them once.
 */
export function recognized(entries: Entries, { operations, at }: Sending): Result[] {
  const taken = new Set<number>();
  return operations.map(({ operation }) => {
    const { type, op } = operation;
    const todo = valuesOf(entries, type).find(
      (row: Row) =>
        op === "create" &&
        textOf(row) === textOf(operation.fields) &&
        Date.parse(row.created_at) > Date.parse(at) - CLOCK_DIFFERENCE &&
        !taken.has(row.id),
    );
    if (todo) taken.add(todo.id);
    return { status: todo ? 201 : OVERTAKEN, todo };
  });
}

const textOf = ({ contents, name }: { contents?: string; name?: string }) => contents ?? name;
