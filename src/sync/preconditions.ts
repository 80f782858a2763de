/** `If-Match` (RFC 9110 §13.1.1): a row is changed only if it is as the client has it. */

import type { TObject, TProperties } from "@sinclair/typebox";
import { type SQL, sql } from "drizzle-orm";
import { t } from "elysia";
import { Failure, type Problem, problemSchema } from "../http/problem.ts";
import { entityTags } from "./etag.ts";

/**
 * The revisions of which the row must have one, as a JSON array; null for no condition. It is a value of statements,
 * named `if_match`.
 */
export type IfMatch = string | null;

/** Weak tags, and what is no tag of a row, match nothing. `*` asks for no more than that the row is there. */
export function ifMatchOf({ headers }: Request): IfMatch {
  const header = headers.get("if-match");
  if (header === null || header.trim() === "*") return null;
  const strong = entityTags(header).filter(({ isWeak }) => !isWeak);
  return JSON.stringify(
    strong
      .map(({ tag }) => tag)
      .filter(isRevision)
      .map(Number),
  );
}

const isRevision = (tag: string) =>
  /^(0|[1-9]\d{0,15})$/.test(tag) && Number.isSafeInteger(Number(tag));

/** Whether the row with this `rev` may be changed: for the statement that changes it. */
export const matches = (rev: SQL | { getSQL(): SQL }): SQL => sql`(
  ${sql.placeholder("if_match")} IS NULL
  OR ${rev} IN (SELECT value FROM json_each(${sql.placeholder("if_match")}))
)`;

/** @param current the row as it is */
export const preconditionFailed = (current: object) =>
  new Failure("precondition_failed", { current });

/** For the `response` of a route: 412 with the row as it is. */
export function changedMeanwhile<Row extends TProperties>(row: TObject<Row>) {
  const { title, ...schema } = problemSchema(["precondition_failed"]);
  const current = { ...row, description: "It as it is now." };
  const named = { ...schema, title: `${row.title}Changed` };
  const whole = {
    ...named,
    properties: { ...schema.properties, current },
    required: [...(schema.required ?? []), "current"],
  };
  // `as`: this is the problem's schema with one member more.
  return {
    412: t.Unsafe<Problem<"precondition_failed"> & { current: TObject<Row>["static"] }>(whole),
  } as const;
}
