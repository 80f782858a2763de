/** The form of a text in which it is searched, so that neither case nor width matters. */

/**
 * Texts that differ only in case or width fold to the same text. This is NFKC and full case folding, in the order of
 * Unicode's compatibility caseless match (The Unicode Standard §3.13, D146). Accents and spaces stay. No control
 * character is added, so texts that are joined by a newline can be searched as one.
 */
export function fold(text: string): string {
  // Folding can undo a normal form, and NFKC can produce capitals, so both run twice. NFD comes first: it puts an iota
  // subscript behind the other marks of its letter, before folding makes a letter of it.
  const folded = foldCase(text.normalize("NFD")).normalize("NFKC");
  return foldCase(folded).normalize("NFKC");
}

/**
 * Full case folding (statuses C and F of Unicode's CaseFolding.txt), by the case mappings that every runtime has. Lower
 * case comes first because the capital `ẞ` is its own upper case: it becomes `SS` by way of `ß`. The one difference
 * is that Cherokee folds to small letters here and to capitals in Unicode's table. Searches find the same either way.
 */
function foldCase(text: string): string {
  return (
    text
      // The dotless i has the same capital as `i`, but is another letter.
      .split("ı")
      .map((part) => part.toLowerCase().toUpperCase().toLowerCase())
      .join("ı")
      // `toLowerCase` writes a sigma like this at the end of a word.
      .replaceAll("ς", "σ")
  );
}
