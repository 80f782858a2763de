/** Moments as text (RFC 3339), made quickly: a page of todos has hundreds of them, and each log line has one. */

const DAY = 24 * 60 * 60 * 1000;

const padded = (count: number, digits: number) =>
  Array.from({ length: count }, (_, n) => String(n).padStart(digits, "0"));
const TWO = padded(60, 2);
const THREE = padded(1000, 3);

/** The last moment that a Date can hold (ECMA-262 §21.4.1.1). The first one is its negative. */
const LAST = 8.64e15;

/** Days since the epoch, as text that ends in `T`. */
const days = new Map<number, string>();
const DAYS = 1000;

/**
 * RFC 3339 in UTC, the same text as `Date.prototype.toISOString`, in half the time.
 * @param milliseconds since the epoch, an integer
 * @throws RangeError when it is not a valid moment
 */
export function toInstant(milliseconds: number): string {
  if (!(milliseconds >= -LAST && milliseconds <= LAST)) throw new RangeError("This is no moment");
  const day = Math.floor(milliseconds / DAY);
  const time = milliseconds - day * DAY;
  const hours = TWO[Math.floor(time / 3_600_000)];
  const minutes = TWO[Math.floor(time / 60_000) % 60];
  const seconds = TWO[Math.floor(time / 1000) % 60];
  return `${dayText(day)}${hours}:${minutes}:${seconds}.${THREE[time % 1000]}Z`;
}

function dayText(day: number): string {
  const known = days.get(day);
  if (known !== undefined) return known;
  const whole = new Date(day * DAY).toISOString();
  const text = whole.slice(0, whole.indexOf("T") + 1);
  // The moments of rows may be on any day, but most days occur often.
  if (days.size >= DAYS) days.clear();
  days.set(day, text);
  return text;
}
