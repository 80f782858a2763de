/** Tells from a request's `Accept-Language` in which language to write to its sender. */
import type { MailData } from "../database/schema.ts";

export type Language = MailData["language"];

/** One of the header's language ranges, of which only the first part counts: `ko` in `ko-KR;q=0.8`. */
const RANGE = /^\s*(\*|[a-z]{1,8})(?:-[a-z\d]{1,8})*\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?$/i;

/**
 * English, unless Korean has the higher quality value, or an equal one and stands first (RFC 9110 §12.5.4).
 * What is no language range counts for nothing.
 */
export function languageOf(acceptLanguage: string | null): Language {
  const qualities = new Map<string, number>();
  for (const range of (acceptLanguage ?? "").split(",")) {
    const [, name = "", quality = "1"] = RANGE.exec(range) ?? [];
    const language = name.toLowerCase();
    qualities.set(language, Math.max(Number(quality), qualities.get(language) ?? 0));
  }
  // `*` is any language that has no quality of its own; those who take any get English.
  const [best] = [...qualities]
    .filter(([name, quality]) => quality > 0 && ["en", "ko", "*"].includes(name))
    .filter(([name]) => name !== "*" || !qualities.has("en"))
    .toSorted(([, a], [, b]) => b - a);
  return best?.[0] === "ko" ? "ko" : "en";
}
