/** When a todo is due: a civil date, perhaps with a time of day, perhaps in a time zone. Nothing here reads a clock. */
import { Temporal } from "./temporal.ts";

export interface Due {
  /** `YYYY-MM-DD`, in the years 0001 to 9999. */
  date: string;
  /** `HH:MM`, 00:00 to 23:59. Null is all day. */
  time: string | null;
  /** An IANA name, as it was sent. Null is wherever the reader is. There is no zone without a time. */
  zone: string | null;
}

/** A due date as a request has it, where null is the same as left out. */
export interface DueInput {
  date: string;
  time?: string | null | undefined;
  zone?: string | null | undefined;
}

/** Whether it is a `YYYY-MM-DD` of the proleptic Gregorian calendar, from 0001-01-01 to 9999-12-31. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || text.startsWith("0000")) return false;
  try {
    Temporal.PlainDate.from(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether it is an `HH:MM` from 00:00 to 23:59. */
export function isTime(text: string): boolean {
  return /^([01]\d|2[0-3]):[0-5]\d$/.test(text);
}

/**
 * Whether it names a time zone that this runtime knows, in any case. Temporal takes offsets for zones too, such as
 * `+09:00`. They are refused here, because no rules stand behind them.
 */
export function isZone(text: string): boolean {
  if (!/^[A-Za-z]/.test(text)) return false;
  try {
    new Temporal.ZonedDateTime(0n, text);
    return true;
  } catch {
    return false;
  }
}

/** The due date of a request, or undefined when a part of it does not exist or there is a zone without a time. */
export function toDue({ date, time, zone }: DueInput): Due | undefined {
  const due = { date, time: time ?? null, zone: zone ?? null };
  if (!isDate(due.date)) return undefined;
  if (due.time !== null && !isTime(due.time)) return undefined;
  if (due.zone !== null && (due.time === null || !isZone(due.zone))) return undefined;
  return due;
}

/**
 * The instant in UTC (RFC 3339, with milliseconds), by the rules that the zone has for that day. A local time that the
 * zone skips is read with the offset before the gap, and of one that occurs twice the first is meant (RFC 5545
 * §3.3.5): Temporal calls this "compatible".
 * @returns null without a zone; null for a zone that this runtime does not know, since another runtime may have stored
 *   it; and null where the instant is outside the years 0001 to 9999, which RFC 3339 or its readers do not cover
 */
export function dueAt({ date, time, zone }: Due): string | null {
  if (time === null || zone === null || !isZone(zone)) return null;
  const local = Temporal.PlainDateTime.from(`${date}T${time}`);
  const instant = local.toZonedDateTime(zone, { disambiguation: "compatible" }).toInstant();
  const text = instant.toString({ fractionalSecondDigits: 3 });
  return /^(?!0000)\d{4}-/.test(text) ? text : null;
}

/**
 * The date in a zone, or in UTC without one or when this runtime does not know it.
 * @param now milliseconds since the epoch
 */
export function today(now: number, zone: string | null): string {
  const instant = Temporal.Instant.fromEpochMilliseconds(now);
  const known = zone !== null && isZone(zone) ? zone : "UTC";
  return instant.toZonedDateTimeISO(known).toPlainDate().toString();
}
