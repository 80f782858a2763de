/** The e-mail addresses that this API accepts. */
import { Kind, TypeRegistry } from "@sinclair/typebox";
import { t } from "elysia";

/** Maximum numbers of characters (RFC 5321 §4.5.3.1, RFC 1035 §2.3.4). */
const MAX_ADDRESS = 254;
const MAX_LOCAL_PART = 64;
const MAX_LABEL = 63;

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`\\{\\|\\}~\\-]+";
const LABEL = "[A-Za-z0-9]([A-Za-z0-9\\-]*[A-Za-z0-9])?";
/** A label with a letter in it: a name that ends in a label of digits is an IP address. */
const LAST_LABEL = "([0-9][0-9\\-]*)?[A-Za-z]([A-Za-z0-9\\-]*[A-Za-z0-9])?";
const PATTERN = `^${ATOM}(\\.${ATOM})*@(${LABEL}\\.)+${LAST_LABEL}$`;
const EXPRESSION = new RegExp(PATTERN);

function isEmail(value: unknown): boolean {
  if (typeof value !== "string" || value.length > MAX_ADDRESS || !EXPRESSION.test(value)) {
    return false;
  }
  const [localPart = "", domain = ""] = value.split("@");
  return (
    localPart.length <= MAX_LOCAL_PART &&
    domain.split(".").every((label) => label.length <= MAX_LABEL)
  );
}

TypeRegistry.Set("Email", (_schema, value) => isEmail(value));

/**
 * One plain address (RFC 5321 §4.1.2, without quoted strings and address literals). An HTML `<input type=email>` would
 * accept it. It cannot hold a header or a second recipient.
 */
export const Email = t.Unsafe<string>({
  [Kind]: "Email",
  type: "string",
  description:
    `One plain e-mail address of at most ${MAX_ADDRESS} characters, ${MAX_LOCAL_PART} before the @; ` +
    "compared in lower case.",
  minLength: 5,
  maxLength: MAX_ADDRESS,
  pattern: PATTERN,
  format: "email",
  examples: ["mina@example.com"],
});
