/**
 * Schemathesis knows only the OpenAPI document. It sends valid and invalid requests to every operation of the service,
 * and compares each answer with the document.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { command } from "../command.ts";
import { temporaryFolder } from "../process.ts";
import { startService } from "../service.ts";
import { createVenv } from "./python.ts";

const CONFIG = join(import.meta.dir, "schemathesis.toml");

test("Schemathesis finds nothing", async () => {
  using folder = temporaryFolder();
  const bin = await createVenv(folder.path, ["schemathesis==4.32.5"]);
  const service = await startService();
  try {
    const { token } = await service.user();
    const asUser = ["--header", `Authorization: Bearer ${token}`];
    const plainly = ["--no-color", "--warnings", "off"];
    const { stdout, code } = await command(folder.path, [
      ...[join(bin, "st"), "--config-file", CONFIG],
      ...["run", `${service.url}/swagger/json`, ...asUser, ...plainly],
    ]);
    expect(code === 0 ? "" : stdout).toBe("");
    const [, generated] = /(\d+) generated, \d+ passed/.exec(stdout) ?? [];
    expect(Number(generated)).toBeGreaterThan(500);
    // Otherwise all of its requests, except the first, would get 401.
    expect((await service.call("GET", "/users/me", { token })).status).toBe(200);
  } finally {
    await service.stop();
  }
});
