/** Makes the next request from the queue: a batch of changes to todos, or a single change of another kind. */
import {
  type Entries,
  type Operation,
  type Queued,
  queueOf,
  realId,
  type Sending,
  type Sent,
  valuesOf,
} from "./entries.ts";
import { merged, type ResolveConflict } from "./merge.ts";
import { randomKey } from "./random.ts";
import {
  type ListCreate,
  listOf,
  type Row,
  type TodoCreate,
  type TodoMove,
  type Type,
} from "./rows.ts";
import { inOrder } from "./view.ts";

/** The path for many changes of todos at once. */
export const BATCH = "/todos/batch";
const BATCH_OPERATIONS = 100;
/** UTF-16 units, each of which takes at most three bytes. The service accepts 256 KiB. */
const BATCH_LENGTH = 85_000;

/** @returns undefined when the queue is empty */
export function nextRequest(entries: Entries, resolve?: ResolveConflict): Sending | undefined {
  const queue = queueOf(entries);
  const [first] = queue;
  if (!first) return undefined;
  const operations = batchable(queue, entries);
  return operations.length > 0
    ? batch(operations, entries, resolve)
    : single(sentOf(first), entries, resolve);
}

/** The changes at the front of the queue that fit into one batch. The updates of one todo become one. */
function batchable(queue: Queued[], entries: Entries): Sent[] {
  const operations = new Map<string, Sent>();
  const created = new Set<unknown>();
  const moved = new Set<unknown>();
  for (const queued of queue) {
    const { operation, key, apart } = queued;
    const { type, op } = operation;
    const id = realId(entries, operation.id);
    const neighborId =
      op === "move" && operation.place.after && realId(entries, operation.place.after);
    // A todo that the batch creates has no id yet, so the same batch cannot change it. And `placeNow` compares the lists of
    // todos as they are before the batch, so a place beside a todo that the batch moves to a list is for the next one.
    const mustWait =
      [id, neighborId].some((each) => created.has(each)) ||
      (neighborId && [id, neighborId].some((each) => moved.has(each)));
    if (type !== "todo" || op === "restore" || mustWait) break;
    if (op === "create") created.add(id);
    if (op === "move" && operation.place.list_id !== undefined) moved.add(id);
    // The updates of a todo have one name, or one for each choice of fields.
    const fields = op === "update" && apart ? Object.keys(operation.fields).sort() : "";
    const name = op === "update" ? `${id}${fields}` : key;
    const earlier = operations.get(name);
    if (!earlier && operations.size === BATCH_OPERATIONS) break;
    operations.set(name, sentOf(queued, earlier));
  }
  return [...operations.values()];
}

type Update = Extract<Operation, { op: "update" }>;

/** @param earlier updates of the same row, which become one with this one. Each field keeps the time of its own change */
function sentOf({ operation, key, at }: Queued, earlier?: Sent): Sent {
  const times = { ...earlier?.times };
  for (const field in "fields" in operation ? operation.fields : {}) times[field] = at;
  return {
    keys: [...(earlier?.keys ?? []), key],
    times,
    // Only updates have an earlier one.
    operation: earlier ? together(earlier.operation as Update, operation as Update) : operation,
  };
}

/** The later values, and those that the service had before all of these updates. */
const together = (earlier: Update, later: Update) =>
  ({
    ...later,
    fields: { ...earlier.fields, ...later.fields },
    before: { ...later.before, ...earlier.before },
  }) as Update;

function batch(operations: Sent[], entries: Entries, resolve?: ResolveConflict): Sending {
  const texts: string[] = [];
  let length = 0;
  for (const sent of operations) {
    const { op } = sent.operation;
    const id = realId(entries, sent.operation.id);
    const text = JSON.stringify({
      op,
      id: op === "create" ? undefined : id,
      if_match: op === "update" ? entries[`todo/${id}`]?.rev : undefined,
      ...contentOf(sent, entries, resolve),
    });
    length += text.length + 1;
    if (length > BATCH_LENGTH && texts.length > 0) break;
    texts.push(text);
  }
  const body = `{"operations":[${texts}]}`;
  return request("POST", BATCH, body, operations.slice(0, texts.length));
}

function single(sent: Sent, entries: Entries, resolve?: ResolveConflict): Sending {
  const { op, id: oldId } = sent.operation;
  const id = realId(entries, oldId);
  const method = op === "update" ? "PATCH" : op === "delete" ? "DELETE" : "POST";
  const resource = op === "restore" ? `/trash/${id}` : op === "create" ? "/lists" : `/lists/${id}`;
  const path = op === "move" || op === "restore" ? `${resource}/${op}` : resource;
  const row = entries[`list/${id}`];
  const condition = op === "update" && row && { "if-match": `"${row.rev}"` };
  const body = JSON.stringify(contentOf(sent, entries, resolve));
  return request(method, path, body, [sent], condition);
}

const request = (
  method: string,
  path: string,
  body: string,
  operations: Sent[],
  condition?: Record<string, string> | false,
): Sending => ({
  at: new Date().toISOString(),
  headers: {
    ...condition,
    "content-type": "application/json",
    "idempotency-key": randomKey(),
  },
  method,
  path,
  body,
  operations,
});

/** The body for the service, with current ids and rows. */
function contentOf(
  { operation, times }: Sent,
  entries: Entries,
  resolve?: ResolveConflict,
): object {
  const { type } = operation;
  const row = entries[`${type}/${realId(entries, operation.id)}`];
  if (operation.op === "move") return placeNow(type, operation.place, entries, row);
  if (operation.op === "update" && row) return merged(operation, times, row, resolve);
  if (!("fields" in operation)) return {};
  const fields: Partial<TodoCreate & ListCreate> = operation.fields;
  return { ...fields, ...placeNow(type, fields, entries) };
}

/**
 * A place with current ids. If its list or its neighbor no longer exists, it is left out. This means the inbox, the
 * same list, or the end. For a list, the end must be named: it is after the last of the other lists.
 */
function placeNow(type: Type, place: TodoMove & Partial<ListCreate>, entries: Entries, row?: Row) {
  const list = place.list_id && realId(entries, place.list_id);
  const list_id = list && !entries[`list/${list}`] ? undefined : list;
  const listAfter = list_id === undefined ? row && listOf(row) : list_id;
  const neighborId = place.after && realId(entries, place.after);
  const neighbor = neighborId && entries[`${type}/${neighborId}`];
  if (!neighborId || (neighbor && listOf(neighbor) === listAfter)) {
    return { list_id, after: neighborId };
  }
  if (type === "todo") return { list_id };
  return {
    after: inOrder(valuesOf(entries, type)).findLast((each) => each !== row)?.id ?? null,
  };
}
