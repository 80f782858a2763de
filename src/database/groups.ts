/** Which of the writes that wait share the next commit. */

/** Statements in one commit, unless its first write has more: they run without a pause, and hold up everything else. */
const STATEMENTS = 1000;

/**
 * Takes them out of the queue, the first of them in any case.
 * @param most how many at most
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
