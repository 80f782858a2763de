/** Facts about an SQL text that need no database. */

const select = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*select\b/i;

/** Whether the SQL text starts with SELECT, after blanks and comments. */
export function startsWithSelect(sql: string): boolean {
  return select.test(sql);
}
