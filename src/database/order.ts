/**
 * The order that a user gives to rows. `position` is an integer with gaps; ties are ordered by id. A moved row goes into the
 * middle of a gap. When there is no gap left, the list is renumbered. All of this happens inside the statements, so two
 * requests can never work from the same state.
 */
import { type SQL, sql } from "drizzle-orm";
import type { lists, todos } from "./schema.ts";
import { type Statement, statement } from "./statement.ts";

/** Twenty moves to the same place close a gap. 2^53 has room for eight billion gaps. */
const GAP = 2 ** 20;

/** The position behind all rows of the list that `isInList` says. */
export const lastPosition = (table: typeof todos | typeof lists, isInList: SQL) =>
  sql`(SELECT coalesce(max(${table.position}), 0) + ${sql.raw(`${GAP}`)} FROM ${table} WHERE ${isInList})`;

/** Where a row goes: to an end of the list, or behind the row whose id is the value `after`. */
export type Place = "first" | "last" | "after";

/** @param after the id in a request: null is first; left out, last */
export const placeOf = (after: number | null | undefined): Place =>
  after === undefined ? "last" : after === null ? "first" : "after";

export interface Ordered {
  table: typeof todos | typeof lists;
  /**
   * A SELECT of the one row to be moved, or of none: its `id` and `position`, its `rev` from now on, `stays` (whether
   * it is in the list that it goes to), and what `isInList` and `set` look at.
   */
  moved: SQL;
  /** Whether the row `each` is in the list that `moved` goes to. */
  isInList: SQL;
  /** What the move sets beside the position and the revision. */
  set: SQL;
}

export interface Move {
  /** Renumbers the list when there is no room at the place. */
  renumber: Statement<never>;
  /** Does nothing when the row is where it should be, or when there is no such place. */
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
  // In an empty list nothing is in front of the last place, while `after` names something that must be there.
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
