/** How a todo repeats, and when its next occurrence is due. No loop goes from date to date, so a long gap is cheap. */
import { type Due, today } from "./due.ts";
import { Temporal } from "./temporal.ts";

type PlainDate = ReturnType<typeof Temporal.PlainDate.from>;

export interface Repeat {
  /** 1 to 365 units. */
  every: number;
  unit: "day" | "week" | "month" | "year";
  /**
   * ISO weekdays, Monday is 1. Only with weeks that are counted from the due date. Without weekdays, the weekday of the
   * due date is used.
   */
  weekdays?: number[];
  /** The start of the interval: the due date, or the day on which the todo is ticked off. */
  from: "due" | "done";
}

/** A due date in a series. */
export interface Occurrence {
  due: Due;
  /**
   * The day of the month, 1 to 31, that the user set. It is later than the date's own day when the month is too short
   * for it. The next month that is long enough uses it again.
   */
  anchor: number;
}

const LAST_YEAR = 9999;

/** The day of the month that the user sets with a due date. */
export function anchorOf(due: Due): number {
  return Temporal.PlainDate.from(due.date).day;
}

/**
 * The occurrence that follows when a todo is ticked off: the first one that is after its own due date and not before
 * today, in its zone or else in UTC. With "done", it is one interval after today instead. The time and the zone stay
 * the same.
 * @param now milliseconds since the epoch
 * @returns undefined when the date would be after the year 9999
 */
export function nextDue(
  { due, anchor }: Occurrence,
  repeat: Repeat,
  now: number,
): Occurrence | undefined {
  const day = Temporal.PlainDate.from(today(now, due.zone));
  const own = Temporal.PlainDate.from(due.date);
  const isFromDone = repeat.from === "done";
  // Counting from today starts a new series, with today's day of the month.
  const start = isFromDone ? day : own;
  const startAnchor = isFromDone ? day.day : anchor;
  const earliest = later(day, start.add({ days: 1 }));
  const next = firstOccurrence(start, startAnchor, repeat, earliest);
  if (next.year > LAST_YEAR) return undefined;
  const keepsDayOfMonth = repeat.unit === "month" || repeat.unit === "year";
  return {
    due: { ...due, date: next.toString() },
    anchor: keepsDayOfMonth && !isFromDone ? anchor : next.day,
  };
}

/** The first occurrence of the series that begins at `start`, on or after `earliest`, which is after `start`. */
function firstOccurrence(
  start: PlainDate,
  anchor: number,
  { every, unit, weekdays }: Repeat,
  earliest: PlainDate,
): PlainDate {
  switch (unit) {
    case "day":
      return everyDays(start, every, earliest);
    case "week":
      return weekdays === undefined
        ? everyDays(start, 7 * every, earliest)
        : onWeekdays(start, every, weekdays, earliest);
    case "month":
      return everyMonths(start, anchor, every, earliest);
    case "year":
      return everyMonths(start, anchor, 12 * every, earliest);
  }
}

function everyDays(start: PlainDate, every: number, earliest: PlainDate): PlainDate {
  const intervals = Math.ceil(start.until(earliest).days / every);
  return start.add({ days: intervals * every });
}

function everyMonths(
  start: PlainDate,
  anchor: number,
  every: number,
  earliest: PlainDate,
): PlainDate {
  const occurrence = (intervals: number) =>
    start
      .with({ day: 1 })
      .add({ months: intervals * every })
      .with({ day: anchor });
  // This compares months without their days, so the result can be too early by one interval.
  const intervals = Math.ceil(monthsBetween(start, earliest) / every);
  const first = occurrence(intervals);
  return isBefore(first, earliest) ? occurrence(intervals + 1) : first;
}

/** In every nth ISO week, counted from the week of `start`, the days that are among the weekdays. */
function onWeekdays(
  start: PlainDate,
  every: number,
  weekdays: number[],
  earliest: PlainDate,
): PlainDate {
  const firstMonday = start.subtract({ days: start.dayOfWeek - 1 });
  const week = Math.floor(firstMonday.until(earliest).days / 7);
  const inSameWeek = weekdays.filter((weekday) => weekday >= earliest.dayOfWeek);
  const isOn = week % every === 0 && inSameWeek.length > 0;
  const nextWeek = isOn ? week : (Math.floor(week / every) + 1) * every;
  const weekday = Math.min(...(isOn ? inSameWeek : weekdays));
  return firstMonday.add({ days: 7 * nextWeek + weekday - 1 });
}

function monthsBetween(from: PlainDate, to: PlainDate): number {
  return 12 * (to.year - from.year) + to.month - from.month;
}

function isBefore(a: PlainDate, b: PlainDate): boolean {
  return Temporal.PlainDate.compare(a, b) < 0;
}

function later(a: PlainDate, b: PlainDate): PlainDate {
  return isBefore(a, b) ? b : a;
}
