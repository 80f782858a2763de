/** Makes values from JSON Schemas, valid and invalid, mainly at the limits. The same seed gives the same values. */
import { faultsOf, type Schema } from "../docs/document.ts";
import { createRandom } from "../random.ts";

const ALPHABETS = [
  "abcdefghijklmnopqrstuvwxyz0123456789",
  "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  "éß한中\u0301\u200d\u202e🙂𝒳 ",
  "<>&\"'\\/%;:,{}[]$ ",
];
const ODD: unknown[] = [null, true, 0, -1, 1.5, 2 ** 53, "", "5", "true", [], {}, ["a"], { a: 1 }];
const ODD_NAMES = ["id", "user_id", "__proto__", "constructor", "", "é\u0000"];
const ATTEMPTS = 1000;

export type Generator = ReturnType<typeof createGenerator>;

export function createGenerator(seed: number) {
  const { random, pick } = createRandom(seed);

  /** @param length in code points */
  function text(alphabet: string, length: number): string {
    const letters = Array.from(alphabet);
    return Array.from({ length }, () => pick(letters)).join("");
  }

  function candidate(schema: Schema): unknown {
    const { properties, required = [], format, items, examples = [] } = schema;
    const variants = schema.anyOf ?? [];
    if (variants.length > 0) return candidate(pick(variants));
    const type = Array.isArray(schema.type) ? pick(schema.type) : schema.type;
    if (type === "null") return null;
    if (type === "array") {
      const { minItems = 0, maxItems = 5 } = schema;
      const length = minItems + Math.floor(random() * (maxItems - minItems + 1));
      return Array.from({ length }, () => valid(items ?? {}));
    }
    // Nobody can guess these.
    if (format === "date" || format === "time-zone") return pick(examples);
    const { minimum = -10, maximum = 10, minLength = 0, maxLength = 40 } = schema;
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return pick(schema.enum);
    if (type === "boolean") return random() < 0.5;
    if (type === "integer") {
      return pick([minimum, minimum + 1, maximum, minimum + Math.floor(random() * 20)]);
    }
    if (type === "string") {
      const [letters = ""] = ALPHABETS;
      if (format === "email") {
        const domain = "@example.com";
        // RFC 5321 §4.5.3.1.1: at most 64 before the @.
        const length = pick([10, 11, 12, 64]);
        return text(letters, length) + domain;
      }
      const length = pick([minLength, minLength + 1, minLength + 7, maxLength]);
      // Some must not be only white space. The document says this only in words.
      return text(pick(ALPHABETS), length).replace(/^ /, "a");
    }
    const members = Object.entries(properties ?? {})
      .filter(([name]) => required.includes(name) || random() < 0.5)
      .map(([name, member]) => [name, valid(member)]);
    return Object.fromEntries(members);
  }

  /** A value that is valid for `schema`. */
  function valid(schema: Schema): unknown {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const value = candidate(schema);
      if (faultsOf(schema, value) === "") return value;
    }
    const [example] = schema.examples ?? [];
    if (example !== undefined && faultsOf(schema, example) === "") return example;
    throw new Error(`Found nothing that fits ${JSON.stringify(schema)}`);
  }

  /** Invalid values for `schema`, each wrong in one way. */
  function invalid(schema: Schema): unknown[] {
    return tries(schema).filter((value) => faultsOf(schema, value) !== "");
  }

  function tries(schema: Schema): unknown[] {
    const { properties, minLength = 0, maxLength = 0, minimum = 0, maximum = 0 } = schema;
    const [variant] = schema.anyOf ?? [];
    if (variant) return [...ODD, ...tries(variant)];
    const type = [schema.type].flat().find((each) => each !== "null");
    const fitting = valid({ ...schema, ...(type !== undefined && { type }) });
    if (type === "string" && typeof fitting === "string") {
      const broken = ["\u0000", "\u001b", "\u007f", "\ud800", "\r\n"].map((bad) => fitting + bad);
      const long = text("aé🙂", maxLength + 1);
      return [...ODD, ...broken, " ", long, text("a", minLength - 1), fitting.toLowerCase()];
    }
    if (type === "integer") return [...ODD, minimum - 1, maximum + 1];
    if (type !== "object") return ODD;
    const members = Object.entries(properties ?? {});
    const whole = Object(valid({ ...schema, required: Object.keys(properties ?? {}) }));
    return [
      ...members.flatMap(([name, member]) =>
        invalid(member).map((value) => ({ ...whole, [name]: value })),
      ),
      ...members.map(([name]) => ({ ...whole, [name]: undefined })),
      // Like JSON.parse, and unlike an object literal, this makes a member of `__proto__`.
      ...ODD_NAMES.map((name) => Object.fromEntries([...Object.entries(whole), [name, 1]])),
      {},
    ];
  }

  return { valid, invalid, pick };
}
