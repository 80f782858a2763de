/** Values of query parameters: integers in canonical decimal, and cursors. */
import { Kind, TypeRegistry } from "@sinclair/typebox";
import { t } from "elysia";
import { Text } from "./text.ts";

interface QueryIntegerOptions {
  minimum: number;
  maximum: number;
  description: string;
  examples: number[];
}

// Elysia's own t.Integer accepts `1e1` and `0x10` as integers, and throws its own error for `0`.
TypeRegistry.Set<QueryIntegerOptions>("QueryInteger", ({ minimum, maximum }, value) => {
  if (typeof value !== "string" || !/^(0|[1-9]\d*)$/.test(value)) return false;
  return Number(value) >= minimum && Number(value) <= maximum;
});

/** An integer in a query. Clients and the document see a number. A handler gets the text, for `Number()`. */
export function QueryInteger(options: QueryIntegerOptions) {
  return t.Unsafe<number>({ [Kind]: "QueryInteger", type: "integer", ...options });
}

/** The maximum number of rows on a page. @param usual the number when a request names none */
export const Limit = (maximum: number, usual: number) =>
  QueryInteger({
    minimum: 1,
    maximum,
    description: `1 to ${maximum}; ${usual} by default.`,
    examples: [usual],
  });

/** A cursor in a query. It has no example, because a cursor is only valid for one user and one list. */
export const Cursor = (description: string) => Text({ description, minLength: 1, maxLength: 256 });
