/** A line of the log: JSON for programs, or readable on a terminal. */
import { type LogLevel, type LogRecord, sanitizeControlSequences } from "@logtape/logtape";
import { toInstant } from "../instant.ts";
import { type ToldError, tellError } from "./errors.ts";

export type Format = (record: LogRecord) => string;

const NAMES: Record<LogLevel, string> = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO",
  warning: "WARN",
  error: "ERROR",
  fatal: "FATAL",
};

/** One object: the members that every line has, and the record's properties beside them. */
export function jsonLine({ timestamp, level, category, message, properties }: LogRecord): string {
  const line: Record<string, unknown> = {
    "@timestamp": toInstant(timestamp),
    level: NAMES[level],
    message: text(message),
    logger: category.join("."),
  };
  for (const name in properties) {
    const value = properties[name];
    line[name] = name === "error" || value instanceof Error ? tellError(value) : value;
  }
  return `${JSON.stringify(line)}\n`;
}

/** ANSI escape codes (ECMA-48 §8.3.117). */
const RESET = "\x1b[0m";
const DIM = "\x1b[2m";
const COLORS: Record<LogLevel, string> = {
  trace: DIM,
  debug: DIM,
  info: "\x1b[32m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
  fatal: "\x1b[31m",
};

/**
 * The time in UTC, the level, the message and the request id, and below them an error with its causes.
 * @param colors whether to use ANSI escape codes
 */
export const prettyLine =
  (colors: boolean): Format =>
  ({ timestamp, level, category, message, properties: { request_id, error } }) => {
    const paint = (color: string, part: string) => (colors ? `${color}${part}${RESET}` : part);
    const parts = [
      paint(DIM, toInstant(timestamp).slice(11, -1)),
      paint(COLORS[level], NAMES[level].padEnd(5)),
      `${category.join(".")}: ${sanitizeControlSequences(text(message))}`,
    ];
    if (typeof request_id === "string") parts.push(paint(DIM, request_id));
    // An error may repeat the text of another server, such as a mail server.
    const below = error === undefined ? "" : sanitizeControlSequences(block(tellError(error)));
    return `${parts.join(" ")}${below}\n`;
  };

function block({ name, message, code, stack = "", cause }: ToldError): string {
  const head = `\n    ${name}: ${message}${code === undefined ? "" : ` (${code})`}`;
  const calls = stack === "" ? "" : `\n${stack.replace(/^/gm, "      ")}`;
  return head + calls + (cause ? `\n    caused by${block(cause)}` : "");
}

/** A record's message: text and values in turn. */
function text(message: readonly unknown[]): string {
  if (message.length === 1) return String(message[0]);
  return message.map(shown).join("");
}

function shown(value: unknown): string {
  if (!(value instanceof Error)) return String(value);
  const { name, message } = tellError(value);
  return `${name}: ${message}`;
}
