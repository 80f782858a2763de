/** What the service reports about its work while it runs, for metrics and traces. By default nobody listens. */
import type { Outage } from "./database/errors.ts";

/**
 * Why a round trip to the database failed. `error`: the statement itself was at fault, for example it violates a
 * constraint.
 */
export type TripFailure = Outage | "error";

/** A request that was answered. */
export interface AnsweredRequest {
  method: string;
  /** The route's pattern. Null when there is no such route, or when the request was refused before the routing. */
  route: string | null;
  status: number;
  /** Milliseconds. */
  ms: number;
}

/** One call of the database's client. It costs one round trip when the database is on a server. */
export interface DatabaseTrip {
  kind: "statement" | "batch";
  statements: number;
  ms: number;
  /** Missing when the call succeeded. */
  failure?: TripFailure;
}

/** Why a request was refused: by the throttle, or because a network has reached an hourly limit. */
export const REFUSALS = [
  "too_many_failures",
  "account_refused",
  "failed_log_ins",
  "sign_ups",
  "mails",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** `failed`: this attempt failed, and there will be another. `given_up`: the mail will never be sent. */
export const MAIL_OUTCOMES = ["sent", "failed", "given_up"] as const;
export type MailOutcome = (typeof MAIL_OUTCOMES)[number];

/** Counts what the service does. Its functions are called very often, so they must be fast and never throw. */
export interface Meter {
  requestEnded(request: AnsweredRequest): void;
  tripEnded(trip: DatabaseTrip): void;
  /** @param waiting the number of writes that now wait for their commit to begin */
  writesWaiting(waiting: number): void;
  /** @param writes the number of writes that shared the commit */
  committed(writes: number): void;
  /** @param waiting the number of passwords that now wait to be hashed */
  hashesWaiting(waiting: number): void;
  hashRefused(): void;
  refused(why: Refusal): void;
  mail(outcome: MailOutcome): void;
}

/** Follows requests and the work for each of them. */
export interface Tracer {
  /** Begins to follow a request. */
  request(request: Request): RequestTrace;
  /**
   * Starts to follow a round trip to the database for the current request. Undefined when nobody follows it.
   * @param sql returns the texts of its statements. They hold no values. It is called only when they are needed
   */
  trip(sql: () => readonly string[]): TripTrace | undefined;
}

export interface RequestTrace {
  /** The id of the trace (W3C Trace Context, §3.2.2.3). It is the client's, if the client sent one. */
  readonly id: string;
  /** Runs the request's work, so that its round trips are recognized as part of it. */
  run<T>(work: () => T): T;
  end(answered: AnsweredRequest, requestId: string): void;
}

export interface TripTrace {
  /** @param failure missing when the call succeeded */
  end(failure?: TripFailure): void;
}

/** What the databases report about writes. */
export type WritesMeter = Pick<Meter, "writesWaiting" | "committed">;

const nothing = () => {};

/** Counts nothing. */
export const silent: Meter = {
  requestEnded: nothing,
  tripEnded: nothing,
  writesWaiting: nothing,
  committed: nothing,
  hashesWaiting: nothing,
  hashRefused: nothing,
  refused: nothing,
  mail: nothing,
};
