/**
 * The data for a collector are valid OTLP: OpenTelemetry's own definition, from PyPI, reads each request and knows all
 * of its fields. On Bun and on Deno.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { output } from "../command.ts";
import { denoTask } from "../elsewhere.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { startCollector } from "../telemetry/collector.ts";
import { createVenv } from "./python.ts";

/** Prints the names and kinds of the spans. It throws at a field that is not in OTLP, or that has another type. */
const READ = `
import sys
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

for path in sys.argv[1:]:
    request = Parse(open(path).read(), ExportTraceServiceRequest())
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                print(span.kind, span.name)
`;

const folder = temporaryFolder();
let python = "";
beforeAll(async () => {
  const bin = await createVenv(folder.path, ["opentelemetry-proto==1.45.2"]);
  python = join(bin, "python");
});
afterAll(() => folder[Symbol.dispose]());

test.each([
  ["Bun", undefined],
  ["Deno", denoTask("start")],
])("%s sends traces that a collector reads", async (name, command) => {
  await using collector = startCollector();
  using data = temporaryFolder();
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, NO_COLOR: "1" };
  await using service = await startProcess(data.path, settings, command);
  const { token } = await service.user();
  expect((await service.call("GET", "/todos", { token })).status).toBe(200);
  expect(await service.stop()).toBe(0);

  const paths = await Promise.all(
    collector.bodies.map(async (body, i) => {
      const path = join(folder.path, `${name}-${i}.json`);
      await Bun.write(path, body);
      return path;
    }),
  );
  const spans = (await output(folder.path, [python, "-c", READ, ...paths])).trim().split("\n");
  expect(spans).toHaveLength(collector.spans().length);
  expect(spans).toContain("2 GET /todos");
  expect(spans).toContain("2 POST /users/log-in");
  expect(spans.filter((span) => /^3 SELECT .*\btodos\b/.test(span))).toHaveLength(1);
});
