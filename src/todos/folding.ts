/** Folds the texts that a former version has written, so that the search finds them like all others. */
import { sql } from "drizzle-orm";
import type { Database } from "../database/drizzle.ts";
import { todos } from "../database/schema.ts";
import { runBatch, statement } from "../database/statement.ts";
import { fold } from "./search.ts";

/** Todos that are folded in one transaction. */
const BATCH = 500;

const unfolded = statement<{ id: number; contents: string }>(sql`
  SELECT id, contents FROM ${todos}
  WHERE contents_folded IS NULL AND id > ${sql.placeholder("after")} ORDER BY id LIMIT ${BATCH}`);

const setFolded = statement(sql`
  UPDATE ${todos} SET contents_folded = ${sql.placeholder("folded")}
  WHERE id = ${sql.placeholder("todo_id")} AND contents = ${sql.placeholder("contents")}`);

/** A former version has no notes. So all notes come from this version, and they are folded again in any case. */
export async function foldTexts(database: Database): Promise<void> {
  // Each todo is folded once, so the loop ends even if others write meanwhile.
  for (let after = 0; ; ) {
    const rows = await runBatch(database, unfolded({ after }));
    const last = rows.at(-1);
    if (!last) return;
    after = last.id;
    await runBatch(
      database,
      rows.map(({ id, contents }) => setFolded({ todo_id: id, contents, folded: fold(contents) })),
    );
  }
}
