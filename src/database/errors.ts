/** Tells from a database error whether the service can do nothing but ask the client to try again, and why. */
import { DrizzleQueryError } from "drizzle-orm/errors";

/** Why a database can't answer now. */
export type Outage = "locked" | "full" | "broken" | "unauthorized" | "unreachable";

/**
 * What tells them, in libSQL's three shapes of errors: the file's has SQLite's code; a server's has a code of its own,
 * or of a replica's that passed a statement on, and the rest in its message; an embedded replica's is all message. So
 * SQLite's own words (https://github.com/sqlite/sqlite/blob/master/src/main.c, sqlite3ErrStr) count as its code does.
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
    // 400 is ours: a request that the server can't read.
    /\bSERVER_UNREACHABLE|\bHTTP status (?!400)\d|\bHRANA_|\b(to|with) primary\b|\bvia RPC protocol\b|\bToo many concurrent requests\b|\badditional transactions\b|\bTimed out while opening\b|\breplicator exited\b|\brequest interupted\b|\bsync error\b|\bconnect error\b/,
  ],
];

/** Why the database can't answer now, when that is what `error`, or what Drizzle wrapped in it, means. */
export function outageOf(error: unknown): Outage | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // Its message repeats the statement's values, which are what someone sent.
    if (cause instanceof DrizzleQueryError) continue;
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
    const text = `${code}: ${cause.message}`;
    const found = OUTAGES.find(([, pattern]) => pattern.test(text));
    if (found) return found[0];
  }
  return undefined;
}
