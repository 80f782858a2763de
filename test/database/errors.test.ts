/** What each of libSQL's errors means for a client, in each of the three forms of these errors. */
import { describe, expect, test } from "bun:test";
import { LibsqlBatchError, LibsqlError } from "@libsql/core/api";
import { DrizzleQueryError } from "drizzle-orm/errors";
import { type Outage, outageOf } from "../../src/database/errors.ts";

/** Errors that libSQL's clients and its server 0.24 have really given. */
const errors: [outage: Outage | undefined, what: string, error: Error][] = [
  ["locked", "the file's", new LibsqlError("database is locked", "SQLITE_BUSY")],
  ["locked", "a server's", new LibsqlError("SQLite error: database is locked", "SQLITE_BUSY")],
  ["locked", "a primary's", byReplica("database is locked")],
  ["locked", "an embedded replica's", new Error('RemoteSqliteFailure(1, 5, "database is locked")')],
  ["full", "the file's", new LibsqlError("database or disk is full", "SQLITE_FULL")],
  ["full", "a primary's", byReplica("database or disk is full")],
  ["full", "a batch's", new LibsqlBatchError("database or disk is full", 1, "SQLITE_FULL")],
  ["broken", "the file's", new LibsqlError("disk I/O error", "SQLITE_IOERR")],
  ["broken", "a primary's", byReplica("database disk image is malformed")],
  ["unauthorized", "a server's", httpStatus(401)],
  ["unauthorized", "a server's for reading alone", httpStatus(403)],
  ["unreachable", "a server's that fails", httpStatus(500)],
  ["unreachable", "a proxy's", httpStatus(502)],
  ["unreachable", "nobody's", new LibsqlError("no answer in 2000 ms", "SERVER_UNREACHABLE")],
  ["unreachable", "nonsense", new LibsqlError("not JSON", "HRANA_PROTO_ERROR")],
  [
    "unreachable",
    "a replica's that has lost its primary",
    new LibsqlError("Connection with primary broken", "PROXY_ERROR"),
  ],
  [
    "unreachable",
    "an embedded replica's",
    new Error("sync error: error trying to connect: tcp connect error: Connection refused"),
  ],
  [undefined, "a bad request", httpStatus(400)],
  [undefined, "a constraint", new LibsqlError("UNIQUE constraint failed", "SQLITE_CONSTRAINT")],
  [undefined, "a constraint by a replica", byReplica("UNIQUE constraint failed: users.email")],
  [undefined, "no such table", new LibsqlError("no such table: t", "SQLITE_ERROR")],
  [undefined, "a bug", new TypeError("undefined is not a function")],
];

function byReplica(message: string) {
  return new LibsqlError(`error executing a request on the primary: ${message}`, "PROXY_ERROR");
}

function httpStatus(status: number) {
  return new LibsqlError(`Server returned HTTP status ${status}`, "SERVER_ERROR");
}

describe("what an error means", () => {
  test.each(errors)("%s: %s", (outage, _what, error) => {
    expect(outageOf(error)).toBe(outage);
    expect(outageOf(new DrizzleQueryError("select 1", [], error))).toBe(outage);
  });

  test("does not depend on values that a client has sent", () => {
    const error = new LibsqlError("UNIQUE constraint failed", "SQLITE_CONSTRAINT");
    const sent = ["database is locked", "SQLITE_BUSY", "HTTP status 500"];
    expect(outageOf(new DrizzleQueryError("insert", sent, error))).toBeUndefined();
  });

  test("is nothing for a value that is not an error", () => {
    for (const value of [undefined, null, "SQLITE_BUSY", { code: "SQLITE_BUSY" }]) {
      expect(outageOf(value)).toBeUndefined();
    }
  });
});
