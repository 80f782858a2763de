/** A replacement for an OpenTelemetry collector: it accepts what the service sends by OTLP over HTTP. */

/** A span in OTLP's JSON, with the members that the tests use. */
export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  /** 2 for a server's work, 3 for a call to another server. */
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status: { code: number; message?: string };
}
interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: number };
}
interface Export {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: CollectedSpan[] }[];
  }[];
}

/** Attributes by their keys. */
export const valuesOf = (attributes: Attribute[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]),
  );

export function startCollector() {
  const bodies: string[] = [];
  const requests: { path: string; headers: Headers }[] = [];
  let answer = async () => Response.json({});
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      requests.push({ path: new URL(request.url).pathname, headers: request.headers });
      bodies.push(await request.text());
      return answer();
    },
  });
  const exports = () => bodies.map((body): Export => JSON.parse(body));
  return {
    url: server.url.href.replace(/\/$/, ""),
    requests,
    /** The bodies of the requests, in the order of arrival. */
    bodies,
    /** All bodies as one text. */
    text: () => bodies.join("\n"),
    spans: () =>
      exports().flatMap(({ resourceSpans }) =>
        resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      ),
    resources: () =>
      exports().flatMap(({ resourceSpans }) =>
        resourceSpans.map(({ resource }) => valuesOf(resource.attributes)),
      ),
    /** From now on it answers with the result of `how`. */
    answerWith(how: () => Promise<Response>) {
      answer = how;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
