/** Positions: how far somebody has seen a database on a server, so that nobody is shown an older state afterwards. */
import { type ProgramOutcome, type Step, succeeded } from "./hrana.ts";

export interface Position {
  /**
   * How many commits the database counts. The database itself holds this count, because libSQL's replication index is
   * not enough to compare two states: a server that has crashed begins it anew.
   */
  count: number;
  /** The server's replication index at that count. It only lets a replica know how long to wait. */
  index?: number | undefined;
}

/** Before the first commit. */
export const BEGINNING: Position = { count: 0 };

/** Part of every transaction that writes. */
export const COUNT_UP: Step = {
  sql: "INSERT INTO commits (id, count) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1",
};
export const COUNT: Step = { sql: "SELECT count FROM commits" };

/** The count that `COUNT` gave. Before the first commit there is no row. @throws LibsqlError that it gave instead */
export function countOf(outcome: ProgramOutcome["steps"][number]): number {
  return Number(succeeded(outcome).rows[0]?.count ?? 0);
}

/** The later one of two positions. */
export const later = (one: Position, other: Position): Position =>
  one.count > other.count ? one : other;
