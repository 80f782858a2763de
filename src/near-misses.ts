/** Finds names that are probably misspelt, such as `DATABSE_URL`, and warns of them. */
import { getLogger } from "@logtape/logtape";

export interface NearMiss {
  name: string;
  /** The known name that it is like. */
  meant: string;
}

/** Edits between a name and one that it may be a misspelling of. */
const MOST_EDITS = 2;
/** Shorter names are like too many others: HOME is two letters away from HOST. */
const SHORTEST = 7;

/** The names that are not known, but are like one that is. */
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
 * Whether a few letters to add, leave out or change make one text of the other (Levenshtein's distance). It stops as
 * soon as it is sure: at each start, all variables of the environment are compared with all settings.
 */
function isNear(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > MOST_EDITS) return false;
  let above = Array.from({ length: other.length + 1 }, (_, i) => i);
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
