/**
 * A histogram whose observations cost almost nothing. An observation in prom-client's own histogram costs about 5 µs in
 * a service under load, a tenth of a small request. Here it costs about 20 ns. prom-client only makes the text of the
 * answer.
 */
import type { Histogram, MetricValueWithName, Registry } from "prom-client";

export interface HistogramOptions {
  name: string;
  help: string;
  /** The upper bounds of the buckets, in ascending order. */
  buckets: readonly number[];
}

/** One series of a histogram. */
export interface Series {
  observe(value: number): void;
}

interface Counted {
  labels: Record<string, string>;
  /** The number of observations in each bucket. The last bucket is for values above all bounds. */
  inBuckets: number[];
  sum: number;
}

/**
 * Registers a histogram, and returns a function that makes a series of it. Make each combination of labels only once.
 */
export function histogram(registry: Registry, { name, help, buckets }: HistogramOptions) {
  const all: Counted[] = [];

  const type = "histogram";
  async function get() {
    return { name, help, type, values: all.flatMap((each) => samplesOf(name, buckets, each)) };
  }
  // `as`: a registry uses no more of a metric than this.
  registry.registerMetric({ name, help, type, get } as unknown as Histogram);

  return (labels: Record<string, string> = {}): Series => {
    const inBuckets = Array.from({ length: buckets.length + 1 }, () => 0);
    const counted = { labels, inBuckets, sum: 0 };
    all.push(counted);
    return {
      observe(value) {
        let bucket = 0;
        while (value > (buckets[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
        inBuckets[bucket] = (inBuckets[bucket] ?? 0) + 1;
        counted.sum += value;
      },
    };
  };
}

/** In Prometheus's format, each bucket also counts all buckets below it. */
function samplesOf(
  name: string,
  buckets: readonly number[],
  { labels, inBuckets, sum }: Counted,
): MetricValueWithName<string>[] {
  let count = 0;
  const samples = inBuckets.map((here, i) => {
    count += here;
    const le = buckets[i] ?? "+Inf";
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
  });
  return [
    ...samples,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
