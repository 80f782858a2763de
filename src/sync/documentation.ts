/** How the OpenAPI document describes the headers for synchronization. */
import type { TSchema } from "@sinclair/typebox";
import { t } from "elysia";
import { header } from "../model/values.ts";

/** A header of a request. */
export const requestHeader = (name: string, description: string, example: string) => ({
  name,
  in: "header" as const,
  required: false,
  description,
  // Without a length or a pattern: a value that is not a valid tag simply matches nothing.
  schema: { type: "string" as const, examples: [example] },
});

export const ifMatch = requestHeader(
  "If-Match",
  "The `ETag` or the `rev` that it must still have, as a strong entity tag. Otherwise the answer is 412.",
  '"7"',
);

/** @param example an entity tag */
export const ifNoneMatch = (example: string) =>
  requestHeader(
    "If-None-Match",
    "The `ETag` of your copy. The answer is 304 while the copy is current.",
    example,
  );

export const idempotencyKey = requestHeader(
  "Idempotency-Key",
  "1 to 128 visible ASCII characters of your choice. A repeated request with the same key is not carried out again. " +
    "It gets `Idempotency-Replayed`, and the same answer as the first time, or 404 when that answer is no longer kept.",
  "3f1c9a52-6a0e-4f0b-9d7e-2b8f5c1d4e6a",
);

/** The answer to a request that takes an `Idempotency-Key`. */
export const Replayable = <S extends TSchema>(schema: S): S => ({
  ...schema,
  headers: {
    ...schema.headers,
    "Idempotency-Replayed": {
      ...header("`true` when the request with this key was already carried out.", "true"),
      required: false,
    },
  },
});

/** For the `detail` of a route. `as`: Elysia's type does not have all members of the document. */
export const takesHeaders = (...headers: ReturnType<typeof requestHeader>[]) =>
  ({ "x-headers": headers }) as object;

/** @param tag an example */
const tagHeaders = (tag: string) => ({
  ETag: header("Changes whenever the content changes; for `If-None-Match`.", tag),
});

/** An answer with an `ETag`. */
export const Tagged = <S extends TSchema>(schema: S, tag: string): S => ({
  ...schema,
  headers: { ...schema.headers, ...tagHeaders(tag) },
});

/**
 * For the `response` of a route. `as`: it is not part of the route's type. A client gets a 304 only if it sends
 * `If-None-Match` itself. For all others Eden would have one more error, without a body.
 */
export const notModified = {
  304: t.Void({ description: "Your copy is current.", headers: tagHeaders('"7"') }),
} as object;
