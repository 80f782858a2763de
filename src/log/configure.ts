/** Sets up the log of this process: which lines go to stdout, how they look, and when they are written. */
import { compareLogLevel, configureSync, getConsoleSink, type Sink } from "@logtape/logtape";
import type { LogLevel } from "../config.ts";
import { createLineBuffer, type LineBuffer, type Write } from "./buffer.ts";
import { type Format, jsonLine, prettyLine } from "./format.ts";
import { type LogRequest, levelOf, requestRecord } from "./requests.ts";

interface LineOptions {
  format: "json" | "pretty";
  /** Whether the pretty format uses colors. */
  colors: boolean;
  level: LogLevel;
}

export interface LogOptions extends LineOptions {
  /** Writes to stdout. All lines go there, because operators collect one stream. */
  write: Write;
}

const URGENT = new Set(["warning", "error", "fatal"]);

/** The log of this process. */
export interface Log extends LineBuffer {
  /** Logs a request. LogTape would take three times as long for the same line, and each request has one. */
  request: LogRequest;
}

/** The log on runtimes whose process keeps running between requests. Lines are gathered, so no request waits for one. */
export function configureLog({ write, ...options }: LogOptions): Log {
  const { level } = options;
  const toLine = formatOf(options);
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
  // The line is made at once, because the objects in the record may change later.
  configureSink(level, (record) => lines.add(toLine(record), URGENT.has(record.level)));
  return {
    ...lines,
    request(entry) {
      if (compareLogLevel(levelOf(entry), level) < 0) return;
      const now = Date.now();
      lines.add(() => toLine(requestRecord(entry, now)), false);
    },
  };
}

/** The log on workerd: each line goes to the console at once, because no work there outlives its request. */
export function configureConsoleLog(options: LineOptions): void {
  const toLine = formatOf(options);
  const formatter: Format = (record) => toLine(record).trimEnd();
  const levelMap = {
    trace: "log",
    debug: "log",
    info: "log",
    warning: "log",
    error: "log",
    fatal: "log",
  } as const;
  configureSink(options.level, getConsoleSink({ formatter, levelMap }));
}

const formatOf = ({ format, colors }: LineOptions): Format =>
  format === "json" ? jsonLine : prettyLine(colors);

function configureSink(level: LogLevel, stdout: Sink): void {
  configureSync({
    reset: true,
    sinks: { stdout },
    loggers: [
      { category: "todos", lowestLevel: level, sinks: ["stdout"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stdout"] },
    ],
  });
}
