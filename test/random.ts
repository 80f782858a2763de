/** Random numbers for tests. The same seed gives the same numbers, so a run can be repeated. */

export type Random = ReturnType<typeof createRandom>;

/** mulberry32. */
export function createRandom(seed: number) {
  let state = seed;

  /** At least 0 and below 1. */
  function random(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer, at least 0 and below `limit`. */
  function below(limit: number): number {
    return Math.floor(random() * limit);
  }

  function pick<T>(choices: readonly T[]): T {
    const choice = choices[below(choices.length)];
    if (choice === undefined) throw new Error("There is nothing to pick from");
    return choice;
  }

  return { random, below, pick };
}
