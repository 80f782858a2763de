/**
 * Decides about a change when someone else has changed the same row. For each field that both have changed, the later
 * change wins. The service has one time for a row. So the time of its last change counts, whatever was changed then.
 */
import type { List, ListUpdate, Row, Todo, TodoUpdate, Type } from "./rows.ts";

/** A field that was changed here and elsewhere, to different values. */
export type Conflict =
  | ConflictIn<"todo", Todo, Required<TodoUpdate>>
  | ConflictIn<"list", List, ListUpdate>;

type ConflictIn<Type, Row, Fields> = {
  [Field in keyof Fields]: {
    type: Type;
    field: Field;
    /** The current row, with their value. */
    row: Row;
    before: Fields[Field];
    mine: Fields[Field];
    theirs: Fields[Field];
    /**
     * When my value was set (RFC 3339). The row's `updated_at` is the time of the row's last change, perhaps of another
     * field. Their value is not newer than that.
     */
    at: string;
  };
}[keyof Fields];

/** @returns the value to keep; undefined to let the times decide */
export type ResolveConflict = (conflict: Conflict) => Conflict["mine"] | undefined;

type Values = Record<string, unknown>;

/** A change of some fields, with the values from before. */
interface Update {
  type: Type;
  fields: Values;
  before: Values;
}

/**
 * @param times when each of the fields was set. The time of another field says nothing about this one
 * @param row the row as the service has it now
 * @returns the fields with the values to set. If someone else has won, that is the value that the field already has
 */
export function merged(
  { type, fields, before }: Update,
  times: Record<string, string>,
  row: Row,
  resolve?: ResolveConflict,
): object {
  return Object.fromEntries(
    Object.entries(times).map(([field, at]) => {
      const mine = fields[field];
      // The fields of a change are fields of its row.
      const theirs = row[field as keyof Row];
      if (isSame(theirs, before[field]) || isSame(theirs, mine)) return [field, mine];
      const conflict = { type, field, row, before: before[field], mine, theirs, at };
      // The values come from one row and its fields. The types cannot follow this through the loop.
      const resolved = valueBy(resolve, conflict as unknown as Conflict);
      const isLater = Date.parse(at) >= Date.parse(row.updated_at);
      return [field, resolved === undefined ? (isLater ? mine : theirs) : resolved];
    }),
  );
}

function valueBy(resolve: ResolveConflict | undefined, conflict: Conflict) {
  try {
    return resolve?.(conflict);
  } catch (error) {
    // This is an error of the app. It is reported, but it must not keep the queue from being sent.
    queueMicrotask(() => {
      throw error;
    });
    return undefined;
  }
}

export const isSame = (a: unknown, b: unknown) => textOf(a) === textOf(b);

/** A value as text, without differences that the service makes: a due date's `at`, nulls, and the order of weekdays. */
function textOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return Object.entries(value)
    .filter(([name, part]) => name !== "at" && part !== null)
    .map(([name, part]) => (Array.isArray(value) ? "" : name) + textOf(part))
    .sort()
    .join();
}
