/** Chooses the language of a mail from the request's `Accept-Language`. */
import type { MailData } from "../database/schema.ts";

export type Language = MailData["language"];

/** The language of a mail that a request asks for. */
export const languageFor = (request: Request): Language =>
  languageOf(request.headers.get("accept-language"));

/** One language range of the header. Only its first part matters: `ko` in `ko-KR;q=0.8`. */
const RANGE = /^\s*(\*|[a-z]{1,8})(?:-[a-z\d]{1,8})*\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?$/i;

/**
 * Korean when its quality value is higher than that of English, or when it is equal and Korean comes first (RFC 9110
 * §12.5.4). Otherwise English. Parts that are not language ranges are ignored.
 */
export function languageOf(acceptLanguage: string | null): Language {
  const qualities = new Map<string, number>();
  for (const range of (acceptLanguage ?? "").split(",")) {
    const [, name = "", quality = "1"] = RANGE.exec(range) ?? [];
    const language = name.toLowerCase();
    qualities.set(language, Math.max(Number(quality), qualities.get(language) ?? 0));
  }
  // `*` stands for every language without its own quality value. Clients that accept any language get English.
  const [best] = [...qualities]
    .filter(([name, quality]) => quality > 0 && ["en", "ko", "*"].includes(name))
    .filter(([name]) => name !== "*" || !qualities.has("en"))
    .toSorted(([, a], [, b]) => b - a);
  return best?.[0] === "ko" ? "ko" : "en";
}
