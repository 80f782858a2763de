/** Makes a summary of a statement: what it does and the tables that it names, without any value. */

/** Comments, and strings, which could be values. */
const VALUES = /'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\//g;
const VERB = /^\s*(?:WITH\b[\s\S]*?\b(INSERT|UPDATE|DELETE)\b|WITH\b|(\w+))/i;
/** But not the SET in `ON CONFLICT DO UPDATE SET`. */
const TABLE = /\b(?:FROM|JOIN|INTO|UPDATE(?!\s+SET\b))\s+["`]?(\w+)/gi;

/** The service has fewer fixed statements. Statements whose text grows with a list could be many. */
const KEPT = 1000;
const known = new Map<string, string>();

/** The maximum length of a summary in OpenTelemetry's conventions. */
const LONGEST = 255;

/** For `db.query.summary`: `SELECT todos sessions`, or `BATCH UPDATE users, INSERT todos`, each named once. */
export function summaryOf(texts: readonly string[]): string {
  const names = new Set(texts.map(nameOf));
  return `${texts.length > 1 ? "BATCH " : ""}${[...names].join(", ")}`.slice(0, LONGEST);
}

function nameOf(sql: string): string {
  const name = known.get(sql);
  if (name !== undefined) return name;
  const bare = sql.replace(VALUES, "");
  const [, after, first] = VERB.exec(bare) ?? [];
  const verb = (after ?? first ?? "SELECT").toUpperCase();
  const tables = Array.from(bare.matchAll(TABLE), ([, table]) => table);
  const made = [verb, ...new Set(tables)].join(" ");
  if (known.size < KEPT) known.set(sql, made);
  return made;
}
