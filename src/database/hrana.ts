/**
 * One round trip to a libSQL server: a program of SQL statements, sent and answered in one HTTP request.
 * The protocol is Hrana 3 over HTTP in JSON:
 * https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md
 */
import { type InArgs, LibsqlError, type ResultSet, type Row, type Value } from "@libsql/core/api";
import { ResultSetImpl } from "@libsql/core/util";

/** One statement of a program. */
export interface Step {
  sql: string;
  /** Arguments by position. */
  args?: InArgs | undefined;
  /** The step is skipped if this is false. Steps are numbered from 0. */
  condition?: Condition | undefined;
}

/** `ok`: that step has run and succeeded. `is_autocommit`: no transaction is open. */
export type Condition =
  | { type: "ok"; step: number }
  | { type: "is_autocommit" }
  | { type: "not"; cond: Condition }
  | { type: "and"; conds: Condition[] };

export interface Program {
  steps: Step[];
  /** Milliseconds for the whole round trip, until the last byte of the answer. */
  timeout: number;
  /** The replication index that a replica must reach before it runs a program of plain reads. */
  from?: number | undefined;
}

/** The outcome of a program that has run, completely or in part. */
export interface ProgramOutcome {
  /** The result or the error of each step; undefined for a step that was skipped. */
  steps: (ResultSet | LibsqlError | undefined)[];
  /** The server's replication index after the program: how many changes it has. Not every server sends it. */
  index: number | undefined;
}

/** Sends one program. Between round trips nothing is kept except the runtime's own connection pool. */
export type Run = (program: Program) => Promise<ProgramOutcome>;

/**
 * @param url `libsql://` (which means HTTPS), `https://` or `http://`
 * @returns a function that runs programs there. It rejects with LibsqlError: ARGS_INVALID before anything is sent;
 *   SERVER_UNREACHABLE when there is no answer in time; SERVER_ERROR with the HTTP status in its message, or the
 *   server's own code, when the program could not be run; HRANA_PROTO_ERROR when the answer cannot be read.
 */
export function openHrana(url: string, authToken?: string): Run {
  const base = new URL(url.replace(/^libsql:/i, "https:"));
  const endpoint = new URL("v3/pipeline", base.href.replace(/\/?$/, "/"));
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (authToken !== undefined) headers.authorization = `Bearer ${authToken}`;
  // On the same machine, compression costs more time than it saves.
  if (/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(base.hostname)) {
    headers["accept-encoding"] = "identity";
  }

  return async ({ steps, timeout, from }) => {
    const batch = { steps: steps.map(encodeStep), replication_index: from };
    // `close` ends the stream that the request opens, so the server keeps no state for it.
    const body = JSON.stringify({ requests: [{ type: "batch", batch }, { type: "close" }] });
    const answer = await post(endpoint, { method: "POST", headers, body }, timeout);
    return decodeOutcome(answer);
  };
}

/** The whole body of a successful answer. */
async function post(url: URL, request: RequestInit, milliseconds: number): Promise<string> {
  let response: Response;
  let text: string;
  try {
    // The signal covers the body too.
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(milliseconds) });
    text = await response.text();
  } catch (error) {
    // Each runtime has its own message for this failure.
    const cause = error instanceof Error ? error : new Error(String(error));
    const message =
      cause.name === "TimeoutError" ? `no answer within ${milliseconds} ms` : cause.message;
    throw new LibsqlError(message, "SERVER_UNREACHABLE", undefined, undefined, cause);
  }
  if (response.ok) return text;
  throw refusal(response.status, text);
}

/** The error for an answer with a status other than 200. */
function refusal(status: number, text: string): LibsqlError {
  try {
    const error: unknown = JSON.parse(text);
    if (isServerError(error)) return toLibsqlError(error);
  } catch {
    // It is plain text, from the server or from a proxy in front of it.
  }
  const details = text.trim().slice(0, 200);
  return new LibsqlError(`Server returned HTTP status ${status}: ${details}`, "SERVER_ERROR");
}

// The parts of the answer that are read here.
interface Answer {
  results: (
    | { type: "ok"; response: { result: BatchResult } }
    | { type: "error"; error: ServerError }
  )[];
}
interface BatchResult {
  step_results: (StepResult | null)[];
  step_errors: (ServerError | null)[];
  replication_index?: string | null;
}
interface StepResult {
  cols: { name: string | null; decltype: string | null }[];
  rows: HranaValue[][];
  affected_row_count: number;
  last_insert_rowid: string | null;
}
interface ServerError {
  message: string;
  code?: string;
}
type HranaValue =
  | { type: "null" }
  | { type: "integer"; value: string }
  | { type: "float"; value: number }
  | { type: "text"; value: string };

