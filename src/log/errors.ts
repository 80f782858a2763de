/** What the log says about an error: everything except values that a client has sent. */
import { DrizzleQueryError } from "drizzle-orm/errors";

export interface ToldError {
  name: string;
  message: string;
  /** For example SQLITE_FULL or ECONNREFUSED. */
  code?: string | number;
  /** The calls that led to it, without the message. */
  stack?: string;
  cause?: ToldError;
}

/** Maximum number of causes of causes in the log. */
const DEPTH = 5;

export function tellError(error: unknown, depth = DEPTH): ToldError {
  if (!(error instanceof Error)) return { name: typeof error, message: "Not an error was thrown" };
  const { name, stack = "", cause } = error;
  const message = withoutValues(error);
  const told: ToldError = { name, message };
  if ("code" in error && isCode(error.code)) told.code = error.code;
  const calls = callsIn(stack, error.message);
  if (calls) told.stack = calls;
  if (cause !== undefined && depth > 0) told.cause = tellError(cause, depth - 1);
  return told;
}

const isCode = (code: unknown) => typeof code === "string" || typeof code === "number";

/** The message of Drizzle has the values of a failed statement. That of a SyntaxError has the text that did not parse. */
function withoutValues(error: Error): string {
  if (error instanceof DrizzleQueryError) return `Failed query: ${error.query}`;
  if (error instanceof SyntaxError) return "A text does not parse";
  return error.message;
}

/** A stack begins with the message, which has the values. */
function callsIn(stack: string, message: string): string {
  const messageAt = stack.indexOf(message);
  const calls = messageAt === -1 ? stack : stack.slice(messageAt + message.length);
  return calls
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim())
    .join("\n");
}
