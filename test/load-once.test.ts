/** What is loaded at its first use, and what becomes of a failure. */
import { expect, test } from "bun:test";
import { loadOnce } from "../src/load-once.ts";

test("it is loaded once, however many ask at once and later", async () => {
  let times = 0;
  const get = loadOnce(async () => ({ times: ++times }));
  expect(times).toBe(0);
  const [first, second] = await Promise.all([get(), get()]);
  expect(first).toEqual({ times: 1 });
  expect([second, await get()]).toEqual([first, first]);
});

test("after a failure it is tried again, and no failure is kept", async () => {
  let times = 0;
  const get = loadOnce(async () => {
    if (++times === 1) throw new Error("EMFILE");
    return times;
  });
  const failed = await Promise.allSettled([get(), get()]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect([await get(), await get()]).toEqual([2, 2]);
});
