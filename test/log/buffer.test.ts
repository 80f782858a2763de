/** Lines on their way to stdout: which of them share a write, which are lost, and that each lost one is counted. */
import { expect, test } from "bun:test";
import { createLineBuffer } from "../../src/log/buffer.ts";

/** A replacement for stdout. */
function output() {
  const writes: string[] = [];
  const gate = { open: Promise.resolve() };
  const decoder = new TextDecoder();
  return {
    writes,
    /** Accepts nothing until `resume` is called. */
    stall() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate.open = promise;
      return { resume: resolve };
    },
    async write(bytes: Uint8Array) {
      await gate.open;
      writes.push(decoder.decode(bytes));
      return bytes.length;
    },
  };
}

const MEBIBYTE = 1024 * 1024;
const lostLine = (lost: number) => `lost ${lost}\n`;

test("lines that come together share one write", async () => {
  const { writes, write } = output();
  const buffer = createLineBuffer(write, lostLine);
  for (let i = 0; i < 100; i++) buffer.add(`${i}\n`, false);
  expect(writes).toEqual([]);
  while (writes.length === 0) await Bun.sleep(5);
  expect(writes.join("").split("\n")).toHaveLength(101);
  expect(writes).toHaveLength(1);
});

test("an urgent line is written at once, after those before it", async () => {
  const { writes, write } = output();
  const buffer = createLineBuffer(write, lostLine);
  buffer.add("one\n", false);
  buffer.add("two\n", true);
  await Promise.resolve();
  await Promise.resolve();
  expect(writes).toEqual(["one\ntwo\n"]);
  // Also while another write is under way.
  buffer.add("three\n", true);
  buffer.add("four\n", true);
  await buffer.flush();
  expect(writes.join("")).toBe("one\ntwo\nthree\nfour\n");
});

test("flush resolves when all is written, and when there is nothing to write", async () => {
  const { writes, write } = output();
  const buffer = createLineBuffer(write, lostLine);
  await buffer.flush();
  for (const line of ["one\n", "two\n"]) {
    buffer.add(line, false);
    await buffer.flush();
  }
  expect(writes).toEqual(["one\n", "two\n"]);
});

test("what a write takes in parts is written whole", async () => {
  const taken: number[] = [];
  const buffer = createLineBuffer(async (bytes) => {
    const some = bytes.subarray(0, 3);
    taken.push(...some);
    return some.length;
  }, lostLine);
  buffer.add("우유를 산다\n", false);
  await buffer.flush();
  expect(new TextDecoder().decode(new Uint8Array(taken))).toBe("우유를 산다\n");
});

test("while nobody reads, memory is bounded, and each lost line is counted", async () => {
  const { writes, stall, write } = output();
  const buffer = createLineBuffer(write, lostLine);
  const { resume } = stall();
  const line = `${"x".repeat(1023)}\n`;
  const total = 5000;
  for (let i = 0; i < total; i++) buffer.add(line, i % 10 === 0);
  expect(buffer.lost()).toBeGreaterThan(total / 2);
  resume();
  await buffer.flush();
  const written = writes.join("");
  expect(written.length).toBeLessThan(2 * MEBIBYTE);
  const lines = written.split("\n").filter((each) => each === line.trim());
  expect(lines.length + buffer.lost()).toBe(total);
  // At the place where they are missing.
  expect(written).toContain(`\nlost ${buffer.lost()}\n`);
  buffer.add("after\n", true);
  await buffer.flush();
  expect(writes.at(-1)).toBe("after\n");
});

test("a pipe whose reader has gone loses lines, and takes them again if it can", async () => {
  const { writes, write } = output();
  let isBroken = true;
  const buffer = createLineBuffer(async (bytes) => {
    if (isBroken) throw Object.assign(new Error("broken pipe"), { code: "EPIPE" });
    return write(bytes);
  }, lostLine);
  for (const line of ["one\n", "two\n"]) {
    buffer.add(line, true);
    await buffer.flush();
  }
  expect(buffer.lost()).toBe(2);
  isBroken = false;
  buffer.add("three\n", true);
  await buffer.flush();
  expect(writes).toEqual(["three\n", "lost 2\n"]);
});

test("a pipe that is full for a moment and does not block is tried again", async () => {
  const { writes, write } = output();
  let attempts = 0;
  const buffer = createLineBuffer(async (bytes) => {
    if (++attempts < 3) throw Object.assign(new Error("try again"), { code: "EAGAIN" });
    return write(bytes);
  }, lostLine);
  buffer.add("one\n", true);
  await buffer.flush();
  expect(writes).toEqual(["one\n"]);
  expect(buffer.lost()).toBe(0);
});

test("lines that come during a write are written without a further one", async () => {
  const { writes, stall, write } = output();
  const buffer = createLineBuffer(write, lostLine);
  const { resume } = stall();
  buffer.add("one\n", true);
  // More than are made at once, so that some of them wait as text, and the others are not made yet.
  for (let i = 0; i < 300; i++) buffer.add(() => `${i}\n`, false);
  resume();
  while (!writes.join("").endsWith("299\n")) await Bun.sleep(5);
});

test("a line that is too long is lost, and those after it are not", async () => {
  const { writes, write } = output();
  const buffer = createLineBuffer(write, lostLine);
  buffer.add("x".repeat(MEBIBYTE + 1), false);
  while (buffer.lost() === 0) await Bun.sleep(5);
  buffer.add("after\n", false);
  while (!writes.join("").includes("lost 1\n")) await Bun.sleep(5);
  expect(writes.join("")).toBe("after\nlost 1\n");
});
