/** When the upkeep runs its jobs. The jobs have their own tests. `main.test.ts` shows that a process runs them. */
import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { createUpkeep } from "../src/upkeep.ts";

const MINUTE = 60_000;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Lets code continue that only waits for promises. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("runs its jobs at once, then once a minute, and not after its end", async () => {
  let turns = 0;
  const upkeep = createUpkeep({
    count: async () => {
      turns++;
    },
  });
  upkeep.start();
  await settle();
  expect(turns).toBe(1);
  for (const expected of [2, 3]) {
    jest.advanceTimersByTime(MINUTE - 1);
    await settle();
    expect(turns).toBe(expected - 1);
    jest.advanceTimersByTime(1);
    await settle();
    expect(turns).toBe(expected);
  }
  await upkeep.stop();
  jest.advanceTimersByTime(10 * MINUTE);
  await settle();
  expect(turns).toBe(3);
});

test("tries a failed job again, and runs the others meanwhile", async () => {
  const done: string[] = [];
  const upkeep = createUpkeep({
    fail: async () => {
      done.push("fail");
      throw new Error("not today");
    },
    work: async () => {
      done.push("work");
    },
  });
  upkeep.start();
  await settle();
  jest.advanceTimersByTime(MINUTE);
  await settle();
  expect(done).toEqual(["fail", "work", "fail", "work"]);
  await upkeep.stop();
});

test("ends only after the current job", async () => {
  const job = Promise.withResolvers<void>();
  const upkeep = createUpkeep({ work: () => job.promise });
  upkeep.start();
  let hasEnded = false;
  const end = upkeep.stop().then(() => {
    hasEnded = true;
  });
  await settle();
  expect(hasEnded).toBe(false);
  job.resolve();
  await end;
  expect(hasEnded).toBe(true);
});
