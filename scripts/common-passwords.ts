/**
 * `bun run common-passwords [file]`: writes the common passwords that are long enough to be chosen, one on each line, from
 * a package with the MIT License. The text takes 2 MB of memory, and the package's array would take 14 MB. Run this after
 * an update of the package.
 */
import { dictionary } from "@zxcvbn-ts/language-common";

/** The least that PASSWORD_MIN_LENGTH may be. */
const SHORTEST = 8;

const [, , file = `${import.meta.dir}/../src/auth/common-passwords.txt`] = process.argv;
const passwords = dictionary["passwords-common"].filter(({ length }) => length >= SHORTEST);
// Sorted by the alphabet, they compress best.
await Bun.write(file, `\n${passwords.toSorted().join("\n")}\n`);
