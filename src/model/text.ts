/** The strings that this API accepts: well-formed Unicode, counted in code points, without control characters. */
import { Kind, TypeRegistry } from "@sinclair/typebox";
import { t } from "elysia";

// The OpenAPI document contains these patterns, for clients in other languages. They use only syntax that ECMAScript,
// Python, Java and RE2 (Go) read in the same way: no lookahead, no `[^]`, no `\p{…}`. Control characters are
// U+0000-001F and U+007F-009F.
const NO_CONTROLS = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";
/** For text with several lines: no control characters except tab and newline. */
export const MULTILINE = "^[^\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]*$";

interface TextOptions {
  /** Code points. */
  minLength: number;
  /** Code points. */
  maxLength: number;
  /** A portable regular expression (see above). By default it refuses control characters. */
  pattern?: string;
  title?: string;
  /** The description. It begins with the rule, because a 422 repeats the rule. */
  description: string;
  /** Examples. The first one is filled in on the docs page. A string without a useful example has none. */
  examples?: string[];
  format?: "password" | "email";
}

interface TextSchema extends TextOptions {
  type: "string";
  pattern: string;
}

// TypeBox's own string counts UTF-16 units and does not use the `u` flag. JSON Schema counts code points.
function isText(schema: TextSchema, value: unknown): value is string {
  // No portable pattern can refuse a lone surrogate. UTF-8 cannot contain one; it can only come from a JSON escape.
  if (typeof value !== "string" || !value.isWellFormed()) return false;
  return hasLength(value, schema) && new RegExp(schema.pattern, "u").test(value);
}

/** A code point has one or two UTF-16 units, so most texts do not have to be counted. */
function hasLength(text: string, { minLength, maxLength }: TextOptions): boolean {
  if (text.length >= 2 * minLength && text.length <= maxLength) return true;
  const { length } = Array.from(text);
  return length >= minLength && length <= maxLength;
}

TypeRegistry.Set<TextSchema>("Text", isText);
TypeRegistry.Set<TextSchema>(
  "NonBlankText",
  // A portable pattern for this would need quadratic time in languages that backtrack.
  (schema, value) => isText(schema, value) && /\S/.test(value),
);

/** A string that a request may hold. */
export function Text(options: TextOptions) {
  return t.Unsafe<string>({ [Kind]: "Text", type: "string", pattern: NO_CONTROLS, ...options });
}

/** The same, but not only white space. */
export function NonBlankText(options: TextOptions) {
  return t.Unsafe<string>({
    [Kind]: "NonBlankText",
    type: "string",
    pattern: NO_CONTROLS,
    ...options,
  });
}
