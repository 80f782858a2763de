/** The request methods that the service knows. A client may send any word for one. */

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** A request's method, or `_OTHER`, as OpenTelemetry's conventions call every other word. */
export const methodOf = ({ method }: { method: string }): string =>
  METHODS.has(method) ? method : "_OTHER";
