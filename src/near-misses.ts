/** Finds names of settings that are probably misspelt, such as `DATABSE_URL`, and warns about them. */
import { getLogger } from "@logtape/logtape";
import type { Config } from "./config.ts";

export interface NearMiss {
  name: string;
  /** The setting that it is similar to. */
  meant: string;
}

/** Maximum number of edits between a name and its misspelling. */
const MOST_EDITS = 2;
/** Shorter names are similar to too many others: HOME is two letters away from HOST. */
const SHORTEST = 7;

/** The other variables whose names are similar to a setting. */
export function nearMisses({ others, settings }: Pick<Config, "others" | "settings">): NearMiss[] {
  const candidates = settings
    .filter((each) => each.length >= SHORTEST)
    .map((text) => ({ text, pieces: piecesOf(text) }));
  return others
    .filter((name) => name.length >= SHORTEST)
    .flatMap((name) => {
      const meant = candidates.find((each) => isNear(name.toUpperCase(), each));
      return meant === undefined ? [] : [{ name, meant: meant.text }];
    });
}

interface Candidate {
  text: string;
  /** The parts of the text, one more than there may be edits. So all edits together leave one part unchanged. */
  pieces: string[];
}

function piecesOf(text: string): string[] {
  const length = Math.ceil(text.length / (MOST_EDITS + 1));
  return text.match(new RegExp(`.{1,${length}}`, "g")) ?? [];
}

/** Writes a line to the log for each. */
export function warnOf(misses: readonly NearMiss[]): void {
  const text = "there is no setting {name}, so it changes nothing: did you mean {meant}?";
  for (const { name, meant } of misses) getLogger("todos").warn(text, { name, meant });
}

/**
 * Whether one text becomes the other when a few letters are added, removed or changed (Levenshtein distance). Each start
 * compares all variables of the environment with all settings, so most pairs are told apart by a quick look.
 */
function isNear(one: string, { text: other, pieces }: Candidate): boolean {
  if (Math.abs(one.length - other.length) > MOST_EDITS) return false;
  if (!pieces.some((piece) => one.includes(piece))) return false;
  let above = [0];
  while (above.length <= other.length) above.push(above.length);
  for (let i = 0; i < one.length; i++) {
    const row = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const changed = (above[j] ?? 0) + (one[i] === other[j] ? 0 : 1);
      row.push(Math.min(changed, (above[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    }
    above = row;
  }
  return (above[other.length] ?? 0) <= MOST_EDITS;
}
