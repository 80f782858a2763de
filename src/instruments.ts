/** What the service tells about its work while it runs, for metrics and traces. By default nobody listens. */
import type { Outage } from "./database/errors.ts";

/** Why a trip to the database failed. `error`: a statement's own fault, such as a constraint that it violates. */
export type TripFailure = Outage | "error";

/** A request that has been answered. */
export interface AnsweredRequest {
  method: string;
  /** The route's pattern; null when there is no such route, or when it was refused before any. */
  route: string | null;
  status: number;
  /** Milliseconds. */
  ms: number;
}

/** One call of the database's client: what costs a round trip when the database is on a server. */
export interface DatabaseTrip {
  kind: "statement" | "batch";
  statements: number;
  ms: number;
  /** Missing when it succeeded. */
  failure?: TripFailure;
}

/** Why a request was refused: by the throttle, or because a network's budget is spent. */
export const REFUSALS = [
  "too_many_failures",
  "account_refused",
  "failed_log_ins",
  "sign_ups",
  "mails",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** `failed`: tried, and will be tried again. `given_up`: it will never be sent. */
export const MAIL_OUTCOMES = ["sent", "failed", "given_up"] as const;
export type MailOutcome = (typeof MAIL_OUTCOMES)[number];

/** Counts what the service does. Each of its functions is called very often, so it must be quick and never throw. */
export interface Meter {
  requestEnded(request: AnsweredRequest): void;
  tripEnded(trip: DatabaseTrip): void;
  /** @param waiting writes that wait for their commit to begin, from now on */
  writesWaiting(waiting: number): void;
  /** @param writes how many shared the commit */
  committed(writes: number): void;
  /** @param waiting passwords that wait to be hashed, from now on */
  hashesWaiting(waiting: number): void;
  hashRefused(): void;
  refused(why: Refusal): void;
  mail(outcome: MailOutcome): void;
}

/** Follows requests, and what is done for each. */
export interface Tracer {
  /** Begins to follow a request. */
  request(request: Request): RequestTrace;
  /**
   * Begins to follow a trip to the database that is made for the request at hand. Undefined when nobody follows that.
   * @param sql the texts of its statements. They are asked for only when they are needed, and hold no values
   */
  trip(sql: () => readonly string[]): TripTrace | undefined;
}

export interface RequestTrace {
  /** The trace's id (W3C Trace Context, §3.2.2.3): the client's if it sent one. */
  readonly id: string;
  /** Does the request's work, so that the trips made for it are known as its own. */
  run<T>(work: () => T): T;
  end(answered: AnsweredRequest, requestId: string): void;
}

export interface TripTrace {
  /** @param failure missing when it succeeded */
  end(failure?: TripFailure): void;
}

/** What writes tell, for the databases. */
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
