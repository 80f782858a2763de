/** Due dates: which are valid, and the instants that they stand for. */
import { describe, expect, test } from "bun:test";
import { dueAt, isDate, isZone, today } from "../../src/todos/due.ts";

describe("a date", () => {
  test.each([
    "0001-01-01",
    "1600-02-29",
    "1900-02-28",
    "2000-02-29",
    "2024-02-29",
    "2026-08-09",
    "9999-12-31",
  ])("%s is one", (text) => {
    expect(isDate(text)).toBe(true);
  });

  test.each([
    "0000-12-31",
    "-001-01-01",
    "-000001-01-01",
    "+002026-08-09",
    "10000-01-01",
    "1900-02-29",
    "2023-02-29",
    "2026-02-30",
    "2026-04-31",
    "2026-00-10",
    "2026-13-01",
    "2026-01-00",
    "2026-01-32",
    "2026-8-9",
    "20260809",
    "2026-W32-7",
    "2026-221",
    "2026/08/09",
    "2026-08-09T00:00",
    "2026-08-09Z",
    "2026-08-09[u-ca=hebrew]",
    "2026-08-09\n",
    " 2026-08-09",
    "２０２６-08-09",
    "tomorrow",
    "",
  ])("%j is none", (text) => {
    expect(isDate(text)).toBe(false);
  });
});

describe("a zone", () => {
  test.each([
    "UTC",
    "Asia/Seoul",
    "asia/seoul",
    "Asia/Calcutta",
    "Asia/Kolkata",
    "Europe/Kyiv",
    "America/Argentina/Buenos_Aires",
    "America/Port-au-Prince",
    "Etc/GMT+9",
    "EST5EDT",
  ])("%s is one", (text) => {
    expect(isZone(text)).toBe(true);
  });

  test.each([
    "+09:00",
    "-0330",
    "+09",
    "−09:00",
    "Z",
    "GMT+9",
    "UTC+9",
    "PST",
    "IST",
    "Local",
    "Etc/Unknown",
    "Asia/Atlantis",
    "Asia",
    "Asia/Seoul ",
    "../Asia/Seoul",
    "2026-01-01T00:00[Asia/Seoul]",
    "",
  ])("%j is none", (text) => {
    expect(isZone(text)).toBe(false);
  });
});

describe("the instant", () => {
  test.each([
    ["2026-08-09", "09:00", "Asia/Seoul", "2026-08-09T00:00:00.000Z"],
    ["2026-08-09", "08:59", "Asia/Seoul", "2026-08-08T23:59:00.000Z"],
    ["2026-08-09", "09:00", "Asia/Kathmandu", "2026-08-09T03:15:00.000Z"],
    ["2026-01-15", "12:00", "Europe/Berlin", "2026-01-15T11:00:00.000Z"],
    ["2026-07-15", "12:00", "Europe/Berlin", "2026-07-15T10:00:00.000Z"],
    // Rules change: South Korea had summer time in 1988, and Samoa changed sides of the date line.
    ["1988-07-01", "09:00", "Asia/Seoul", "1988-06-30T23:00:00.000Z"],
    ["2011-12-29", "12:00", "Pacific/Apia", "2011-12-29T22:00:00.000Z"],
    ["2011-12-31", "12:00", "Pacific/Apia", "2011-12-30T22:00:00.000Z"],
    // The offset changes by half an hour, on Lord Howe Island.
    ["2026-10-04", "02:15", "Australia/Lord_Howe", "2026-10-03T15:45:00.000Z"],
    ["0001-06-01", "12:00", "UTC", "0001-06-01T12:00:00.000Z"],
    ["9999-12-31", "23:59", "UTC", "9999-12-31T23:59:00.000Z"],
  ])("of %s %s in %s", (date, time, zone, at) => {
    expect(dueAt({ date, time, zone })).toBe(at);
  });

  test.each([
    ["2026-03-29", "02:00", "Europe/Berlin", "2026-03-29T01:00:00.000Z"],
    ["2026-03-29", "02:30", "Europe/Berlin", "2026-03-29T01:30:00.000Z"],
    ["2026-03-29", "03:00", "Europe/Berlin", "2026-03-29T01:00:00.000Z"],
    // The example of RFC 5545: 02:30 EDT does not exist, so it is 02:30 EST, which is 03:30 EDT.
    ["2007-03-11", "02:30", "America/New_York", "2007-03-11T07:30:00.000Z"],
    // Here midnight itself is skipped, and in Samoa a whole day was.
    ["2026-09-06", "00:00", "America/Santiago", "2026-09-06T04:00:00.000Z"],
    ["2011-12-30", "12:00", "Pacific/Apia", "2011-12-30T22:00:00.000Z"],
  ])("of %s %s in %s, which was skipped, is by the offset before", (date, time, zone, at) => {
    expect(dueAt({ date, time, zone })).toBe(at);
  });

  test.each([
    ["2026-10-25", "02:00", "Europe/Berlin", "2026-10-25T00:00:00.000Z"],
    ["2026-10-25", "02:59", "Europe/Berlin", "2026-10-25T00:59:00.000Z"],
    ["2026-10-25", "03:00", "Europe/Berlin", "2026-10-25T02:00:00.000Z"],
    // The example of RFC 5545: the first 01:30, which is EDT.
    ["2007-11-04", "01:30", "America/New_York", "2007-11-04T05:30:00.000Z"],
    ["2026-04-05", "01:45", "Australia/Lord_Howe", "2026-04-04T14:45:00.000Z"],
  ])("of %s %s in %s, which occurs twice, is the first", (date, time, zone, at) => {
    expect(dueAt({ date, time, zone })).toBe(at);
  });

  test("is there with a zone alone", () => {
    expect(dueAt({ date: "2026-08-09", time: null, zone: null })).toBeNull();
    expect(dueAt({ date: "2026-08-09", time: "09:00", zone: null })).toBeNull();
  });

  test("is null in a zone that another runtime knew when it stored it", () => {
    expect(dueAt({ date: "2026-08-09", time: "09:00", zone: "Asia/Atlantis" })).toBeNull();
  });

  test("is null where it leaves the years 0001 to 9999", () => {
    expect(dueAt({ date: "9999-12-31", time: "23:59", zone: "America/New_York" })).toBeNull();
    expect(dueAt({ date: "0001-01-01", time: "00:00", zone: "Asia/Seoul" })).toBeNull();
  });
});

describe("today", () => {
  const now = Date.parse("2026-12-31T14:59:59.999Z");
  test.each([
    [now, null, "2026-12-31"],
    [now, "UTC", "2026-12-31"],
    [now, "Asia/Seoul", "2026-12-31"],
    [now + 1, "Asia/Seoul", "2027-01-01"],
    [now + 1, "Pacific/Kiritimati", "2027-01-01"],
    [now, "Pacific/Pago_Pago", "2026-12-31"],
    [now + 1, "Asia/Atlantis", "2026-12-31"],
    [-1, null, "1969-12-31"],
  ])("at %i in %s", (now, zone, date) => {
    expect(today(now, zone)).toBe(date);
  });
});
