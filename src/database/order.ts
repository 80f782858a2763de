/**
 * The order that a user gives to rows. `position` is an integer with gaps. Rows with the same position are ordered by
 * id. A moved row goes into the middle of a gap. When no gap is left, the list is renumbered. All of this happens
 * inside the statements, so two requests can never work from the same state.
 */
import { type SQL, sql } from "drizzle-orm";
import type { lists, todos } from "./schema.ts";
import { type Statement, statement } from "./statement.ts";

/** Twenty moves to the same place use up a gap. 2^53 has room for eight billion gaps. */
const GAP = 2 ** 20;

/** The position after all rows of the list. `isInList` selects the rows of the list. */
export const lastPosition = (table: typeof todos | typeof lists, isInList: SQL) =>
  sql`(SELECT coalesce(max(${table.position}), 0) + ${sql.raw(`${GAP}`)} FROM ${table} WHERE ${isInList})`;

/** Where a row goes: to an end of the list, or after the row whose id is the value `after`. */
export type Place = "first" | "last" | "after";

/** @param after the id from a request: null means first, and a missing value means last */
export const placeOf = (after: number | null | undefined): Place =>
  after === undefined ? "last" : after === null ? "first" : "after";

export interface Ordered {
  table: typeof todos | typeof lists;
  /**
   * A SELECT of the row to move, or of no row. Its columns are `id`, `position`, the new `rev`, `stays` (whether the
   * row is already in its new list), and the columns that `isInList` and `set` use.
   */
  moved: SQL;
  /** Whether the row `each` is in the new list of the row `moved`. */
  isInList: SQL;
  /** What the move sets in addition to the position and the revision. */
  set: SQL;
}

export interface Move {
  /** Renumbers the list when there is no gap at the place. */
  renumber: Statement<never>;
  /** Does nothing when the row is already in its place, or when the place does not exist. */
  move: Statement<never>;
}

/** The two statements of a move, to be run in this order in one batch. */
export function moveTo(place: Place, ordered: Ordered): Move {
  const { table, moved, isInList, set } = ordered;
  const neighbours = sql`FROM moved JOIN ${table} AS each ON ${isInList} AND each.id <> moved.id`;
  const inFront = {
    first: sql`SELECT NULL AS id, NULL AS position`,
    last: sql`SELECT each.id, each.position ${neighbours} ORDER BY each.position DESC, each.id DESC LIMIT 1`,
    after: sql`SELECT each.id, each.position ${neighbours} WHERE each.id = ${sql.placeholder("after")}`,
  }[place];
  const behind = {
    first: sql`SELECT each.id, each.position ${neighbours} ORDER BY each.position, each.id LIMIT 1`,
    last: sql`SELECT NULL AS id, NULL AS position`,
    after: sql`SELECT each.id, each.position ${neighbours} JOIN in_front
      WHERE (each.position, each.id) > (in_front.position, in_front.id)
      ORDER BY each.position, each.id LIMIT 1`,
  }[place];
  // In an empty list no row is before the last place. But the row that `after` names must exist.
  const join = sql.raw(place === "after" ? "JOIN" : "LEFT JOIN");
  const target = sql`
    WITH moved AS (${moved}),
    in_front AS (${inFront}),
    behind AS (${behind}),
    target AS (
      SELECT moved.*, in_front.position AS low, behind.position AS high
      FROM moved ${join} in_front LEFT JOIN behind
      WHERE NOT (
        moved.stays
        AND (in_front.id IS NULL OR (moved.position, moved.id) > (in_front.position, in_front.id))
        AND (behind.id IS NULL OR (moved.position, moved.id) < (behind.position, behind.id))
      )
    )`;
  const gap = sql.raw(`${GAP}`);
  return {
    renumber: statement(sql`${target},
      ranked AS (
        SELECT each.id, row_number() OVER (ORDER BY each.position, each.id) * ${gap} AS position
        ${neighbours} JOIN target WHERE target.high - target.low < 2
      )
      UPDATE ${table} SET position = ranked.position, rev = moved.rev
      FROM ranked JOIN moved
      WHERE ${table.id} = ranked.id AND ${table.position} <> ranked.position`),
    move: statement(sql`${target}
      UPDATE ${table} SET
        position = CASE
          WHEN target.low IS NULL AND target.high IS NULL THEN ${gap}
          WHEN target.low IS NULL THEN target.high - ${gap}
          WHEN target.high IS NULL THEN target.low + ${gap}
          ELSE target.low + (target.high - target.low) / 2
        END,
        rev = target.rev,
        ${set}
      FROM target WHERE ${table.id} = target.id`),
  };
}
