import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { type Service, startService } from "../service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

describe("GET /swagger/json", () => {
  test("a strict OpenAPI linter finds nothing", async () => {
    const source = await (await service.call("GET", "/swagger/json")).text();
    const config = await createConfig({ extends: ["recommended-strict"] });
    const problems = await lintFromString({ source, config });
    expect(
      problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer]),
    ).toEqual([]);
  });
});
