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

// Elysia's own t.Integer takes `1e1` and `0x10` for integers, and throws an error of its own for `0`.
TypeRegistry.Set<QueryIntegerOptions>("QueryInteger", ({ minimum, maximum }, value) => {
  if (typeof value !== "string" || !/^(0|[1-9]\d*)$/.test(value)) return false;
  return Number(value) >= minimum && Number(value) <= maximum;
});

/** An integer in a query. For clients and the document it is a number; a handler gets the text, for `Number()`. */
export function QueryInteger(options: QueryIntegerOptions) {
  return t.Unsafe<number>({ [Kind]: "QueryInteger", type: "integer", ...options });
}

/** How many rows a page may have. @param usual when a request does not say */
export const Limit = (maximum: number, usual: number) =>
  QueryInteger({
    minimum: 1,
    maximum,
    description: `1 to ${maximum}; ${usual} unless told.`,
    examples: [usual],
  });

/** A cursor in a query. It has no example, because none would be taken: a cursor is made for one user's one list. */
export const Cursor = (description: string) => Text({ description, minLength: 1, maxLength: 256 });
