/**
 * Positions: how new the state is that somebody has seen of a database on a server, so that nobody is shown an older
 * state later.
 */
import { type ProgramOutcome, type Step, succeeded } from "./hrana.ts";

export interface Position {
  /**
   * The number of commits that the database counts. The database stores this count itself. libSQL's replication index
   * cannot be used to compare two states, because a server starts a new index after a crash.
   */
  count: number;
  /** The server's replication index at that count. It only helps a replica to wait. */
  index?: number | undefined;
}

/** The position before the first commit. */
export const BEGINNING: Position = { count: 0 };

/** A part of every transaction that writes, on a service whose replicas may answer reads (DATABASE_STALE_READS). */
export const COUNT_UP: Step = {
  sql: "INSERT INTO commits (id, count) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1",
};
export const COUNT: Step = { sql: "SELECT count FROM commits" };

/**
 * The count that `COUNT` returned. Before the first commit there is no row. @throws LibsqlError the error of the step
 */
export function countOf(outcome: ProgramOutcome["steps"][number]): number {
  return Number(succeeded(outcome).rows[0]?.count ?? 0);
}

/** The later one of two positions. */
export const later = (one: Position, other: Position): Position =>
  one.count > other.count ? one : other;
