/**
 * `bun bench/telemetry.ts`: the cost of metrics and traces for a request, in about three minutes, on Linux. The added
 * time is measured without the network, with two services in one process, in turns: two processes with the same service
 * differ by more than this time. It is then compared with the CPU time of the whole request over HTTP.
 */
import { startCollector } from "../test/telemetry/collector.ts";
import { cpuSeconds } from "./cpu.ts";
import { load } from "./load.ts";

/** Processes of each kind, one after the other. */
const PROCESSES = 5;
const SECONDS = 1;
const PATHS = ["/todos?limit=50", "/todos/7"];

await using collector = startCollector();
const traces = (part: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
  OTEL_TRACES_SAMPLER_ARG: part,
});
const WAYS: Record<string, Record<string, string>> = {
  // The control: it shows how exact the other results are.
  nothing: {},
  metrics: { METRICS_PORT: "0" },
  "traces, 1 %": traces("0.01"),
  "traces, all": traces("1"),
};

interface Measured {
  /** Microseconds for each request, by path. */
  costs: { off: number; on: number }[];
  port: number;
  token: string;
}

/**
 * In microseconds, for each path: the time that `settings` add to a request, and the time of the whole request without
 * them.
 */
async function measure(settings: Record<string, string>) {
  const script = new URL("./telemetry.child.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, script, JSON.stringify(settings), ...PATHS], {
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const { value } = await child.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
    const { costs, port, token }: Measured = JSON.parse(value ?? "");
    const measured: { added: number; whole: number }[] = [];
    for (const [i, { off, on }] of costs.entries()) {
      const head = `GET ${PATHS[i]} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}`;
      const before = cpuSeconds(child.pid);
      const { answers } = await load("127.0.0.1", port, [`${head}\r\n\r\n`], SECONDS);
      const whole = (1e6 * (cpuSeconds(child.pid) - before)) / answers;
      measured.push({ added: on - off, whole });
    }
    return measured;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const [name, settings] of Object.entries(WAYS)) {
  const runs: Awaited<ReturnType<typeof measure>>[] = [];
  for (let i = 0; i < PROCESSES; i++) runs.push(await measure(settings));
  for (const [j, path] of PATHS.entries()) {
    const of = runs.flatMap((run) => run[j] ?? []);
    const added = median(of.map((each) => each.added));
    const whole = median(of.map((each) => each.whole));
    const all = of.map((each) => each.added.toFixed(1)).join(", ");
    process.stdout.write(
      `GET ${path} with ${name}: ${added.toFixed(1)} µs more (${all}), of ${whole.toFixed(0)} µs: ` +
        `${((100 * added) / whole).toFixed(1)} %\n`,
    );
  }
}
