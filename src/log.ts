/** Where log lines go and how they look: JSON on stdout, or readable lines on a terminal. */
import {
  configureSync,
  getAnsiColorFormatter,
  getConsoleSink,
  getJsonLinesFormatter,
  type LogRecord,
} from "@logtape/logtape";
import { DrizzleQueryError } from "drizzle-orm/errors";
import type { LogLevel } from "./config.ts";

export function configureLog(format: "json" | "pretty", level: LogLevel): void {
  const formatter =
    format === "json"
      ? getJsonLinesFormatter({ properties: "flatten" })
      : getAnsiColorFormatter({ timestamp: "time" });
  // Every level to stdout: whoever runs services collects one stream.
  const levels = {
    trace: "log",
    debug: "log",
    info: "log",
    warning: "log",
    error: "log",
    fatal: "log",
  } as const;
  const print = getConsoleSink({ formatter, levelMap: levels });
  configureSync({
    reset: true,
    sinks: { stdout: (record) => print(withoutValues(record)) },
    loggers: [
      { category: "todos", lowestLevel: level, sinks: ["stdout"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stdout"] },
    ],
  });
}

/** The record, without the values of a statement that failed: they are what someone sent, or a password's hash. */
function withoutValues(record: LogRecord): LogRecord {
  const properties = Object.entries(record.properties).map(([name, value]) => [name, told(value)]);
  return {
    ...record,
    message: record.message.map(told),
    properties: Object.fromEntries(properties),
  };
}

function told(value: unknown): unknown {
  if (!(value instanceof DrizzleQueryError)) return value;
  // Drizzle has the values in a property, in the message, and so in the stack, which begins with the message.
  const { query, message, stack = "", cause } = value;
  const error = new Error(`Failed query: ${query}`, { cause });
  const messageAt = stack.indexOf(message);
  const frames = messageAt === -1 ? "" : stack.slice(messageAt + message.length);
  error.stack = `${error.message}${frames}`;
  return error;
}
