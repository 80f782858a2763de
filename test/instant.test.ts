/** Moments as text: the same result as `toISOString`, for every moment that a row may have. */
import { expect, test } from "bun:test";
import { toInstant } from "../src/instant.ts";

const DAY = 86_400_000;

test.each([
  ["the epoch", 0],
  ["a millisecond later", 1],
  ["a millisecond before", -1],
  ["the end of a day", DAY - 1],
  ["the beginning of the next", DAY],
  ["a leap day", Date.UTC(2024, 1, 29, 23, 59, 59, 999)],
  ["the last of year 9999", Date.UTC(9999, 11, 31, 23, 59, 59, 999)],
  ["the first of year 10000", Date.UTC(10_000, 0, 1)],
  ["a moment before year 0", Date.UTC(-1, 5, 5, 5, 5, 5, 5)],
  ["the last that a Date holds", 8.64e15],
])("%s", (_, milliseconds) => {
  expect(toInstant(milliseconds)).toBe(new Date(milliseconds).toISOString());
});

test("any moments, each day followed by another or by itself", () => {
  for (let i = 0; i < 20_000; i++) {
    const near = Math.floor(Math.random() * 3 * DAY) + 1_700_000_000_000;
    const far = Math.floor((Math.random() - 0.5) * 2 * 8.64e15);
    for (const milliseconds of [near, near, far]) {
      expect(toInstant(milliseconds)).toBe(new Date(milliseconds).toISOString());
    }
  }
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1])("%p is no moment", (value) => {
  toInstant(0);
  expect(() => toInstant(value)).toThrow(RangeError);
});
