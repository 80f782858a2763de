/** Histograms: the bucket of a value, and the text format. */
import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { histogram } from "../../src/telemetry/histogram.ts";

test("a bucket counts what is at its bound or below, and what the buckets below it count", async () => {
  const registry = new Registry();
  const series = histogram(registry, { name: "sizes", help: "Sizes.", buckets: [1, 2.5, 10] });
  const small = series({ kind: "small" });
  for (const value of [0, 1, 1.5, 2.5, 10, 10.1, 1000]) small.observe(value);
  series({ kind: 'a "name"' });
  expect(await registry.metrics()).toBe(`# HELP sizes Sizes.
# TYPE sizes histogram
sizes_bucket{le="1",kind="small"} 2
sizes_bucket{le="2.5",kind="small"} 4
sizes_bucket{le="10",kind="small"} 5
sizes_bucket{le="+Inf",kind="small"} 7
sizes_sum{kind="small"} 1025.1
sizes_count{kind="small"} 7
sizes_bucket{le="1",kind="a \\"name\\""} 0
sizes_bucket{le="2.5",kind="a \\"name\\""} 0
sizes_bucket{le="10",kind="a \\"name\\""} 0
sizes_bucket{le="+Inf",kind="a \\"name\\""} 0
sizes_sum{kind="a \\"name\\""} 0
sizes_count{kind="a \\"name\\""} 0
`);
});
