/** Checks an operation of a batch by itself, with the same messages as the single request. */
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { t } from "elysia";
import { fieldErrorsOf } from "../http/field-errors.ts";
import { Failure, type FieldError } from "../http/problem.ts";
import { type IfMatch, oneOf } from "../sync/preconditions.ts";
import { NoFields, operationNames } from "./batch.model.ts";
import { TodoCreate, TodoMove, TodoUpdate } from "./model.ts";

/** An operation that is valid by itself. */
export type ValidOperation =
  | { op: "create"; fields: TodoCreate }
  | { op: "update"; id: number; if_match: IfMatch; fields: TodoUpdate }
  | { op: "move"; id: number; fields: TodoMove }
  | { op: "delete"; id: number; if_match: IfMatch };

const Names = t.Object(
  {
    op: t.Union(
      [t.Literal("create"), t.Literal("update"), t.Literal("move"), t.Literal("delete")],
      {
        description: "create, update, move or delete.",
      },
    ),
  },
  { description: "An operation: an object with op, and the members for this op." },
);
const Update = t.Object(operationNames.update);
const Move = t.Object(operationNames.move);
const Delete = t.Object(operationNames.delete);

/** The members of an operation besides its fields, before it is checked. */
interface Unchecked {
  id?: unknown;
  if_match?: unknown;
}

/**
 * @param given any value in the place of an operation
 * @throws Failure `validation_failed`, with pointers into the operation
 */
export function checkOperation(given: unknown): ValidOperation {
  const errors: FieldError[] = [];
  const fits = <S extends TSchema>(schema: S, value: unknown): value is S["static"] => {
    if (Value.Check(schema, value)) return true;
    errors.push(...fieldErrorsOf(schema, Value.Errors(schema, value)));
    return false;
  };
  const valid = fits(Names, given) ? validOf(given, fits) : undefined;
  if (valid) return valid;
  throw new Failure("validation_failed", { errors });
}

type Fits = <S extends TSchema>(schema: S, value: unknown) => value is S["static"];

/** @param fits whether a value fits a schema; it remembers the errors */
function validOf(given: typeof Names.static & Unchecked, fits: Fits): ValidOperation | undefined {
  switch (given.op) {
    case "create": {
      const { op, ...fields } = given;
      return fits(TodoCreate, fields) ? { op, fields } : undefined;
    }
    case "update": {
      const { op, id, if_match, ...fields } = given;
      // Both are checked, so that all errors are reported.
      const isNamed = fits(Update, given);
      const isFit = fits(TodoUpdate, fields);
      if (!isNamed || !isFit) return undefined;
      return { op, id: given.id, if_match: ifMatchOf(given.if_match), fields };
    }
    case "move": {
      const { op, id, ...fields } = given;
      const isNamed = fits(Move, given);
      const isFit = fits(TodoMove, fields);
      return isNamed && isFit ? { op, id: given.id, fields } : undefined;
    }
    case "delete": {
      const { op, id, if_match, ...fields } = given;
      const isNamed = fits(Delete, given);
      const isFit = fits(NoFields, fields);
      if (!isNamed || !isFit) return undefined;
      return { op, id: given.id, if_match: ifMatchOf(given.if_match) };
    }
  }
}

/** @param rev the `rev` that the todo must have; without it, any `rev` is accepted */
const ifMatchOf = (rev: number | undefined): IfMatch => (rev === undefined ? null : oneOf(rev));
