/** Chooses which of the waiting writes share the next commit. */

/**
 * Maximum number of statements in one commit, unless its first write has more. They run without a pause, and block
 * everything else meanwhile.
 */
const STATEMENTS = 1000;

/**
 * Takes writes out of the queue, always at least the first one.
 * @param most the maximum number of writes
 */
export function takeGroup<Write>(
  queue: Write[],
  most: number,
  statementsOf: (write: Write) => number,
): Write[] {
  let statements = 0;
  const end = queue.findIndex((write, i) => {
    statements += statementsOf(write);
    return i > 0 && (i >= most || statements > STATEMENTS);
  });
  return queue.splice(0, end === -1 ? queue.length : end);
}
