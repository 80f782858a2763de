/** The progress of long work, on a terminal and in a log. */
import { expect, jest, test } from "bun:test";
import { startProgress } from "../../src/start/progress.ts";

/** Milliseconds. */
const INTERVAL = 20;

/** The output while `work` runs, and the output afterwards. */
async function written(
  isTerminal: boolean,
  work: (progress: ReturnType<typeof startProgress>, lines: string[]) => unknown,
): Promise<string[]> {
  const lines: string[] = [];
  const writeError = (text: string) => lines.push(text);
  const progress = startProgress({ isTerminal, writeError }, INTERVAL);
  await work(progress, lines);
  progress.end();
  return lines;
}

const untilThereAre = async (count: number, lines: string[]) => {
  while (lines.length < count) await Bun.sleep(1);
};

test("a log gets a line each time the interval is over, with what is left, though nothing more is told", async () => {
  const lines = await written(false, async (progress, soFar) => {
    progress.tell("Copying", 1, 4);
    await untilThereAre(2, soFar);
    progress.tell("Copying", 3, 4);
    await untilThereAre(3, soFar);
  });
  expect(lines.slice(0, 2)).toEqual([
    expect.stringMatching(/^Copying: 25 %, \d+ s left\n$/),
    expect.stringMatching(/^Copying: 25 %, \d+ s left\n$/),
  ]);
  expect(lines.at(-1)).toMatch(/^Copying: 75 %, \d+ s left\n$/);
});

test("a terminal's line is drawn anew, and cleared at the end", async () => {
  const lines = await written(true, async (progress, soFar) => {
    progress.tell("Copying", 1, 2);
    await untilThereAre(1, soFar);
  });
  expect(lines[0]).toMatch(/Copying: 50 %, \d+ s left$/);
  expect(lines.at(-1)).toBe("\r\x1b[K");
});

test("work without a measure shows how long it has taken", async () => {
  const lines = await written(false, async (progress, soFar) => {
    progress.tell("Checking");
    await untilThereAre(1, soFar);
  });
  expect(lines[0]).toMatch(/^Checking: \d+ s\n$/);
});

test("quick work shows nothing, and neither does what has not begun", async () => {
  const lines = await written(true, (progress) => progress.tell("Copying", 1, 2));
  expect(lines).toEqual([]);
  expect(await written(false, () => Bun.sleep(3 * INTERVAL))).toEqual([]);
});

test("a log gets a line every ten seconds", () => {
  jest.useFakeTimers();
  try {
    const lines: string[] = [];
    const writeError = (text: string) => lines.push(text);
    const progress = startProgress({ isTerminal: false, writeError });
    progress.tell("Copying", 1, 2);
    for (const count of [1, 2]) {
      jest.advanceTimersByTime(9999);
      expect(lines).toHaveLength(count - 1);
      jest.advanceTimersByTime(1);
      expect(lines).toHaveLength(count);
    }
    progress.end();
  } finally {
    jest.useRealTimers();
  }
});
