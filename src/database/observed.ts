/** A database's client that tells of each trip: how long it took, and whether it failed. */
import type { Client, InArgs, InStatement } from "@libsql/core/api";
import type { DatabaseTrip, Meter } from "../instruments.ts";
import { outageOf } from "./errors.ts";

/** The same client. What it tells are counts and times, never a statement or its values. */
export function observed(client: Client, meter: Pick<Meter, "tripEnded">): Client {
  async function trip<T>(
    kind: DatabaseTrip["kind"],
    statements: number,
    run: () => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now();
    try {
      const result = await run();
      meter.tripEnded({ kind, statements, ms: performance.now() - startedAt });
      return result;
    } catch (error) {
      const failure = outageOf(error) ?? "error";
      meter.tripEnded({ kind, statements, ms: performance.now() - startedAt, failure });
      throw error;
    }
  }

  // What is not said here is the client's own.
  const seen: Client = Object.create(client);
  seen.execute = (statement: InStatement, args?: InArgs) =>
    trip("statement", 1, () =>
      typeof statement === "string" ? client.execute(statement, args) : client.execute(statement),
    );
  seen.batch = (statements, mode) =>
    trip("batch", statements.length, () => client.batch(statements, mode));
  return seen;
}
