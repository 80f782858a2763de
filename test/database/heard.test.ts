/** What is known about the primary, and since when. The test makes up the ages. */
import { describe, expect, test } from "bun:test";
import { createHeard } from "../../src/database/heard.ts";

const BOUND = 1000;

/** A clock that the test controls. */
function startClock() {
  let now = 0;
  return {
    pass(milliseconds: number) {
      now += milliseconds;
    },
    sinceNow() {
      const then = now;
      return () => now - then;
    },
  };
}

describe("how far a replica must be", () => {
  test("is none before anything is heard, and after the bound", () => {
    const clock = startClock();
    const heard = createHeard(BOUND);
    expect(heard.floor()).toBeUndefined();
    heard.note({ count: 5 }, clock.sinceNow());
    expect(heard.floor()?.count).toBe(5);
    clock.pass(BOUND - 1);
    expect(heard.floor()?.count).toBe(5);
    clock.pass(1);
    expect(heard.floor()).toBeUndefined();
  });

  test("is never older than the bound, and never newer than it needs to be", () => {
    const clock = startClock();
    const heard = createHeard(BOUND);
    const ages: (() => number)[] = [];
    for (let count = 1; count <= 500; count++) {
      const noted = clock.sinceNow();
      ages.push(noted);
      heard.note({ count }, noted);
      const age = ages[(heard.floor()?.count ?? 0) - 1]?.() ?? Number.NaN;
      const good = ages.map((each) => each()).filter((each) => each < BOUND);
      expect(age).toBeLessThan(BOUND);
      // Moments are distinguished only with a limited resolution.
      expect(age).toBeGreaterThanOrEqual(Math.max(...good) - BOUND / 4);
      clock.pass((count * 37) % 101);
    }
  });

  test("does not rise by an answer that another one has overtaken", () => {
    const clock = startClock();
    const heard = createHeard(BOUND);
    const early = clock.sinceNow();
    clock.pass(10);
    heard.note({ count: 7 }, clock.sinceNow());
    heard.note({ count: 6 }, early);
    expect(heard.floor()?.count).toBe(7);
    expect(heard.age()).toBe(0);
  });

  test("begins anew when a backup with fewer commits has been restored", () => {
    const clock = startClock();
    const heard = createHeard(BOUND);
    heard.note({ count: 700 }, clock.sinceNow());
    clock.pass(BOUND / 2);
    heard.note({ count: 3 }, clock.sinceNow());
    expect(heard.floor()?.count).toBe(3);
  });
});
