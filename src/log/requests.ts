/** The log line of each request. */
import { getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";

/** All that is logged about a request. The path and the query are left out, because they could contain a token. */
export interface RequestEntry {
  request_id: string;
  trace_id?: string;
  method: string;
  /** The route's pattern; null when there is no such route. */
  route: string | null;
  status: number;
  ms: number;
  user_id: number | null;
  ip: string | null;
}

export type LogRequest = (entry: RequestEntry) => void;

const CATEGORY = ["todos", "http"];
const logger = getLogger(CATEGORY);

/** Supervisors and load balancers call these every few seconds. */
const HEALTH = new Set<string | null>(["/health/alive", "/health/ready"]);

export const levelOf = ({ route }: RequestEntry): LogLevel =>
  HEALTH.has(route) ? "debug" : "info";

/** @param timestamp milliseconds since the epoch */
export function requestRecord(entry: RequestEntry, timestamp: number): LogRecord {
  const { method, route, status, ms } = entry;
  const message = `${method} ${route ?? "(no such path)"} ${status} in ${ms} ms`;
  return {
    timestamp,
    level: levelOf(entry),
    category: CATEGORY,
    message: [message],
    rawMessage: message,
    properties: { ...entry },
  };
}

/** Logs it with LogTape, like everything else. The service has a faster way, see `configure.ts`. */
export const requestByLogTape: LogRequest = (entry) =>
  logger.emit(requestRecord(entry, Date.now()));
