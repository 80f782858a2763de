/** Sets up the log of this process: which lines go to stdout, how they look, and when they are written. */
import { compareLogLevel, configureSync } from "@logtape/logtape";
import type { LogLevel } from "../config.ts";
import { createLineBuffer, type LineBuffer, type Write } from "./buffer.ts";
import { jsonLine, prettyLine } from "./format.ts";
import { type LogRequest, requestRecord } from "./requests.ts";

export interface LogOptions {
  format: "json" | "pretty";
  /** Whether the pretty format uses colors. */
  colors: boolean;
  level: LogLevel;
  /** Writes to stdout: whoever runs services collects one stream. */
  write: Write;
}

const URGENT = new Set(["warning", "error", "fatal"]);

/** The log of this process. */
export interface Log extends LineBuffer {
  /** Logs a request. LogTape would take three times as long for the same line, and there is one for every request. */
  request: LogRequest;
}

export function configureLog({ format, colors, level, write }: LogOptions): Log {
  const toLine = format === "json" ? jsonLine : prettyLine(colors);
  const lines = createLineBuffer(write, (lost) =>
    toLine({
      timestamp: Date.now(),
      level: "warning",
      category: ["todos", "log"],
      message: [`${lost} lines of this log were lost, because nobody read it`],
      rawMessage: "",
      properties: { lost },
    }),
  );
  configureSync({
    reset: true,
    sinks: { stdout: (record) => lines.add(toLine(record), URGENT.has(record.level)) },
    loggers: [
      { category: "todos", lowestLevel: level, sinks: ["stdout"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stdout"] },
    ],
  });
  return {
    ...lines,
    request(entry) {
      const record = requestRecord(entry, Date.now());
      if (compareLogLevel(record.level, level) >= 0) lines.add(toLine(record), false);
    },
  };
}
