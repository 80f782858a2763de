/** Metrics whose values are read only when a client asks for them: the state of the service and of the process. */
import process from "node:process";
import { count, lte, sql } from "drizzle-orm";
import { Counter, Gauge, type Registry } from "prom-client";
import packageJson from "../../package.json" with { type: "json" };
import { outbox } from "../database/schema.ts";
import { toInstant } from "../instant.ts";
import type { Services } from "../services.ts";

/** What the gauges read. */
export type Watched = Pick<Services, "clock" | "database" | "drain" | "watch">;

export function watchService(registry: Registry, { clock, database, drain, watch }: Watched): void {
  const registers = [registry];
  new Gauge({
    name: "todos_http_requests_in_flight",
    help: "Requests that are being answered.",
    registers,
    collect() {
      this.set(drain.inFlight);
    },
  });
  new Gauge({
    name: "todos_event_streams",
    help: "Streams of events that are open.",
    registers,
    collect() {
      this.set(watch.listening);
    },
  });
  new Gauge({
    name: "todos_outbox_mails",
    help: "Mails in the outbox: due, and later ones, which are being sent or wait for the next attempt.",
    labelNames: ["state"],
    registers,
    async collect() {
      // Without the database there is no number. An old number would be wrong.
      this.reset();
      const isDue = lte(outbox.next_attempt_at, toInstant(clock()));
      const [mails] = await database
        .select({ all: count(), due: sql<number>`count(*) FILTER (WHERE ${isDue})` })
        .from(outbox)
        .catch(() => []);
      if (!mails) return;
      this.set({ state: "due" }, mails.due);
      this.set({ state: "later" }, mails.all - mails.due);
    },
  });
}

export function watchProcess(registry: Registry): void {
  const registers = [registry];
  const build = new Gauge({
    name: "todos_build_info",
    help: "1, with the service's version and the runtime as labels.",
    labelNames: ["version", "runtime"],
    registers,
  });
  build.set({ version: packageJson.version, runtime: navigator.userAgent }, 1);
  new Gauge({
    name: "process_start_time_seconds",
    help: "When the process started, in seconds since the epoch.",
    registers,
  }).set(performance.timeOrigin / 1000);
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Memory that the process holds.",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time that the process has used.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
}
