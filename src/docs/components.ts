/**
 * The document's named schemas. Each schema with a title is defined once under `components`. Everywhere else there is a
 * `$ref`.
 */

/** The parts of JSON Schema that the code for the document uses. */
export interface Schema {
  title?: string | undefined;
  description?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  examples?: unknown[];
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
}

export interface Reference {
  $ref: string;
}

export const refer = (kind: "schemas" | "responses" | "headers", name: string): Reference => ({
  $ref: `#/components/${kind}/${name}`,
});

/**
 * A copy of `value` in which each object schema with a title is replaced by a reference.
 * @param schemas receives those schemas, by title
 */
export function nameSchemas(value: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((each) => nameSchemas(each, schemas));
  if (typeof value !== "object" || value === null) return value;
  const copy: Schema = {};
  for (const [key, child] of Object.entries(value)) {
    const isExample = key === "example" || key === "examples";
    Object.assign(copy, { [key]: isExample ? child : nameSchemas(child, schemas) });
  }
  if (copy.anyOf) return simplifyUnion(copy);
  const { title, ...untitled } = copy;
  if (typeof title !== "string" || copy.type !== "object") return copy;
  schemas[title] ??= untitled;
  return refer("schemas", title);
}

/**
 * Elysia's TypeBox writes a union of literals in a long form, and adds OpenAPI 3.0's `nullable` to values that may be
 * null.
 */
function simplifyUnion(schema: Schema): Schema {
  const { anyOf = [], ...rest } = schema;
  if ("nullable" in rest) delete rest.nullable;
  const [first, second] = anyOf;
  if (anyOf.every((each) => "const" in each)) {
    return {
      ...rest,
      ...(first?.type && { type: first.type }),
      enum: anyOf.map((each) => each.const),
    };
  }
  if (anyOf.length === 2 && typeof first?.type === "string" && second?.type === "null") {
    const choices = first.enum && { enum: [...first.enum, null] };
    return { ...first, ...rest, type: [first.type, "null"], ...choices };
  }
  return { ...rest, anyOf };
}
