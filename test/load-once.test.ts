/** loadOnce loads at the first use, and tries again after a failure. */
import { expect, test } from "bun:test";
import { loadOnce } from "../src/load-once.ts";

test("it loads once, however many calls come at once and later", async () => {
  let times = 0;
  const get = loadOnce(async () => ({ times: ++times }));
  expect(times).toBe(0);
  const [first, second] = await Promise.all([get(), get()]);
  expect(first).toEqual({ times: 1 });
  expect([second, await get()]).toEqual([first, first]);
});

test("after a failure the next call loads again", async () => {
  let times = 0;
  const get = loadOnce(async () => {
    if (++times === 1) throw new Error("EMFILE");
    return times;
  });
  const failed = await Promise.allSettled([get(), get()]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect([await get(), await get()]).toEqual([2, 2]);
});
