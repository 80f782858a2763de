/** The form in which a text is searched, so that case and width do not matter. */

/** Most texts. Nothing but their case has to be folded. */
const ASCII = /^[\0-\x7f]*$/;

/**
 * Texts that differ only in case or width have the same folded form. This is NFKC and full case folding, in the order
 * of Unicode's compatibility caseless match (The Unicode Standard §3.13, D146). Accents and spaces stay.
 */
export function fold(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  // Folding can break a normal form, and NFKC can produce capital letters, so both run twice. NFD comes first: it puts
  // an iota subscript after the other marks of its letter, before folding turns it into a letter.
  const folded = foldCase(text.normalize("NFD")).normalize("NFKC");
  return foldCase(folded).normalize("NFKC");
}

/**
 * Full case folding (statuses C and F of Unicode's CaseFolding.txt), with the case mappings that every runtime has.
 * Lower case comes first, because the capital `ẞ` is its own upper case: it becomes `SS` through `ß`. There is one
 * difference: Cherokee is folded to small letters here, and to capitals in Unicode's table. Searches find the same
 * either way.
 */
function foldCase(text: string): string {
  return (
    text
      // The dotless i has the same capital letter as `i`, but it is a different letter.
      .split("ı")
      .map((part) => part.toLowerCase().toUpperCase().toLowerCase())
      .join("ı")
      // `toLowerCase` writes this form of sigma at the end of a word.
      .replaceAll("ς", "σ")
  );
}
