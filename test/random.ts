/** Random numbers for tests: the same for the same seed, so that a run can be repeated. */

export type Random = ReturnType<typeof createRandom>;

/** mulberry32. */
export function createRandom(seed: number) {
  let state = seed;

  /** From 0 to below 1. */
  function random(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 to below `limit`, an integer. */
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
