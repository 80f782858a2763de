/** Keeps the JSON of answers that are sent more than once, so that it is made only once. */

const texts = new WeakMap<object, string>();

/**
 * Makes the JSON of an answer, for `keptJson` to find. The answer must not change any more.
 * @returns its length in characters
 */
export function keepJson(answer: object): number {
  const json = JSON.stringify(answer);
  texts.set(answer, json);
  return json.length;
}

/** The JSON of an answer, if it was kept. */
export function keptJson(answer: unknown): string | undefined {
  return typeof answer === "object" && answer !== null ? texts.get(answer) : undefined;
}
