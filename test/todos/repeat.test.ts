/** Repetition: a table of cases, and a comparison with a model that counts day by day. */
import { describe, expect, test } from "bun:test";
import type { Due } from "../../src/todos/due.ts";
import { anchorOf, nextDue, type Repeat } from "../../src/todos/repeat.ts";

const DAY = 24 * 60 * 60 * 1000;

const allDay = (date: string): Due => ({ date, time: null, zone: null });
const noon = (date: string) => Date.parse(`${date}T12:00:00Z`);

/** A repetition in a short form: `3 week 1,5 done`. */
function repeat(text: string): Repeat {
  const [, every, unit, weekdays, done] = /^(\d+) (\w+?)s?(?: ([\d,]+))?( done)?$/.exec(text) ?? [];
  if (unit !== "day" && unit !== "week" && unit !== "month" && unit !== "year")
    throw new Error(text);
  return {
    every: Number(every),
    unit,
    ...(weekdays !== undefined && { weekdays: weekdays.split(",").map(Number) }),
    from: done === undefined ? "due" : "done",
  };
}

/** The dates of a series whose todos are all ticked off on their due dates. */
function series(date: string, rule: string, length: number): string[] {
  const dates: string[] = [];
  let last = { due: allDay(date), anchor: anchorOf(allDay(date)) };
  while (dates.length < length) {
    const next = nextDue(last, repeat(rule), noon(last.due.date));
    if (next === undefined) throw new Error("The series ended");
    last = next;
    dates.push(next.due.date);
  }
  return dates;
}

/** The next date, when a todo is ticked off on a day at noon. */
function nextDate(date: string, rule: string, day: string): string | undefined {
  const due = allDay(date);
  return nextDue({ due, anchor: anchorOf(due) }, repeat(rule), noon(day))?.due.date;
}

describe("a series, ticked off day for day", () => {
  test.each([
    ["2026-12-30", "1 day", ["2026-12-31", "2027-01-01"]],
    ["2026-02-27", "2 days", ["2026-03-01", "2026-03-03"]],
    ["2026-01-01", "365 days", ["2027-01-01", "2028-01-01", "2028-12-31"]],
    ["2026-12-28", "1 week", ["2027-01-04"]],
    ["2026-12-28", "3 weeks", ["2027-01-18", "2027-02-08"]],
    ["2026-01-31", "1 month", ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]],
    ["2026-01-30", "1 month", ["2026-02-28", "2026-03-30"]],
    ["2024-01-31", "1 month", ["2024-02-29", "2024-03-31"]],
    ["2026-08-31", "1 month", ["2026-09-30", "2026-10-31"]],
    ["2026-02-28", "1 month", ["2026-03-28", "2026-04-28"]],
    ["2026-11-30", "3 months", ["2027-02-28", "2027-05-30"]],
    ["2026-12-31", "2 months", ["2027-02-28", "2027-04-30", "2027-06-30", "2027-08-31"]],
    ["2026-08-31", "18 months", ["2028-02-29", "2029-08-31"]],
    ["2024-02-29", "1 year", ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]],
    ["2024-02-29", "4 years", ["2028-02-29", "2032-02-29"]],
    ["1896-02-29", "4 years", ["1900-02-28", "1904-02-29"]],
    ["1996-02-29", "4 years", ["2000-02-29", "2004-02-29"]],
    ["2096-02-29", "4 years", ["2100-02-28", "2104-02-29"]],
    ["2023-02-28", "1 year", ["2024-02-28", "2025-02-28"]],
    // 2026-11-20 is a Friday.
    ["2026-11-20", "1 week 1,2,3,4,5", ["2026-11-23", "2026-11-24"]],
    ["2026-11-20", "1 week 6,7", ["2026-11-21", "2026-11-22", "2026-11-28"]],
    ["2026-11-20", "1 week 5", ["2026-11-27", "2026-12-04"]],
    ["2026-11-20", "1 week 4", ["2026-11-26"]],
    ["2026-11-20", "1 week 7,1", ["2026-11-22", "2026-11-23", "2026-11-29", "2026-11-30"]],
    ["2026-11-20", "2 weeks 1,5", ["2026-11-30", "2026-12-04", "2026-12-14"]],
    ["2026-11-20", "2 weeks 5,7", ["2026-11-22", "2026-12-04", "2026-12-06"]],
    ["2026-11-16", "3 weeks 1,7", ["2026-11-22", "2026-12-07", "2026-12-13"]],
    // Over the end of a year, and of a year with 53 ISO weeks.
    ["2026-12-31", "1 week 1,4", ["2027-01-04", "2027-01-07"]],
    ["2026-12-31", "2 weeks 4,7", ["2027-01-03", "2027-01-14"]],
    ["2027-01-03", "2 weeks 1", ["2027-01-11"]],
  ])("%s, %s", (date, rule, dates) => {
    expect(series(date, rule, dates.length)).toEqual(dates);
  });
});

