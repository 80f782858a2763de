/** Names a statement by what it does and to which table: a summary of it, without any value. */

/** Strings, which could be values, and comments. */
const VALUES = /'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\//g;
const VERB = /^\s*(?:WITH\b[\s\S]*?\b(INSERT|UPDATE|DELETE)\b|WITH\b|(\w+))/i;
const TABLE = /\b(?:FROM|INTO|UPDATE)\s+["`]?(\w+)/i;

/** The service has fewer statements. Those whose text grows with a list could be many. */
const KEPT = 1000;
const known = new Map<string, string>();

/** As `db.query.summary` wants it: `SELECT todos`, or `BATCH UPDATE users, INSERT todos`, each named once. */
export function summaryOf(texts: readonly string[]): string {
  const names = new Set(texts.map(nameOf));
  return `${texts.length > 1 ? "BATCH " : ""}${[...names].join(", ")}`;
}

function nameOf(sql: string): string {
  const name = known.get(sql);
  if (name !== undefined) return name;
  const bare = sql.replace(VALUES, "");
  const [, after, first] = VERB.exec(bare) ?? [];
  const verb = (after ?? first ?? "SELECT").toUpperCase();
  const [, table] = TABLE.exec(bare) ?? [];
  const made = table === undefined ? verb : `${verb} ${table}`;
  if (known.size < KEPT) known.set(sql, made);
  return made;
}
