/**
 * Makes OpenTelemetry spans of the service's work: one for each request, with a child span for each round trip to the
 * database. Names and attributes follow the semantic conventions for HTTP and for databases, but values from the
 * client, such as the path and the query, are left out.
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
import {
  AlwaysOnSampler,
  RandomIdGenerator,
  type Sampler,
  SamplingDecision,
  TracerProvider,
  type TracerProviderOptions,
} from "@opentelemetry/sdk-trace";
import { methodOf } from "../http/methods.ts";
import type { RequestTrace, Tracer, TripFailure } from "../instruments.ts";
import { summaryOf } from "./summary.ts";

/** The current request. */
interface Followed {
  span: Span;
  /** The context with the request's span, for its child spans. */
  context: Context;
}

const AS_SERVER = { kind: SpanKind.SERVER };

/** For a request that is not sampled. */
const unfollowed: Omit<RequestTrace, "id"> = { run: (work) => work(), end() {} };

/**
 * The SDK would take 5 µs to find out that a request is not sampled, and most are not. So its sampler is asked here,
 * and the SDK only makes spans for sampled requests.
 */
export function createTracer(sampler: Sampler, options: Omit<TracerProviderOptions, "sampler">) {
  const ids = new RandomIdGenerator();
  /** The ids of the root span that is about to be made. */
  let traceId = "";
  const provider = new TracerProvider({
    ...options,
    // The SDK is only asked for spans that are sampled.
    sampler: new AlwaysOnSampler(),
    idGenerator: {
      generateTraceId: () => traceId,
      generateSpanId: () => ids.generateSpanId(),
    },
  });
  const spans = provider.getTracer("todos");
  const current = new AsyncLocalStorage<Followed>();

  const tracer: Tracer = {
    request(request) {
      const method = methodOf(request);
      const sent = request.headers.get("traceparent");
      const parent = sent === null ? null : parseTraceParent(sent);
      const above = parent
        ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true })
        : ROOT_CONTEXT;
      const id = parent?.traceId ?? ids.generateTraceId();
      const { decision } = sampler.shouldSample(above, id, method, SpanKind.SERVER, {}, []);
      if (decision !== SamplingDecision.RECORD_AND_SAMPLED) return { id, ...unfollowed };
      traceId = id;
      const span = spans.startSpan(method, AS_SERVER, above);
      const followed = { span, context: trace.setSpan(ROOT_CONTEXT, span) };
      return {
        id,
        run: (work) => current.run(followed, work),
        end({ route, status }, requestId) {
          span.setAttribute("http.request.method", method);
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
      // Work that a request has started may outlive it, such as the sending of a mail. It is not part of the request's
      // trace.
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
  return { tracer, provider };
}

/** @param type for `error.type`, which has only few different values */
function fail(span: Span, type: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
