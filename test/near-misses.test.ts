/** Names of settings that are probably misspelt. */
import { expect, test } from "bun:test";
import { readConfig } from "../src/config.ts";
import { nearMisses } from "../src/near-misses.ts";

const missesOf = (...names: string[]) =>
  nearMisses(readConfig(Object.fromEntries(names.map((name) => [name, "1"]))));

test.each([
  ["DATABSE_URL", "DATABASE_URL"],
  ["MAIL_URI", "MAIL_URL"],
  ["TRUST_PROXIES", undefined],
  ["TRUST_PROXYS", "TRUST_PROXY"],
  ["Otp_Ttl", "OTP_TTL"],
  ["SIGNUPS_PER_HOUR", "SIGN_UPS_PER_HOUR"],
  ["JWT_PREVIOUS_SECRET", "JWT_PREVIOUS_SECRETS"],
  ["CORS_ORIGIN", "CORS_ORIGINS"],
])("%s is taken for a misspelling of %s", (name, meant) => {
  expect(missesOf(name)).toEqual(meant === undefined ? [] : [{ name, meant }]);
});

test("variables for other programs on a machine are not near misses", () => {
  const others =
    "PATH HOME HOSTNAME SHELL TERM LANG LC_ALL USER LOGNAME PWD SHLVL TMPDIR MAIL TZ EDITOR DISPLAY";
  const more =
    "NODE_PATH NODE_OPTIONS NO_COLOR HTTP_PROXY HTTPS_PROXY INVOCATION_ID JOURNAL_STREAM";
  expect(missesOf(...`${others} ${more}`.split(" "))).toEqual([]);
});

test("names that are far from every setting are not near misses", () => {
  expect(nearMisses({ others: ["MAIL_HOST"], settings: ["MAIL_URL", "MAIL_FROM"] })).toEqual([]);
});
