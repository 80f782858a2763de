/** Counts the work of the service in the metrics of a Prometheus registry. `docs/metrics.md` describes each metric. */
import { Counter, Gauge, type Registry } from "prom-client";
import { methodOf } from "../http/methods.ts";
import {
  type AnsweredRequest,
  MAIL_OUTCOMES,
  type Meter,
  REFUSALS,
  type TripFailure,
} from "../instruments.ts";
import { histogram, type Series } from "./histogram.ts";

/** Seconds. A page of todos takes about a tenth of a millisecond, a log-in about 50 ms. */
const REQUEST_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** Seconds. On a file, a trip takes some 10 µs. */
const TRIP_SECONDS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5,
];
/** Writes that share a commit: at most 64 in a file, 32 on a server. */
const GROUP_SIZES = [1, 2, 4, 8, 16, 32, 64];

const FAILURES: TripFailure[] = [
  "locked",
  "full",
  "broken",
  "unauthorized",
  "unreachable",
  "error",
];

export function createMeter(registry: Registry): Meter {
  const registers = [registry];
  const requestOf = requestSeries(registry);
  const tripSeries = histogram(registry, {
    name: "todos_database_trip_duration_seconds",
    help: "Time of a statement or batch, from the call to its answer, including the wait.",
    buckets: TRIP_SECONDS,
  });
  const trips = {
    statement: tripSeries({ kind: "statement" }),
    batch: tripSeries({ kind: "batch" }),
  };
  const commits = histogram(registry, {
    name: "todos_database_commit_writes",
    help: "Writes that shared a commit; its count is the number of commits.",
    buckets: GROUP_SIZES,
  })();
  const failures = new Counter({
    name: "todos_database_failures_total",
    help: "Statements and batches that failed, by the reason.",
    labelNames: ["reason"],
    registers,
  });
  const hashesRefused = new Counter({
    name: "todos_password_hashes_refused_total",
    help: "Passwords that were not hashed, because too many waited.",
    registers,
  });
  const refusals = new Counter({
    name: "todos_refusals_total",
    help: "Requests refused by the throttle, or because a network has reached an hourly limit.",
    labelNames: ["reason"],
    registers,
  });
  const mails = new Counter({
    name: "todos_mails_total",
    help: "Attempts to send a mail, by outcome.",
    labelNames: ["outcome"],
    registers,
  });
  // A series that begins with its first event has no rate at that moment, so the event would not be visible.
  for (const reason of FAILURES) failures.inc({ reason }, 0);
  for (const reason of REFUSALS) refusals.inc({ reason }, 0);
  for (const outcome of MAIL_OUTCOMES) mails.inc({ outcome }, 0);

  // Values that change with each request are plain numbers here. prom-client gets them when a client asks.
  let statements = 0;
  let writesWaiting = 0;
  let hashesWaiting = 0;
  new Counter({
    name: "todos_database_statements_total",
    help: "Statements sent to the database, including those in batches.",
    registers,
    collect() {
      this.reset();
      this.inc(statements);
    },
  });
  new Gauge({
    name: "todos_database_writes_waiting",
    help: "Writes that wait for their commit to begin.",
    registers,
    collect() {
      this.set(writesWaiting);
    },
  });
  new Gauge({
    name: "todos_password_hashes_waiting",
    help: "Passwords that wait to be hashed.",
    registers,
    collect() {
      this.set(hashesWaiting);
    },
  });

  return {
    requestEnded(request) {
      requestOf(request).observe(request.ms / 1000);
    },
    tripEnded({ kind, statements: more, ms, failure }) {
      statements += more;
      trips[kind].observe(ms / 1000);
      if (failure !== undefined) failures.inc({ reason: failure });
    },
    writesWaiting(waiting) {
      writesWaiting = waiting;
    },
    committed: (writes) => commits.observe(writes),
    hashesWaiting(waiting) {
      hashesWaiting = waiting;
    },
    hashRefused: () => hashesRefused.inc(),
    refused: (reason) => refusals.inc({ reason }),
    mail: (outcome) => mails.inc({ outcome }),
  };
}

/** Finds the series of a request. Their number is limited by the routes, the methods and the statuses. */
function requestSeries(registry: Registry): (request: AnsweredRequest) => Series {
  const addSeries = histogram(registry, {
    name: "todos_http_request_duration_seconds",
    help: "Time from a request's first moment to its answer.",
    buckets: REQUEST_SECONDS,
  });
  const byRoute = new Map<string | null, Map<string, Map<number, Series>>>();
  return (request) => {
    const { route, status } = request;
    const method = methodOf(request);
    const byMethod = getOrAdd(byRoute, route, () => new Map<string, Map<number, Series>>());
    const byStatus = getOrAdd(byMethod, method, () => new Map<number, Series>());
    return getOrAdd(byStatus, status, () =>
      addSeries({ method, route: route ?? "none", status: String(status) }),
    );
  };
}

function getOrAdd<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