describe("ticked off early, the next is after the due date", () => {
  test.each([
    ["2026-11-20", "1 day", "2026-11-01", "2026-11-21"],
    ["2026-11-20", "1 week", "2026-11-19", "2026-11-27"],
    ["2026-11-20", "1 week 5", "2026-11-16", "2026-11-27"],
    ["2026-11-20", "2 weeks 1", "2026-11-01", "2026-11-30"],
    ["2026-03-31", "1 month", "2026-01-31", "2026-04-30"],
    ["2028-02-29", "1 year", "2026-11-20", "2029-02-28"],
  ])("%s, %s, on %s: %s", (date, rule, day, next) => {
    expect(nextDate(date, rule, day)).toBe(next);
  });
});

describe("ticked off late, the next is today at the earliest", () => {
  test.each([
    ["2026-11-01", "1 day", "2026-11-20", "2026-11-20"],
    ["2026-11-01", "7 days", "2026-11-20", "2026-11-22"],
    ["2026-11-01", "19 days", "2026-11-20", "2026-11-20"],
    ["2026-11-01", "1 week", "2026-11-20", "2026-11-22"],
    ["2026-10-30", "3 weeks", "2026-11-20", "2026-11-20"],
    ["2026-10-30", "3 weeks", "2026-11-21", "2026-12-11"],
    ["2026-11-02", "1 week 5", "2026-11-20", "2026-11-20"],
    ["2026-11-02", "1 week 4", "2026-11-20", "2026-11-26"],
    ["2026-11-02", "2 weeks 5", "2026-11-20", "2026-11-20"],
    ["2026-11-09", "2 weeks 5", "2026-11-20", "2026-11-27"],
    ["2026-11-09", "2 weeks 1,4", "2026-11-27", "2026-12-07"],
    ["2026-01-31", "1 month", "2026-02-28", "2026-02-28"],
    ["2026-01-31", "1 month", "2026-03-01", "2026-03-31"],
    ["2026-01-31", "2 months", "2026-06-01", "2026-07-31"],
    ["2026-01-31", "3 months", "2026-04-30", "2026-04-30"],
    ["2024-02-29", "1 year", "2026-03-01", "2027-02-28"],
    ["2024-02-29", "1 year", "2028-02-28", "2028-02-29"],
    ["2000-02-29", "4 years", "2099-01-01", "2100-02-28"],
    ["2000-02-29", "4 years", "2100-03-01", "2104-02-29"],
  ])("%s, %s, on %s: %s", (date, rule, day, next) => {
    expect(nextDate(date, rule, day)).toBe(next);
  });
});

describe("from the day that it is done, whatever the due date", () => {
  test.each([
    ["2026-11-01", "3 days done", "2026-11-20", "2026-11-23"],
    ["2027-11-01", "3 days done", "2026-11-20", "2026-11-23"],
    ["2026-11-01", "2 weeks done", "2026-12-25", "2027-01-08"],
    ["2026-01-15", "1 month done", "2026-01-31", "2026-02-28"],
    ["2026-01-31", "1 month done", "2026-02-28", "2026-03-28"],
    ["2026-01-31", "1 month done", "2026-03-03", "2026-04-03"],
    ["2020-02-29", "1 year done", "2024-02-29", "2025-02-28"],
    ["2020-02-29", "1 year done", "2026-11-20", "2027-11-20"],
  ])("%s, %s, on %s: %s", (date, rule, day, next) => {
    expect(nextDate(date, rule, day)).toBe(next);
  });
});

