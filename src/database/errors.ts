/**
 * Finds out which database errors are outages. In an outage, the service can only ask the client to try again later.
 */
import { DrizzleQueryError } from "drizzle-orm/errors";

/** Why a database cannot answer now. */
export type Outage = "locked" | "full" | "broken" | "unauthorized" | "unreachable";

/**
 * How to recognize each outage. libSQL's errors have three forms. An embedded file gives SQLite's code. A server gives
 * its own code, and the rest in the message. An embedded replica gives only a message. So SQLite's texts
 * (https://github.com/sqlite/sqlite/blob/master/src/main.c, sqlite3ErrStr) are checked as well as its codes.
 */
const OUTAGES: [Outage, RegExp][] = [
  ["locked", /\bSQLITE_(BUSY|LOCKED)|\bdatabase (table )?is locked\b/],
  ["full", /\bSQLITE_FULL|\bdatabase or disk is full\b/],
  [
    "broken",
    /\bSQLITE_(IOERR|CANTOPEN|CORRUPT|NOTADB|READONLY|PROTOCOL|NOMEM)|\bdisk I\/O error\b|\bunable to open database file\b|\bdatabase disk image is malformed\b|\bfile is not a database\b|\breadonly database\b|\bout of memory\b/,
  ],
  ["unauthorized", /\bAUTH_[A-Z]|\bHTTP status 40[13]\b|\bUnauthenticated\b/],
  [
    "unreachable",
    // A 400 is an error in this service: the server cannot read the request.
    /\bSERVER_UNREACHABLE|\bHTTP status (?!400)\d|\bHRANA_|\b(to|with) primary\b|\bvia RPC protocol\b|\bToo many concurrent requests\b|\badditional transactions\b|\bTimed out while opening\b|\breplicator exited\b|\brequest interupted\b|\bsync error\b|\bconnect error\b/,
  ],
];

/** The outage behind `error`, or behind the error that Drizzle wrapped in it. */
export function outageOf(error: unknown): Outage | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // Its message repeats the statement's values, which come from a client.
    if (cause instanceof DrizzleQueryError) continue;
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
    const text = `${code}: ${cause.message}`;
    const found = OUTAGES.find(([, pattern]) => pattern.test(text));
    if (found) return found[0];
  }
  return undefined;
}
