/** Counts what the service does, in the metrics of a Prometheus registry. `docs/metrics.md` tells of each. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { methodOf } from "../http/methods.ts";
import { MAIL_OUTCOMES, type Meter, REFUSALS, type TripFailure } from "../instruments.ts";

/** Seconds. A page of todos takes about a tenth of a millisecond, a log-in about 50 ms. */
const REQUEST_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** Seconds. On a file, a trip takes some 10 µs. */
const TRIP_SECONDS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5,
];
/** Writes that share a commit: 64 at most on a file, 32 on a server. */
const GROUP_SIZES = [1, 2, 4, 8, 16, 32, 64];

const FAILURES: TripFailure[] = [
  "locked",
  "full",
  "broken",
  "unauthorized",
  "unreachable",
  "error",
];

/** What a request for no route is counted under. */
const NO_ROUTE = "none";

export function createMeter(registry: Registry): Meter {
  const registers = [registry];
  const requests = new Histogram({
    name: "todos_http_request_duration_seconds",
    help: "Time from a request's first moment to its answer.",
    labelNames: ["method", "route", "status"],
    buckets: REQUEST_SECONDS,
    registers,
  });
  const statements = new Counter({
    name: "todos_database_statements_total",
    help: "Statements sent to the database, those in batches too.",
    registers,
  });
  const trips = new Histogram({
    name: "todos_database_trip_duration_seconds",
    help: "Time of a statement or batch, from the call to its answer, waiting included.",
    labelNames: ["kind"],
    buckets: TRIP_SECONDS,
    registers,
  });
  const failures = new Counter({
    name: "todos_database_failures_total",
    help: "Statements and batches that failed, by the reason.",
    labelNames: ["reason"],
    registers,
  });
  const writes = new Gauge({
    name: "todos_database_writes_waiting",
    help: "Writes that wait for their commit to begin.",
    registers,
  });
  const commits = new Histogram({
    name: "todos_database_commit_writes",
    help: "Writes that shared a commit; its count is the number of commits.",
    buckets: GROUP_SIZES,
    registers,
  });
  const hashes = new Gauge({
    name: "todos_password_hashes_waiting",
    help: "Passwords that wait to be hashed.",
    registers,
  });
  const hashesRefused = new Counter({
    name: "todos_password_hashes_refused_total",
    help: "Passwords that were not hashed, because too many waited.",
    registers,
  });
  const refusals = new Counter({
    name: "todos_refusals_total",
    help: "Requests refused by the throttle, or because a network's limit an hour is reached.",
    labelNames: ["reason"],
    registers,
  });
  const mails = new Counter({
    name: "todos_mails_total",
    help: "Attempts to send a mail, by what came of them.",
    labelNames: ["outcome"],
    registers,
  });
  // A series that begins with its first event has no rate then, and the event would not show.
  for (const reason of FAILURES) failures.inc({ reason }, 0);
  for (const reason of REFUSALS) refusals.inc({ reason }, 0);
  for (const outcome of MAIL_OUTCOMES) mails.inc({ outcome }, 0);

  return {
    requestEnded(request) {
      const { route, status, ms } = request;
      // Any other word for a method would be a series of its own.
      requests.observe({ method: methodOf(request), route: route ?? NO_ROUTE, status }, ms / 1000);
    },
    tripEnded({ kind, statements: count, ms, failure }) {
      statements.inc(count);
      trips.observe({ kind }, ms / 1000);
      if (failure !== undefined) failures.inc({ reason: failure });
    },
    writesWaiting: (waiting) => writes.set(waiting),
    committed: (count) => commits.observe(count),
    hashesWaiting: (waiting) => hashes.set(waiting),
    hashRefused: () => hashesRefused.inc(),
    refused: (reason) => refusals.inc({ reason }),
    mail: (outcome) => mails.inc({ outcome }),
  };
}
