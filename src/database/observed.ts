/** A database client that reports each call: its begin, its duration, and whether it failed. */
import type { Client, InArgs, InStatement } from "@libsql/core/api";
import { type DatabaseTrip, type Meter, silent, type Tracer } from "../instruments.ts";
import { outageOf } from "./errors.ts";

export interface Observers {
  meter?: Pick<Meter, "tripEnded"> | undefined;
  tracer?: Pick<Tracer, "trip"> | undefined;
}

/** A statement in any form that `Client.batch` accepts. */
type BatchStatement = InStatement | [sql: string, args?: InArgs];

/** Wraps a client. The reports never contain a statement's values. */
export function observed(client: Client, { meter = silent, tracer }: Observers): Client {
  async function trip<T>(
    kind: DatabaseTrip["kind"],
    statements: readonly BatchStatement[],
    run: () => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now();
    const trace = tracer?.trip(() => statements.map(sqlOf));
    try {
      const result = await run();
      const ms = performance.now() - startedAt;
      meter.tripEnded({ kind, statements: statements.length, ms });
      trace?.end();
      return result;
    } catch (error) {
      const failure = outageOf(error) ?? "error";
      const ms = performance.now() - startedAt;
      meter.tripEnded({ kind, statements: statements.length, ms, failure });
      trace?.end(failure);
      throw error;
    }
  }

  // All other properties are the client's own.
  const seen: Client = Object.create(client);
  seen.execute = (statement: InStatement, args?: InArgs) =>
    trip("statement", [statement], () =>
      typeof statement === "string" ? client.execute(statement, args) : client.execute(statement),
    );
  seen.batch = (statements, mode) =>
    trip("batch", statements, () => client.batch(statements, mode));
  return seen;
}

function sqlOf(statement: BatchStatement): string {
  if (typeof statement === "string") return statement;
  return Array.isArray(statement) ? statement[0] : statement.sql;
}
