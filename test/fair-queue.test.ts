/** The queue that password hashes and writes on Workers wait in: who gets the next turn, and who is refused. */
import { describe, expect, test } from "bun:test";
import { fairQueue } from "../src/fair-queue.ts";
import { Failure } from "../src/http/problem.ts";

/** A queue whose tasks end when the test says so, and the tasks that have begun in it so far. */
function open(options: { concurrency: number; waitingPerClient: number; waiting: number }) {
  const run = fairQueue(options);
  const begun: string[] = [];
  const running: (() => void)[] = [];
  return {
    begun,
    /** A task with the name of its client and a number. It resolves to whether it got its turn. */
    add(client: string, number: number, network = client): Promise<boolean> {
      const task = () => {
        begun.push(`${client}${number}`);
        return new Promise<boolean>((resolve) => running.push(() => resolve(true)));
      };
      return run({ network, user: client }, task).catch((error) => {
        expect(error).toBeInstanceOf(Failure);
        expect(error.code).toBe("unavailable");
        return false;
      });
    },
    /** Ends the task that has run longest, and waits for the consequences. */
    async endOne(): Promise<void> {
      running.shift()?.();
      await Bun.sleep(0);
    },
  };
}

const options = { concurrency: 2, waitingPerClient: 8, waiting: 100 };

describe("the queue", () => {
  test("runs as many at once as it was told, and the next when one ends", async () => {
    const queue = open(options);
    for (let i = 0; i < 5; i++) void queue.add("a", i);
    expect(queue.begun).toEqual(["a0", "a1"]);
    await queue.endOne();
    expect(queue.begun).toEqual(["a0", "a1", "a2"]);
    for (let i = 0; i < 4; i++) await queue.endOne();
    expect(queue.begun).toHaveLength(5);
    // Nothing is left over: two places are free again.
    for (let i = 5; i < 8; i++) void queue.add("a", i);
    expect(queue.begun).toHaveLength(7);
  });

  test("gives clients their turns one after the other, however many tasks each has", async () => {
    const queue = open({ ...options, concurrency: 1 });
    for (let i = 0; i < 9; i++) void queue.add("a", i);
    void queue.add("b", 0);
    void queue.add("b", 1);
    void queue.add("c", 0);
    for (let i = 0; i < 6; i++) await queue.endOne();
    expect(queue.begun).toEqual(["a0", "a1", "b0", "c0", "a2", "b1", "a3"]);
  });

  test("lets eight of one client wait and refuses the next, but not another client's", async () => {
    const queue = open(options);
    const added = Array.from({ length: 11 }, (_, i) => queue.add("a", i));
    expect(await added[10]).toBe(false);
    const other = queue.add("b", 0);
    for (let i = 0; i < 11; i++) await queue.endOne();
    expect(await Promise.all(added.slice(0, 10))).toEqual(Array(10).fill(true));
    expect(await other).toBe(true);
  });

  test("refuses the client with the most tasks when it is full, so that a new client gets a place", async () => {
    const queue = open({ concurrency: 1, waitingPerClient: 3, waiting: 4 });
    void queue.add("running", 0);
    const many = [0, 1, 2].map((i) => queue.add("many", i));
    const few = queue.add("few", 0);
    const newcomer = queue.add("newcomer", 0);
    expect(await many[2]).toBe(false);
    // Clients that already have a waiting task take no place from another client.
    expect(await queue.add("few", 1)).toBe(false);
    const last = queue.add("last", 0);
    expect(await many[1]).toBe(false);
    // Now each client has one, and nobody has a place to give up.
    expect(await queue.add("late", 0)).toBe(false);
    for (let i = 0; i < 5; i++) await queue.endOne();
    expect(await Promise.all([many[0], few, newcomer, last])).toEqual([true, true, true, true]);
  });

  test("gives networks their turns, however many users each has, and then its users", async () => {
    const queue = open({ ...options, concurrency: 1 });
    for (let i = 0; i < 5; i++) void queue.add(`a${i}-`, 0, "a");
    void queue.add("a1-", 1, "a");
    void queue.add("b", 0);
    void queue.add("b", 1);
    for (let i = 0; i < 7; i++) await queue.endOne();
    const expected = ["a0-0", "a1-0", "b0", "a2-0", "b1", "a3-0", "a4-0", "a1-1"];
    expect(queue.begun).toEqual(expected);
  });

  test("refuses a network whose many users have one task each, so that another gets a place", async () => {
    const queue = open({ concurrency: 1, waitingPerClient: 3, waiting: 4 });
    void queue.add("running", 0);
    const many = [0, 1, 2, 3].map((i) => queue.add(`user${i}-`, 0, "many"));
    const other = queue.add("other", 0);
    for (let i = 0; i < 5; i++) await queue.endOne();
    expect(await other).toBe(true);
    expect(await Promise.all(many)).toEqual([true, true, true, false]);
  });

  test("goes on after a task that fails", async () => {
    const run = fairQueue({ ...options, concurrency: 1 });
    const failing = run({ network: "a" }, () => Promise.reject(new Error("no")));
    const next = run({ network: "a" }, async () => "yes");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("yes");
  });

  test("gives the place of a task that never ends to the next task after a while", async () => {
    let now = 0;
    const run = fairQueue({ ...options, concurrency: 1, now: () => now });
    const lost = Promise.withResolvers<string>();
    const cut = run({ network: "cut" }, () => lost.promise);
    const waiting = run({ network: "a" }, async () => "waited");
    now += 14_000;
    let isDone = false;
    const late = run({ network: "b" }, async () => {
      isDone = true;
    });
    await Bun.sleep(0);
    expect(isDone).toBe(false);
    now += 2000;
    expect(await run({ network: "c" }, async () => "last")).toBe("last");
    expect(await waiting).toBe("waited");
    await late;
    // If the task ends after all, its place is not given away twice.
    const held = Promise.withResolvers<void>();
    const holding = run({ network: "d" }, () => held.promise);
    lost.resolve("cut");
    expect(await cut).toBe("cut");
    let hasBegun = false;
    const next = run({ network: "e" }, async () => {
      hasBegun = true;
    });
    await Bun.sleep(0);
    expect(hasBegun).toBe(false);
    held.resolve();
    await Promise.all([holding, next]);
  });
});