describe("the day of the month that was set", () => {
  const next = (date: string, anchor: number, rule: string, day = date) =>
    nextDue({ due: allDay(date), anchor }, repeat(rule), noon(day));

  test("is kept while it repeats by months or years", () => {
    expect(next("2026-01-31", 31, "1 month")).toEqual({ due: allDay("2026-02-28"), anchor: 31 });
    expect(next("2026-02-28", 31, "1 month")).toEqual({ due: allDay("2026-03-31"), anchor: 31 });
    expect(next("2026-02-28", 30, "1 month")).toEqual({ due: allDay("2026-03-30"), anchor: 30 });
    expect(next("2025-02-28", 29, "3 years")).toEqual({ due: allDay("2028-02-29"), anchor: 29 });
    expect(next("2026-02-28", 31, "1 month", "2026-06-01")).toEqual({
      due: allDay("2026-06-30"),
      anchor: 31,
    });
  });

  test("is that of the new date when days or weeks are counted, or it begins anew when done", () => {
    for (const rule of ["1 day", "1 week", "1 week 1", "1 month done", "1 day done"]) {
      const occurrence = next("2026-02-28", 31, rule, "2026-03-31");
      const day = Number(occurrence?.due.date.slice(-2));
      expect([rule, occurrence?.anchor]).toEqual([rule, day]);
    }
  });
});

describe("today is that of the zone", () => {
  const at = (zone: string | null, time: string | null, now: string) =>
    nextDue(
      { due: { date: "2026-11-18", time, zone }, anchor: 18 },
      repeat("1 day"),
      Date.parse(now),
    )?.due;

  test.each([
    ["Asia/Seoul", "2026-11-19T14:59:59Z", "2026-11-19"],
    ["Asia/Seoul", "2026-11-19T15:00:00Z", "2026-11-20"],
    ["America/Los_Angeles", "2026-11-20T07:59:59Z", "2026-11-19"],
    ["America/Los_Angeles", "2026-11-20T08:00:00Z", "2026-11-20"],
    ["Pacific/Kiritimati", "2026-11-19T10:00:00Z", "2026-11-20"],
    [null, "2026-11-19T23:59:59Z", "2026-11-19"],
    [null, "2026-11-20T00:00:00Z", "2026-11-20"],
  ])("%s at %s", (zone, now, date) => {
    expect(at(zone, "07:30", now)).toEqual({ date, time: "07:30", zone });
  });

  test("and a time of day that has passed is still today's", () => {
    expect(at("UTC", "00:00", "2026-11-20T23:59:59Z")?.date).toBe("2026-11-20");
  });
});

describe("the ends of time", () => {
  test.each([
    ["9999-12-31", "1 day"],
    ["9999-12-25", "1 week"],
    ["9999-12-31", "1 week 1"],
    ["9999-12-01", "1 month"],
    ["9635-01-01", "365 years"],
    ["9999-02-28", "1 year"],
  ])("nothing follows %s, %s", (date, rule) => {
    expect(nextDate(date, rule, "2026-11-20")).toBeUndefined();
  });

  test.each([
    ["9999-12-30", "1 day", "9999-12-31"],
    ["9999-11-30", "1 month", "9999-12-30"],
    ["9634-01-01", "365 years", "9999-01-01"],
    ["0001-01-01", "1 day", "2026-11-20"],
    ["0001-01-01", "1 week", "2026-11-23"],
    ["0001-01-01", "1 week 5", "2026-11-20"],
    ["0001-01-31", "1 month", "2026-11-30"],
    ["0001-11-20", "1 year", "2026-11-20"],
    ["0001-11-19", "1 year", "2027-11-19"],
  ])("after %s, %s comes %s", (date, rule, next) => {
    expect(nextDate(date, rule, "2026-11-20")).toBe(next);
  });

  test("a due date of two thousand years ago costs about as much as yesterday's", () => {
    const cost = (date: string) => {
      const start = performance.now();
      for (const rule of ["1 day", "1 week 1,5", "1 month", "1 year"]) {
        for (let i = 0; i < 200; i++) nextDate(date, rule, "2026-11-20");
      }
      return performance.now() - start;
    };
    const least = (date: string) => Math.min(...[1, 2, 3, 4, 5].map(() => cost(date)));
    least("2026-11-19");
    expect(least("0001-01-01") / least("2026-11-19")).toBeLessThan(10);
  });
});

