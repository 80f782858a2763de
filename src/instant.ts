/** Moments as text, many thousand times a second: pages of todos have hundreds of them, and each log line has one. */

const DAY = 24 * 60 * 60 * 1000;

const padded = (count: number, digits: number) =>
  Array.from({ length: count }, (_, n) => String(n).padStart(digits, "0"));
const TWO = padded(60, 2);
const THREE = padded(1000, 3);

/** The day of the last call, as days since the epoch and as text with its `T`. */
let lastDay = Number.NaN;
let lastDayText = "";

/**
 * RFC 3339 in UTC, the same text as `Date.prototype.toISOString`, in a fifth of its time.
 * @param milliseconds since the epoch, an integer
 */
export function toInstant(milliseconds: number): string {
  const day = Math.floor(milliseconds / DAY);
  if (day !== lastDay) {
    // Throws a RangeError for what is no moment.
    const text = new Date(milliseconds).toISOString();
    lastDayText = text.slice(0, text.indexOf("T") + 1);
    lastDay = day;
  }
  const time = milliseconds - day * DAY;
  const hours = TWO[Math.floor(time / 3_600_000)];
  const minutes = TWO[Math.floor(time / 60_000) % 60];
  const seconds = TWO[Math.floor(time / 1000) % 60];
  return `${lastDayText}${hours}:${minutes}:${seconds}.${THREE[time % 1000]}Z`;
}
