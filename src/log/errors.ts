/** What the log tells of an error: everything but the values that someone sent. */
import { DrizzleQueryError } from "drizzle-orm/errors";

export interface ToldError {
  name: string;
  message: string;
  /** As with SQLITE_FULL or ECONNREFUSED. */
  code?: string | number;
  /** The calls that led to it, without the message. */
  stack?: string;
  cause?: ToldError;
}

/** Causes of causes that are told. */
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

/** Drizzle puts the values of a failed statement into the message; and what does not parse, its text. */
function withoutValues(error: Error): string {
  if (error instanceof DrizzleQueryError) return `Failed query: ${error.query}`;
  if (error instanceof SyntaxError) return "A text does not parse";
  return error.message;
}

/** A stack begins with the message, values and all. */
function callsIn(stack: string, message: string): string {
  const messageAt = stack.indexOf(message);
  const calls = messageAt === -1 ? stack : stack.slice(messageAt + message.length);
  return calls
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim())
    .join("\n");
}