function decodeOutcome(text: string): ProgramOutcome {
  try {
    // `as`: the server is expected to follow its protocol. If it does not, the code below throws.
    const { results } = JSON.parse(text) as Answer;
    const [batch] = results;
    if (batch === undefined) throw new TypeError("no result");
    if (batch.type === "error") throw toLibsqlError(batch.error);
    const { step_results, step_errors, replication_index } = batch.response.result;
    return {
      index: replication_index ? Number(replication_index) : undefined,
      steps: step_results.map((result, i) => {
        const error = step_errors[i];
        if (error) return toLibsqlError(error);
        return result === null ? undefined : toResultSet(result);
      }),
    };
  } catch (error) {
    if (error instanceof LibsqlError) throw error;
    const cause = error instanceof Error ? error : new Error(String(error));
    const message = `cannot read the server's answer: ${cause.message}`;
    throw new LibsqlError(message, "HRANA_PROTO_ERROR", undefined, undefined, cause);
  }
}

/** The result of a step. @throws LibsqlError the error of the step */
export function succeeded(outcome: ProgramOutcome["steps"][number]): ResultSet {
  if (outcome instanceof LibsqlError) throw outcome;
  if (outcome) return outcome;
  throw new LibsqlError("a statement was not run", "HRANA_PROTO_ERROR");
}

function isServerError(value: unknown): value is ServerError {
  return typeof value === "object" && value !== null && "message" in value;
}

function toLibsqlError({ message, code }: ServerError): LibsqlError {
  return new LibsqlError(message, code ?? "SERVER_ERROR");
}

function toResultSet(result: StepResult): ResultSet {
  const columns = result.cols.map(({ name }) => name ?? "");
  const columnTypes = result.cols.map(({ decltype }) => decltype ?? "");
  const rows = result.rows.map((values) => toRow(values.map(decodeValue), columns));
  const { affected_row_count, last_insert_rowid } = result;
  const rowid = last_insert_rowid === null ? undefined : BigInt(last_insert_rowid);
  return new ResultSetImpl(columns, columnTypes, rows, affected_row_count, rowid);
}

/** A row as in other libSQL clients: values by name, and also by index, where the index is not enumerable. */
function toRow(values: Value[], columns: string[]): Row {
  // `as`: TypeScript's index signature would require `length` to be a Value.
  const row = Object.defineProperty({}, "length", { value: values.length }) as Row;
  values.forEach((value, i) => {
    Object.defineProperty(row, i, { value });
    const name = columns[i] ?? "";
    // If several columns have the same name, the first one counts.
    if (Object.hasOwn(row, name)) return;
    const property = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(row, name, property);
  });
  return row;
}

function decodeValue(value: HranaValue): Value {
  switch (value.type) {
    case "null":
      return null;
    case "integer": {
      const number = Number(value.value);
      if (Number.isSafeInteger(number)) return number;
      throw new LibsqlError(`integer ${value.value} exceeds 2^53 - 1`, "INTEGER_UNSAFE");
    }
    case "float":
    case "text":
      return value.value;
    default:
      throw new TypeError("a value of a type that is not known");
  }
}

function encodeStep({ sql, args = [], condition }: Step) {
  if (!Array.isArray(args)) throw invalid("arguments by name are not supported");
  return { condition, stmt: { sql, args: args.map(encodeValue) } };
}

/** `unknown`, because an untyped caller may pass anything. */
function encodeValue(value: unknown): HranaValue {
  if (value === null) return { type: "null" };
  if (typeof value === "string") {
    // The embedded database refuses both too: a NUL would end the text there, and UTF-8 has no lone surrogates.
    if (value.includes("\0")) throw invalid("text holds a NUL");
    if (!value.isWellFormed()) throw invalid("text holds a lone surrogate");
    return { type: "text", value };
  }
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return { type: "integer", value: String(value) };
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return { type: "float", value };
    throw invalid("number is not finite, or exceeds 2^53 - 1");
  }
  if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) {
    return { type: "integer", value: String(value) };
  }
  if (typeof value === "boolean") return { type: "integer", value: value ? "1" : "0" };
  throw invalid(
    typeof value === "bigint" ? "integer exceeds 64 bits" : `${typeof value} is no SQL value`,
  );
}

function invalid(message: string): LibsqlError {
  return new LibsqlError(message, "ARGS_INVALID");
}
