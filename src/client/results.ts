/**
 * Interprets the answer to a request of the queue. Rows are not taken from this answer: they only come with the
 * changes.
 */
import { type Changes, type Entries, type Operation, type Sending, valuesOf } from "./entries.ts";
import { isSame } from "./merge.ts";
import type { Problem } from "./problem.ts";
import type { Row } from "./rows.ts";

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
const INVALID = 422;

/**
 * @param results one for each operation of `sending`
 * @returns the ids of created rows; the entries to write when these rows have arrived; and the refused changes
 */
export function settle(entries: Entries, { operations }: Sending, results: Result[]) {
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
    // Perhaps only one of several updates is invalid, so they are sent again apart.
    const queued = keys.flatMap((key) => entries[`queue/${key}`] ?? []);
    if (status === INVALID && keys.length > 1 && !queued.some(({ apart }) => apart)) {
      for (const each of queued) done[`queue/${each.key}`] = { ...each, apart: true };
      continue;
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
 * The outcome of a request that was made so long ago that the service may have forgotten it, whether it arrived or not.
 * The rows are up to date, so what the request created is among them. It is recognized by its age and by all fields that
 * were sent, and not created again. A todo that is there was restored. All other changes stay in the queue for a new
 * request, because doing them twice has the same result as doing them once.
 */
export function recognized(entries: Entries, { operations, at, body }: Sending): Result[] {
  const taken = new Set<number>();
  const sent = JSON.parse(body);
  return operations.map(({ operation: { type, op, id } }, i) => {
    // Only a batch has several operations. `op` is no field of a row.
    const fields = { ...(sent.operations?.[i] ?? sent), op: null };
    const isCreated = (row: Row) =>
      Date.parse(row.created_at) > Date.parse(at) - CLOCK_DIFFERENCE &&
      isSame({ ...row, ...fields }, row) &&
      !taken.has(row.id);
    const todo = valuesOf(entries, type).find(
      (row: Row) => (op === "create" && isCreated(row)) || (op === "restore" && row.id === id),
    );
    if (todo) taken.add(todo.id);
    return { status: todo ? 200 : OVERTAKEN, todo };
  });
}
