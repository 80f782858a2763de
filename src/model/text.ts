/** Strings as this API takes them: well-formed Unicode, counted in code points, without control characters. */
import { Kind, TypeRegistry } from "@sinclair/typebox";
import { t } from "elysia";

/** Everything but control characters and lone surrogates (Unicode categories Cc and Cs). */
const PRINTABLE = "^[^\\p{Cc}\\p{Cs}]*$";

interface TextOptions {
  /** Code points. */
  minLength: number;
  /** Code points. */
  maxLength: number;
  /** An ECMAScript regular expression with the `u` flag; no control characters or lone surrogates unless told otherwise. */
  pattern?: string;
  title?: string;
  description: string;
  examples: string[];
  format?: "password" | "email";
}

interface TextSchema extends TextOptions {
  type: "string";
  pattern: string;
}

// TypeBox's own string counts UTF-16 units and has no `u` flag, while JSON Schema means code points.
TypeRegistry.Set<TextSchema>("Text", (schema, value) => {
  if (typeof value !== "string") return false;
  const length = Array.from(value).length;
  return (
    length >= schema.minLength &&
    length <= schema.maxLength &&
    new RegExp(schema.pattern, "u").test(value)
  );
});

/** A string schema whose `description` begins with the rule, since a 422 repeats it. */
export function Text(options: TextOptions) {
  return t.Unsafe<string>({ [Kind]: "Text", type: "string", pattern: PRINTABLE, ...options });
}
