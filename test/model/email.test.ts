/** Which e-mail addresses the API accepts. */
import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { Email } from "../../src/model/email.ts";

const label = (length: number) => "d".repeat(length);
const LONGEST_DOMAIN = `${label(61)}.${label(61)}.${label(61)}.com`;

describe("an e-mail address", () => {
  test.each([
    "mina@example.com",
    "a@b.c",
    "Mina.Kim+todos@mail.EXAMPLE.co.kr",
    "!#$%&'*+/=?^_`{|}~-@example.com",
    "mina@xn--3e0b707e.kr",
    "mina@example.xn--3e0b707e",
    "mina@3com.example",
    "mina@example.c0",
    "mina@example.0c",
    "mina@example.1-a",
    `${"a".repeat(64)}@example.com`,
    `${"a".repeat(64)}@${LONGEST_DOMAIN}`,
    `a@${label(63)}.${label(63)}`,
  ])("may be %s", (address) => {
    expect(Value.Check(Email, address)).toBe(true);
  });

  test.each([
    "",
    "mina",
    "@example.com",
    "mina@",
    "mina@example",
    "mina@example.com.",
    "mina@.example.com",
    "mina@example..com",
    ".mina@example.com",
    "mina.@example.com",
    "mi..na@example.com",
    "mina@-example.com",
    "mina@example-.com",
    "mina@example.com-",
    "mina@example.-com",
    "mina@exam_ple.com",
    "mina@[192.0.2.1]",
    "mina@192.0.2.1",
    "mina@example.123",
    "mina@example.1-2",
    '"mina"@example.com',
    "mina@example.com (Mina)",
    "mina@example.com, jiho@example.com",
    "mina@example.com\n",
    "mina@example.com\r\nBcc: jiho@example.com",
    "mina@@example.com",
    "미나@example.com",
    "mina@예시.kr",
    `${"a".repeat(65)}@example.com`,
    `aa@${label(64)}.com`,
    `aa@example.${label(64)}`,
    `${"a".repeat(64)}@d${LONGEST_DOMAIN}`,
  ])("may not be %j", (address) => {
    expect(Value.Check(Email, address)).toBe(false);
  });

  test("takes no longer to refuse than its length explains", () => {
    // A careless pattern would try every way to divide this text.
    const worst = [`${"a.".repeat(120)}@`, `a@${"a-".repeat(120)}`, `a@${"0".repeat(250)}`];
    const time = (address: string) => {
      const began = performance.now();
      for (let i = 0; i < 200; i++) Value.Check(Email, address);
      return performance.now() - began;
    };
    const usual = time("mina@example.com");
    for (const address of worst) expect(time(address)).toBeLessThan(usual * 500 + 50);
  });
});
