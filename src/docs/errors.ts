/** How the document describes errors: one schema for all errors of a kind, and an example for each code. */
import {
  type Code,
  catalogue,
  type FieldError,
  isCode,
  problem,
  problemSchema,
} from "../http/problem.ts";
import { type Reference, refer, type Schema } from "./components.ts";

/** The request id in every example. */
export const REQUEST_ID = "0b3a5c1e-7f2d-4a53-9c55-1d0f5be1a0f4";

/** The values that a request to an operation may have: the fields of the body, and the parameters of the query. */
export interface Inputs {
  fields: Record<string, Schema>;
  query: { name: string; description: string }[];
}

export const takesValues = ({ fields, query }: Inputs) =>
  query.length > 0 || Object.keys(fields).length > 0;

/** Only an operation that takes an `Idempotency-Key` has this code. */
const KEY_REUSED = "idempotency_key_reused";

const isValidation = (code: Code) => catalogue[code][0] === 422;

/** The codes that a problem of this schema may have. Empty for any other schema. */
export const codesOf = ({ properties }: Schema): Code[] =>
  literalsOf(properties?.code).filter(isCode);

const literalsOf = (schema: Schema = {}): unknown[] =>
  (schema.anyOf ?? [schema]).flatMap((each) => ("const" in each ? [each.const] : []));

/** The schemas of errors, by title. */
export type ErrorSchemas = ReturnType<typeof createErrorSchemas>;

/**
 * The schema of an error in a route is narrowed to the codes of that route. Here they all become one schema, with the
 * codes as examples and not as an enum. So a client that is generated today can read a code that is new tomorrow.
 */
export function createErrorSchemas() {
  const kinds = new Map<string, { schema: Schema; member: string; codes: Set<unknown> }>();

  /** @param member the member that holds the code: `code` in a problem, `error` in OAuth */
  function add({ title = "", ...schema }: Schema, member: "code" | "error"): Reference {
    const kind = kinds.get(title) ?? { schema, member, codes: new Set() };
    for (const code of literalsOf(schema.properties?.[member])) kind.codes.add(code);
    kinds.set(title, kind);
    return refer("schemas", title);
  }

  // All codes, because some belong to no operation, such as the code for a path that does not exist.
  const codes = Object.keys(catalogue).filter(isCode);
  const error = "An error (RFC 9457).";
  add(
    { ...problemSchema(codes.filter((code) => !isValidation(code))), description: error },
    "code",
  );
  add({ ...problemSchema(codes.filter(isValidation)), description: error }, "code");

  return {
    add,
    /** Each schema with its title. */
    all: () =>
      Array.from(kinds, ([title, { schema, member, codes }]): Schema => {
        const code = { ...schema.properties?.[member], type: "string", examples: [...codes] };
        delete code.anyOf;
        delete code.const;
        return { ...schema, title, properties: { ...schema.properties, [member]: code } };
      }),
  };
}

/** An example for each code. A 422 has none if the operation takes no values, because then no value can be invalid. */
export function problemExamples(schema: Schema, inputs: Inputs) {
  const codes = codesOf(schema);
  const hasFaults = takesValues(inputs) || codes.includes(KEY_REUSED);
  const told = codes.filter((code) => !isValidation(code) || hasFaults);
  const { current } = schema.properties ?? {};
  return Object.fromEntries(
    told.map((code) => {
      const particulars = {
        ...(isValidation(code) && { errors: faultsOf(code, inputs) }),
        ...(current && { current: exampleOf(current) }),
      };
      return [code, { value: problem(code, REQUEST_ID, particulars).body }];
    }),
  );
}

/** An object with the first example of each field. */
const exampleOf = ({ properties = {} }: Schema): object =>
  Object.fromEntries(
    Object.entries(properties).map(([name, { examples, anyOf = [] }]) => {
      const [first = null] = examples ?? anyOf.find((each) => each.examples)?.examples ?? [];
      return [name, first];
    }),
  );

/** The details in the example of a 422: the first value is invalid, or the password is. */
function faultsOf(code: Code, { fields, query }: Inputs): FieldError[] {
  if (code === KEY_REUSED)
    return [{ parameter: "Idempotency-Key", detail: "A key that no other request has used." }];
  const names = Object.keys(fields);
  if (code === "weak_password") {
    const name = names.findLast((each) => each.endsWith("password"));
    return [{ pointer: `/${name}`, detail: "This is one of the most common passwords." }];
  }
  const [name] = names;
  if (name !== undefined) {
    return [{ pointer: `/${name}`, detail: fields[name]?.description ?? "" }];
  }
  const [parameter] = query;
  return parameter
    ? [{ parameter: parameter.name, detail: parameter.description }]
    : [{ parameter: "Idempotency-Key", detail: "1 to 128 visible ASCII characters." }];
}
