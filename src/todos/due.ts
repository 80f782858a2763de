/**
 * When a todo is due: a calendar date, optionally with a time of day, optionally with a time zone. Nothing here reads a
 * clock.
 */
import { Temporal } from "./temporal.ts";

export interface Due {
  /** `YYYY-MM-DD`, in the years 0001 to 9999. */
  date: string;
  /** `HH:MM`, 00:00 to 23:59. Null means all day. */
  time: string | null;
  /** An IANA name, as it was sent. Null means the time zone of the reader. There is no zone without a time. */
  zone: string | null;
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

/**
 * Whether it is a time zone that this runtime knows, in upper or lower case. Temporal also accepts offsets, such as
 * `+09:00`. They are refused here, because they have no rules for daylight saving time.
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

/**
 * The instant in UTC (RFC 3339, with milliseconds), by the rules of the zone for that day. A local time that the zone
 * skips is read with the offset before the gap. If a local time occurs twice, the first one is used (RFC 5545 §3.3.5).
 * Temporal calls this "compatible".
 * @returns null without a zone; null for a zone that this runtime does not know, because another runtime may have
 *   stored it; and null when the instant is outside the years 0001 to 9999, because RFC 3339 or its readers do not
 *   support it
 */
export function dueAt({ date, time, zone }: Due): string | null {
  if (time === null || zone === null || !isZone(zone)) return null;
  const local = Temporal.PlainDateTime.from(`${date}T${time}`);
  const instant = local.toZonedDateTime(zone, { disambiguation: "compatible" }).toInstant();
  const text = instant.toString({ fractionalSecondDigits: 3 });
  return /^(?!0000)\d{4}-/.test(text) ? text : null;
}

/**
 * The date in a zone. In UTC if there is no zone, or if this runtime does not know the zone.
 * @param now milliseconds since the epoch
 */
export function today(now: number, zone: string | null): string {
  const instant = Temporal.Instant.fromEpochMilliseconds(now);
  const known = zone !== null && isZone(zone) ? zone : "UTC";
  return instant.toZonedDateTimeISO(known).toPlainDate().toString();
}
