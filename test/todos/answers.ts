/**
 * Prints the results of the pure functions on dates, repetition and search, each on a line, to compare runtimes
 * (`test/slow/dates.slow.ts`). With the argument `polyfill`, it behaves like a runtime without Temporal.
 */
import type { Repeat } from "../../src/todos/repeat.ts";

if (process.argv.includes("polyfill")) Reflect.deleteProperty(globalThis, "Temporal");
// Imported only now, because these modules look for Temporal when they are loaded.
const { dueAt, isDate, isZone, today } = await import("../../src/todos/due.ts");
const { nextDue } = await import("../../src/todos/repeat.ts");
const { fold } = await import("../../src/todos/search.ts");

const HOUR = 60 * 60 * 1000;
const ZONES = [
  "Africa/Casablanca",
  "America/New_York",
  "America/Santiago",
  "America/St_Johns",
  "Asia/Kathmandu",
  "Asia/Seoul",
  "Australia/Lord_Howe",
  "Europe/Dublin",
  "Pacific/Apia",
  "UTC",
];
const NO_ZONES = ["+09:00", "-0330", "GMT+9", "PST", "IST", "Asia/Atlantis", ""];
const RULES: Repeat[] = [
  { every: 3, unit: "day", from: "due" },
  { every: 2, unit: "week", from: "due" },
  { every: 2, unit: "week", weekdays: [1, 5, 7], from: "due" },
  { every: 1, unit: "month", from: "due" },
  { every: 5, unit: "month", from: "done" },
  { every: 1, unit: "year", from: "due" },
];
/** Characters that are new in Unicode 17. Deno 2.9 does not have them yet. */
const NEW_CHARACTERS = /[\uA7CE\uA7D2\uA7D4\uA7F1\u{16EA0}-\u{16EB8}]/u;

const lines: unknown[] = [];

const hours = (from: string, count: number, step: number) =>
  Array.from({ length: count }, (_, i) =>
    new Date(Date.parse(from) + i * step * HOUR).toISOString(),
  );
const moments = [
  ...hours("2026-01-01T00:30Z", 2920, 3), // around each change of offset of a year
  ...hours("1880-01-01T00:00Z", 300, 5003),
  ...hours("0001-01-01T00:00Z", 100, 876_000),
];
for (const moment of moments) {
  const [date, time] = [moment.slice(0, 10), moment.slice(11, 16)];
  for (const zone of ZONES) {
    lines.push([moment, zone, dueAt({ date, time, zone }), today(Date.parse(moment), zone)]);
  }
}

for (const zone of [...ZONES, ...NO_ZONES]) lines.push([zone, isZone(zone)]);
for (const year of ["0000", "0001", "1900", "2000", "2026", "2100", "9999"]) {
  for (let day = 0; day <= 32; day++) {
    const date = `${year}-02-${String(day).padStart(2, "0")}`;
    lines.push([date, isDate(date)]);
  }
}

for (const now of hours("2024-01-01T10:00Z", 800, 37)) {
  for (const rule of RULES) {
    const due = { date: "2023-12-31", time: "09:00", zone: "Asia/Seoul" };
    lines.push([now, rule, nextDue({ due, anchor: 31 }, rule, Date.parse(now))]);
  }
}
lines.push(
  nextDue(
    { due: { date: "9999-12-31", time: null, zone: null }, anchor: 31 },
    { every: 1, unit: "day", from: "due" },
    0,
  ),
);

for (let code = 0; code <= 0x10ffff; code++) {
  const char = String.fromCodePoint(code);
  if (NEW_CHARACTERS.test(char)) continue;
  const folded = fold(`Σ${char}Σ`);
  if (folded !== `σ${char}σ`) lines.push([code, folded]);
}

process.stdout.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
