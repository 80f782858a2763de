/**
 * Says what is wrong with a body or a query, with the descriptions in the schema. It never repeats a name or a value
 * from the client.
 */
import type { TSchema } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import type { ValidationError } from "elysia";
import type { FieldError } from "./problem.ts";

export function fieldErrors(error: ValidationError): FieldError[] {
  // Elysia compiles every schema. All schemas of this service are TypeBox's.
  const { schema } = error.validator as { schema: TSchema };
  const errors = fieldErrorsOf(schema, error.all as ValueError[]);
  if (error.type !== "query") return errors;
  return errors.map(({ pointer, detail }) => ({ parameter: pointer.slice(1), detail }));
}

/** @param errors TypeBox's errors for a value that does not fit the schema */
export function fieldErrorsOf(schema: TSchema, errors: Iterable<ValueError>) {
  const found = new Map<string, string>();
  for (const { path } of innermost(errors)) {
    const [pointer, detail] = expectationAt(schema, path);
    found.set(pointer, detail);
  }
  return Array.from(found, ([pointer, detail]) => ({ pointer, detail }));
}

/**
 * If an object may be null, TypeBox reports the object's errors inside the error that the value fits neither. TypeBox
 * looks for each error only when the caller asks for the next one. So the members of a list that is too long are never
 * checked.
 */
function* innermost(errors: Iterable<ValueError>): Generator<ValueError> {
  for (const error of errors) {
    const isObject = typeof error.value === "object" && error.value !== null;
    const variants: TSchema[] = error.schema.anyOf ?? [];
    const object = variants.findIndex(({ properties }) => properties);
    const within = error.errors[object];
    if (error.type === ValueErrorType.Union && isObject && within) yield* innermost(within);
    else yield error;
    // A list may have many thousand members, and each member that does not fit would be one more error.
    if (error.type === ValueErrorType.ArrayMaxItems) return;
  }
}

/**
 * The expected value at the JSON Pointer `path`, and the pointer itself. The pointer ends before the first name that
 * the schema does not know: then the object with that name is invalid.
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
