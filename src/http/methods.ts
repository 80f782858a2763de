/** The request methods that the service knows. A client may send any word as the method. */

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** A request's method, or `_OTHER`, which is OpenTelemetry's convention for every other word. */
export const methodOf = ({ method }: { method: string }): string =>
  METHODS.has(method) ? method : "_OTHER";
