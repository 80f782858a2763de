/** The texts of the mails, their languages, and the settings about mail. */
import { describe, expect, test } from "bun:test";
import { type Config, ConfigError, readConfig } from "../../src/config.ts";
import { languageOf } from "../../src/mail/language.ts";
import { render } from "../../src/mail/templates.ts";
import { SECRET } from "../service.ts";

describe("mails", () => {
  const otp = "004711";
  const kinds = (["verify_email", "reset_password"] as const).flatMap((template) =>
    (["en", "ko"] as const).map((language) => ({ template, language })),
  );

  test.each(kinds)("$template in $language: both parts say the same", ({ template, language }) => {
    const { subject, text, html } = render(template, { otp, language, expires_in: 180 });
    expect(html).toStartWith(`<!doctype html>\n<html lang="${language}">`);
    const body = html.replace(/^[\s\S]*<body[^>]*>/, "").replace(/<[^>]+>/g, "\n");
    const lines = (part: string) => part.split("\n").map((line) => line.trim());
    expect(lines(body).filter(Boolean)).toEqual(lines(text).filter(Boolean));
    expect(lines(text)).toContain(otp);
    expect(/[가-힣]/.test(subject)).toBe(language === "ko");
    expect(/[가-힣]/.test(text)).toBe(language === "ko");
  });

  const notices = (["address_replaced", "password_changed", "password_reset"] as const).flatMap(
    (template) => (["en", "ko"] as const).map((language) => ({ template, language })),
  );

  test.each(notices)("$template in $language: both parts say the same, and when", (notice) => {
    const { template, language } = notice;
    const at = "2026-11-20T10:00:59.000Z";
    const { subject, text, html } = render(template, { language, at });
    expect(html).toStartWith(`<!doctype html>\n<html lang="${language}">`);
    const body = html.replace(/^[\s\S]*<body[^>]*>/, "").replace(/<[^>]+>/g, "\n");
    const lines = (part: string) => part.split("\n").map((line) => line.trim());
    expect(lines(body).filter(Boolean)).toEqual(lines(text).filter(Boolean));
    expect(text).toContain("2026-11-20 10:00 UTC");
    expect(/[가-힣]/.test(subject)).toBe(language === "ko");
    expect(/[가-힣]/.test(text)).toBe(language === "ko");
  });

  test("are not made of another template's data", () => {
    const at = "2026-11-20T10:00:59.000Z";
    expect(() => render("verify_email", { language: "en", at })).toThrow();
    expect(() => render("password_reset", { language: "en", otp, expires_in: 60 })).toThrow();
  });

  test("all differ, and no subject holds the one-time password", () => {
    const mails = kinds.map(({ template, language }) =>
      render(template, { otp, language, expires_in: 180 }),
    );
    expect(new Set(mails.map(({ subject }) => subject)).size).toBe(kinds.length);
    expect(new Set(mails.map(({ text }) => text)).size).toBe(kinds.length);
    expect(mails.map(({ subject }) => subject).join()).not.toContain(otp);
  });

  test.each([
    [180, "3 minutes", "3분"],
    [60, "1 minute ", "1분"],
    [119, "1 minute ", "1분"],
    [45, "45 seconds", "45초"],
    [3600, "60 minutes", "60분"],
  ])("%i seconds are told as %j and %j", (expires_in, english, korean) => {
    expect(render("verify_email", { otp, language: "en", expires_in }).text).toContain(english);
    expect(render("verify_email", { otp, language: "ko", expires_in }).text).toContain(korean);
  });
});

describe("Accept-Language", () => {
  const cases: ["en" | "ko", (string | null)[]][] = [
    [
      "ko",
      [
        "ko",
        "KO-kr",
        "ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7",
        "en;q=0.7 , ko ; q=0.8",
        "fr, ko;q=0.1",
        "ko, en",
        "ko;q=0.5, en;q=0",
        "ko-Hang-KR, *;q=0.1",
        "en;q=0.2, ko-KP;q=0.1, ko-KR;q=0.3",
        "*;q=0.9, en;q=0.1, ko;q=0.5",
      ],
    ],
    [
      "en",
      [
        null,
        "",
        "en",
        "fr",
        "*",
        "en, ko",
        "en-GB;q=0.9,ko;q=0.8",
        "ko;q=0",
        "ko;q=0.000, *",
        "*, ko;q=0.9",
        "kok",
        "korean",
        "ko;q=2",
        "ko;q=high",
        "ko_KR",
        "<script>",
        ",;q=1,",
        "ko;q=0.5;".repeat(10_000),
      ],
    ],
  ];
  test.each(cases)("means %s", (language, headers) => {
    const others = headers.filter((header) => languageOf(header) !== language);
    expect(others).toEqual([]);
  });
});

describe("settings", () => {
  const production = {
    NODE_ENV: "production",
    JWT_SECRET: SECRET,
    MAIL_URL: "smtps://mail.example.org",
    MAIL_FROM: "todos@example.org",
  };

  function read(environment: Record<string, string>): Config | readonly string[] {
    try {
      return readConfig(environment);
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
  }

  test("mails are printed unless told otherwise, but not in production", () => {
    expect(read({})).toMatchObject({ mailUrl: "log:", mailFrom: "Todos <todos@localhost>" });
    expect(read({ ...production, MAIL_URL: "log:" })).toEqual([
      "MAIL_URL must be an smtp://, smtps://, resend:// or postmark:// URL",
    ]);
    expect(read({ ...production, MAIL_URL: "", MAIL_FROM: "" })).toEqual([
      "MAIL_URL must be set when NODE_ENV is production",
      "MAIL_FROM must be set when NODE_ENV is production",
    ]);
  });

  test.each(["smtp://localhost:1025", "smtps://user:p%40ss@mail.example.org:465?requireTLS=true"])(
    "MAIL_URL may be %j",
    (MAIL_URL) => {
      expect(read({ ...production, MAIL_URL })).toMatchObject({ mailUrl: MAIL_URL });
    },
  );

  test.each(["smtp:", "smtp://", "mail.example.org:587", "http://localhost", "direct://x", "log"])(
    "MAIL_URL must not be %j",
    (MAIL_URL) => {
      expect(read({ MAIL_URL })).toEqual([
        "MAIL_URL must be an smtp://, smtps://, resend:// or postmark:// URL, or log:",
      ]);
    },
  );

  test.each([
    "todos@example.org",
    "Todos <t@example.org>",
    '"T, Inc." <t@x.org>',
    "할 일 <t@x.org>",
  ])("MAIL_FROM may be %j", (MAIL_FROM) => {
    expect(read({ ...production, MAIL_FROM })).toMatchObject({ mailFrom: MAIL_FROM });
  });

  test.each([
    "todos",
    "a@x.org, b@x.org",
    "T, Inc. <t@x.org>",
    "Todos <t@x.org>\r\nBcc: <b@x.org>",
    "A <a@x.org> <b@x.org>",
    "<a@x.org",
    "all: a@x.org;",
  ])("MAIL_FROM must not be %j", (MAIL_FROM) => {
    expect(read({ MAIL_FROM })).toEqual([
      "MAIL_FROM must be an address, or a name and an address in angle brackets",
    ]);
  });
});
