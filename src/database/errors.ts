/** Tells from a database error whether the service can do nothing but ask the client to try again. */

/** SQLite's primary result codes for a database that is locked, full, broken or out of reach. */
const UNAVAILABLE =
  /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CANTOPEN|CORRUPT|NOTADB|READONLY|PROTOCOL|NOMEM)/;

/** Whether `error`, or what Drizzle wrapped in it, means that the database can't answer now. */
export function isUnavailable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string" && UNAVAILABLE.test(cause.code)) {
      return true;
    }
  }
  return false;
}
