/**
 * Codes that reset a password: 13 characters of Crockford's base32 (https://www.crockford.com/base32.html), 65 random
 * bits. They are too many to guess, and easy to read out and to type.
 */

/** Digits and letters without I, L, O and U. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 13;

/** A new code, in groups: `XXXXX-XXXXX-XXX`. */
export function newResetCode(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(LENGTH));
  // 256 is a multiple of 32, so all characters are equally likely.
  const code = Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return `${code.slice(0, 5)}-${code.slice(5, 10)}-${code.slice(10)}`;
}

/**
 * The code's characters without the hyphens between its groups; undefined when the text is not a code. Lower case,
 * missing or extra hyphens, `O` for 0, and `I` or `L` for 1 are accepted.
 */
export function readResetCode(text: string): string | undefined {
  // This comes first, because upper case turns some other letters into letters of the alphabet.
  if (!/^[0-9a-z-]+$/i.test(text)) return undefined;
  const code = text.replaceAll("-", "").toUpperCase().replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  return code.length === LENGTH && !code.includes("U") ? code : undefined;
}
