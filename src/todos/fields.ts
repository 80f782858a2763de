/** A todo's fields in a request: the checks that no schema can do, and the columns that each field sets. */
import { unfit } from "../http/problem.ts";
import { type Due, dueAt } from "./due.ts";
import type { TodoCreate, TodoUpdate } from "./model.ts";
import { anchorOf, type Repeat } from "./repeat.ts";
import { fold } from "./search.ts";

export const needsDue = () => unfit("/due", "A todo that repeats needs a due date.");
export const isDoneAlready = () => unfit("/repeat", "A todo that is done cannot repeat.");
export const endsBefore10000 = () =>
  unfit("/due", "The next todo would be due after the year 9999.");

/** @throws Failure `validation_failed` */
export function checkCreate({ due, repeat, is_done }: TodoCreate): void {
  if (repeat && is_done) throw isDoneAlready();
  if (repeat && !due) throw needsDue();
}

/**
 * The due date of a request. The schema has already checked each part by itself. A missing part means the same as null.
 * @throws Failure `validation_failed`
 */
function toDue({ date, time = null, zone = null }: NonNullable<TodoUpdate["due"]>): Due {
  if (zone !== null && time === null) throw unfit("/due/zone", "Allowed only with a time.");
  return { date, time, zone };
}

/** @param day the day of the month that the user set, if it is not the day of the date */
export function dueColumns(due: Due | null, day = due && anchorOf(due)) {
  const at = due && dueAt(due);
  return {
    due_date: due?.date ?? null,
    due_time: due?.time ?? null,
    due_zone: due?.zone ?? null,
    due_at: at && Date.parse(at),
    due_day: day,
  };
}

/**
 * The same rule always gives the same text, so that a change to the same value is recognized.
 * @throws Failure `validation_failed`
 */
export function repeatColumn(repeat: Repeat | null): string | null {
  if (repeat === null) return null;
  const { every, unit, weekdays, from } = repeat;
  if (weekdays && (unit !== "week" || from !== "due")) {
    throw unfit("/repeat/weekdays", "Allowed only with weeks that are counted from the due date.");
  }
  const sorted = weekdays?.toSorted((a, b) => a - b);
  return JSON.stringify({ every, unit, ...(sorted && { weekdays: sorted }), from });
}

/**
 * The values of the columns that the fields set. A missing field sets none.
 * @throws Failure `validation_failed`
 */
export function columnValues(fields: TodoUpdate) {
  const { contents, notes, is_done, priority, due, repeat } = fields;
  return {
    ...(contents !== undefined && { contents, contents_folded: fold(contents) }),
    ...(notes !== undefined && { notes, notes_folded: notes && fold(notes) }),
    ...(is_done !== undefined && { is_done }),
    ...(priority !== undefined && { priority }),
    ...(due !== undefined && dueColumns(due && toDue(due))),
    ...(repeat !== undefined && { repeat: repeatColumn(repeat) }),
  };
}

export type ColumnValues = ReturnType<typeof columnValues>;
