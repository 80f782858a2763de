/** Finds names of settings that are probably misspelt, such as `DATABSE_URL`, and warns about them. */
import { getLogger } from "@logtape/logtape";

export interface NearMiss {
  name: string;
  /** The known name that it is similar to. */
  meant: string;
}

/** Maximum number of edits between a name and its misspelling. */
const MOST_EDITS = 2;
/** Shorter names are similar to too many others: HOME is two letters away from HOST. */
const SHORTEST = 7;

/** The names that are not known, but similar to a known one. */
export function nearMisses(names: readonly string[], known: readonly string[]): NearMiss[] {
  const isKnown = new Set(known);
  const candidates = known.filter((each) => each.length >= SHORTEST);
  return names
    .filter((name) => name.length >= SHORTEST && !isKnown.has(name))
    .flatMap((name) => {
      const meant = candidates.find((each) => isNear(name.toUpperCase(), each));
      return meant === undefined ? [] : [{ name, meant }];
    });
}

/** Writes a line to the log for each. */
export function warnOf(misses: readonly NearMiss[]): void {
  const text = "there is no setting {name}, so it changes nothing: did you mean {meant}?";
  for (const { name, meant } of misses) getLogger("todos").warn(text, { name, meant });
}

/**
 * Whether one text becomes the other when a few letters are added, removed or changed (Levenshtein distance). It stops
 * as soon as the result is certain, because each start compares all variables of the environment with all settings.
 */
function isNear(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > MOST_EDITS) return false;
  let above = [0];
  while (above.length <= other.length) above.push(above.length);
  for (let i = 0; i < one.length; i++) {
    const row = [i + 1];
    let least = i + 1;
    for (let j = 0; j < other.length; j++) {
      const changed = (above[j] ?? 0) + (one[i] === other[j] ? 0 : 1);
      const edits = Math.min(changed, (above[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1);
      row.push(edits);
      least = Math.min(least, edits);
    }
    // No row has fewer than the least of the row above it.
    if (least > MOST_EDITS) return false;
    above = row;
  }
  return (above[other.length] ?? 0) <= MOST_EDITS;
}
