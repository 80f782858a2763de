/**
 * Makes spans of OpenTelemetry's of what the service does: one for each request, and below it one for each trip to the
 * database. Names and attributes are those of the semantic conventions for HTTP and for databases, but for what a client
 * has sent, such as the path and the query: no span has any of it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import type { TracerProvider } from "@opentelemetry/sdk-trace";
import { methodOf } from "../http/methods.ts";
import type { Tracer, TripFailure } from "../instruments.ts";
import { summaryOf } from "./summary.ts";

/** The request at hand. */
interface Followed {
  span: Span;
  /** With the span in it, for those below it. */
  context: Context;
}

export function createTracer(provider: TracerProvider): Tracer {
  const spans = provider.getTracer("todos");
  const current = new AsyncLocalStorage<Followed>();
  return {
    request(request) {
      const method = methodOf(request);
      const span = spans.startSpan(
        method,
        { kind: SpanKind.SERVER, attributes: { "http.request.method": method } },
        contextOf(request.headers.get("traceparent")),
      );
      const { traceId: id } = span.spanContext();
      // Most are not sampled, and then there is nothing to do but to know the id.
      if (!span.isRecording()) return { id, run: (work) => work(), end() {} };
      const followed = { span, context: trace.setSpan(ROOT_CONTEXT, span) };
      return {
        id,
        run: (work) => current.run(followed, work),
        end({ route, status }, requestId) {
          if (route !== null) {
            span.updateName(`${method} ${route}`);
            span.setAttribute("http.route", route);
          }
          span.setAttribute("http.response.status_code", status);
          span.setAttribute("todos.request_id", requestId);
          if (status >= 500) fail(span, String(status));
          span.end();
        },
      };
    },
    trip(sql) {
      const followed = current.getStore();
      // What a request has set going may outlive it, as the sending of a mail does. It is no part of the request.
      if (!followed?.span.isRecording()) return undefined;
      const texts = sql();
      const summary = summaryOf(texts);
      const attributes = {
        "db.system.name": "sqlite",
        "db.query.summary": summary,
        ...(texts.length > 1 && { "db.operation.batch.size": texts.length }),
      };
      const span = spans.startSpan(
        summary,
        { kind: SpanKind.CLIENT, attributes },
        followed.context,
      );
      return {
        end(failure?: TripFailure) {
          if (failure !== undefined) fail(span, failure);
          span.end();
        },
      };
    },
  };
}

/** @param type for `error.type`, of which there are few */
function fail(span: Span, type: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Where a request's span hangs: under the client's, if it sent a valid `traceparent` (W3C Trace Context, §3.2). */
function contextOf(traceparent: string | null): Context {
  const parent = traceparent === null ? null : parseTraceParent(traceparent);
  if (!parent) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}
