/** Schemas of values that several resources share. */
import { type TSchema, Type } from "@sinclair/typebox";
import { t } from "elysia";

/** A JSON integer. Elysia's own `t.Integer` also accepts strings, which is right only in a query. */
export const Integer = Type.Integer;

/** Without `int64`, a generated client in Java or C# would store an id in 32 bits. */
export const Id = Integer({
  format: "int64",
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "A positive integer. Each id is used only once.",
  examples: [1],
});

/** An id in a request, or null. */
export const IdOrNull = (description: string) =>
  t.Nullable(Id, { description: `A positive integer or null: ${description}`, examples: [null] });

/** A moment in UTC (RFC 3339). */
export const Instant = (description: string, example = "2026-11-20T10:00:00.000Z") =>
  t.String({ format: "date-time", description, examples: [example] });

/** How the document describes a path's `:id`. The routes accept any text. A text that is not an id gets 404. */
export const idParameter = (schema: TSchema) => ({
  name: "id",
  in: "path" as const,
  required: true,
  description: schema.description ?? "",
  example: schema.examples?.[0],
  schema,
});

/** How the document describes a header that an answer always has. */
export const header = (description: string, example: string) => ({
  description,
  required: true,
  schema: { type: "string", examples: [example] },
});

/**
 * A 201's schema: what was created, and `Location`.
 * @param location an example
 */
export const Created = <S extends TSchema>(
  schema: S,
  description: string,
  location: string,
): S => ({
  ...schema,
  description,
  headers: { Location: header("Where it is, a relative reference.", location) },
});

/** How the document describes a form. */
export const formBody = (schema: object) => ({
  required: true,
  content: {
    "application/x-www-form-urlencoded": { schema },
    "multipart/form-data": { schema },
  },
});

/** For a 204. */
export const NoContent = t.Void({ description: "Done." });

/** For routes without query parameters. */
export const NoQuery = t.Object({}, { additionalProperties: false });

/**
 * Reads a path's `:id`: canonical decimal, without sign or leading zero, at most 2^53-1. Anything else gives 0. No row
 * has this id, so the answer is the same 404 as for another user's row.
 */
export function toId(segment: string): number {
  const id = Number(segment);
  return /^[1-9]\d*$/.test(segment) && Number.isSafeInteger(id) ? id : 0;
}
