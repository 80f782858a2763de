/** Tells what is wrong with a body or a query in the schema's own words, and repeats no name or value that was sent. */
import type { TSchema } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import type { ValidationError } from "elysia";
import type { FieldError } from "./problem.ts";

export function fieldErrors(error: ValidationError): FieldError[] {
  // Elysia compiles every schema, and all of ours are TypeBox's.
  const { schema } = error.validator as { schema: TSchema };
  const errors = fieldErrorsOf(schema, error.all as ValueError[]);
  if (error.type !== "query") return errors;
  return errors.map(({ pointer, detail }) => ({ parameter: pointer.slice(1), detail }));
}

/** @param errors TypeBox's, of a value that does not fit the schema */
export function fieldErrorsOf(schema: TSchema, errors: Iterable<ValueError>) {
  const found = new Map<string, string>();
  for (const { path } of innermost(errors)) {
    const [pointer, detail] = expectationAt(schema, path);
    found.set(pointer, detail);
  }
  return Array.from(found, ([pointer, detail]) => ({ pointer, detail }));
}

/**
 * Where an object may be null, TypeBox reports its faults within the report that it is neither. It looks for each fault
 * when that is asked for: the members of a list that is too long are never looked at.
 */
function* innermost(errors: Iterable<ValueError>): Generator<ValueError> {
  for (const error of errors) {
    const isObject = typeof error.value === "object" && error.value !== null;
    const variants: TSchema[] = error.schema.anyOf ?? [];
    const object = variants.findIndex(({ properties }) => properties);
    const within = error.errors[object];
    if (error.type === ValueErrorType.Union && isObject && within) yield* innermost(within);
    else yield error;
    // There may be many thousand members, and each that does not fit would be one more error.
    if (error.type === ValueErrorType.ArrayMaxItems) return;
  }
}

/**
 * What is expected at the JSON Pointer `path`, and the pointer itself. It ends before the first name that the schema
 * does not know: what is at fault is then the object that has it.
 */
function expectationAt(root: TSchema, path: string): [pointer: string, detail: string] {
  let schema = root;
  let pointer = "";
  for (const name of path.split("/").slice(1)) {
    const { properties = {}, items } = objectOf(schema);
    const next = items ?? (Object.hasOwn(properties, name) ? properties[name] : undefined);
    if (next === undefined) break;
    schema = next;
    pointer += `/${name}`;
  }
  const { description, properties } = schema;
  return [pointer, description ?? takes(Object.keys(properties ?? {}))];
}

/** The object or the list that may be null, without the null. */
const objectOf = (schema: TSchema): TSchema => {
  const variants: TSchema[] = schema.anyOf ?? [];
  return variants.find(({ properties, items }) => properties ?? items) ?? schema;
};

const takes = (names: string[]) =>
  names.length === 0 ? "Takes none." : `Takes ${names.join(", ")}, and nothing else.`;