describe("a model that walks from day to day", () => {
  /** A pseudo-random integer below `bound`, the same in each run (a linear congruential generator). */
  let state = 20261120;
  function random(bound: number): number {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  }

  // In this model a day is its number since 1970.
  const text = (day: number) => new Date(day * DAY).toISOString().slice(0, 10);
  const parts = (day: number) => {
    const date = new Date(day * DAY);
    const month = 12 * date.getUTCFullYear() + date.getUTCMonth();
    return { month, dayOfMonth: date.getUTCDate(), weekday: date.getUTCDay() || 7 };
  };
  const isLastOfMonth = (day: number) => parts(day + 1).dayOfMonth === 1;

  function isOccurrence(start: number, anchor: number, rule: Repeat, day: number): boolean {
    const first = parts(start);
    const { month, dayOfMonth, weekday } = parts(day);
    const weeks = (day - weekday - (start - first.weekday)) / 7;
    const isAnchored = dayOfMonth === anchor || (dayOfMonth < anchor && isLastOfMonth(day));
    switch (rule.unit) {
      case "day":
        return (day - start) % rule.every === 0;
      case "week":
        return (rule.weekdays ?? [first.weekday]).includes(weekday) && weeks % rule.every === 0;
      case "month":
        return isAnchored && (month - first.month) % rule.every === 0;
      case "year":
        return isAnchored && (month - first.month) % (12 * rule.every) === 0;
    }
  }

  function walk(due: number, anchor: number, rule: Repeat, today: number): string {
    const isDone = rule.from === "done";
    const start = isDone ? today : due;
    let day = isDone ? today + 1 : Math.max(due + 1, today);
    while (!isOccurrence(start, isDone ? parts(today).dayOfMonth : anchor, rule, day)) day++;
    return text(day);
  }

  const units = ["day", "week", "month", "year"] as const;
  const bounds = { day: 365, week: 60, month: 30, year: 9 };

  function randomCase() {
    const due = random(150_000) - 60_000;
    const today = due + (random(4) === 0 ? -random(800) : random(random(2) ? 40 : 4000));
    const unit = units[random(4)] ?? "day";
    const from = random(4) === 0 ? ("done" as const) : ("due" as const);
    const weekdays = [1, 2, 3, 4, 5, 6, 7].filter(() => random(3) === 0);
    const hasWeekdays = unit === "week" && from === "due" && weekdays.length > 0;
    const every = 1 + random(random(2) ? 3 : bounds[unit]);
    const { dayOfMonth } = parts(due);
    const anchor = isLastOfMonth(due) ? dayOfMonth + random(32 - dayOfMonth) : dayOfMonth;
    return { due, today, anchor, rule: { every, unit, from, ...(hasWeekdays && { weekdays }) } };
  }

  test("says the same of 5,000 cases", () => {
    const differences: object[] = [];
    for (let i = 0; i < 5_000; i++) {
      const { due, today, anchor, rule } = randomCase();
      const next = nextDue({ due: allDay(text(due)), anchor }, rule, today * DAY + random(DAY));
      const expected = walk(due, anchor, rule, today);
      if (next?.due.date !== expected) {
        differences.push({ due: text(due), today: text(today), anchor, rule, next, expected });
      }
    }
    expect(differences).toEqual([]);
  });
});
