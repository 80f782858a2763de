/**
 * Clients in Python and Go, generated from the OpenAPI document as its users would do it. They sign up, log in and keep
 * a todo on a running service. The generators come from PyPI, and the compilers and interpreters from Debian.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { output, requirePrograms } from "../command.ts";
import { temporaryFolder } from "../process.ts";
import { startService } from "../service.ts";
import { createVenv } from "./python.ts";

/** Where Debian's `golang-*-dev` packages put source code. */
const DEBIAN_GOPATH = "/usr/share/gocode";
/** Too large for 32 bits. */
const FIRST_ID = 3_000_000_001;

const folder = temporaryFolder();
let bin: string;
beforeAll(async () => {
  requirePrograms({ go: "golang-go golang-golang-x-oauth2-dev", java: "default-jre-headless" });
  bin = await createVenv(folder.path, [
    "openapi-python-client==0.29.1",
    "openapi-generator-cli==7.26.0",
  ]);
});
afterAll(() => folder[Symbol.dispose]());

/** Starts the service, and writes its document to a file. */
async function startWithDocument() {
  const service = await startService();
  await service.services.database.$client.execute(
    `INSERT INTO sqlite_sequence (name, seq) VALUES ('todos', ${FIRST_ID - 1})`,
  );
  const document = join(folder.path, "openapi.json");
  await Bun.write(document, await service.call("GET", "/swagger/json"));
  return { service, document, [Symbol.asyncDispose]: service.stop };
}

/** Asserts the results of either program. */
function expectKept(printed: string): void {
  expect(JSON.parse(printed)).toEqual({
    username: "mina",
    again: "username_taken",
    id: FIRST_ID,
    contents: "Water the plants 🪴\ntwice",
    due: "2026-11-30T00:30:00+00:00",
    notes: null,
    repeat: null,
    done: [FIRST_ID],
    next_cursor: null,
    blank: ["/contents"],
    gone: "todo_not_found",
  });
}

test("a client for Python, by openapi-python-client", async () => {
  await using started = await startWithDocument();
  const { service, document } = started;
  const generated = join(folder.path, "todos_client");
  const generate = ["generate", "--path", document, "--output-path", generated, "--meta", "none"];
  // The generator only warns about parts that it cannot generate. Here a warning is an error. The generator formats its
  // output with a program in the same folder.
  const PATH = `${bin}:${process.env.PATH}`;
  await output(
    folder.path,
    [join(bin, "openapi-python-client"), ...generate, "--fail-on-warning"],
    {
      PATH,
    },
  );
  // A model for each schema and each enum, and no model that the generator had to name by itself.
  expect(readdirSync(join(generated, "models")).length).toBeLessThan(70);
  copyFileSync(join(import.meta.dir, "clients/keep_todos.py"), join(folder.path, "keep_todos.py"));
  expectKept(await output(folder.path, [join(bin, "python"), "keep_todos.py", service.url]));
});

test("a client for Go, by OpenAPI Generator", async () => {
  await using started = await startWithDocument();
  const { service, document } = started;
  const generated = join(folder.path, "src/todos");
  const generate = ["generate", "--generator-name", "go", "--input-spec", document];
  const options = ["--output", generated, "--additional-properties", "packageName=todos"];
  await output(folder.path, [join(bin, "openapi-generator-cli"), ...generate, ...options]);
  const program = join(folder.path, "src/keep_todos/main.go");
  mkdirSync(join(folder.path, "src/keep_todos"));
  copyFileSync(join(import.meta.dir, "clients/keep_todos.go"), program);
  // Without modules, because the network must not be used: the only dependency comes from Debian.
  const environment = { GO111MODULE: "off", GOPATH: `${folder.path}:${DEBIAN_GOPATH}` };
  await output(folder.path, ["go", "vet", "todos"], environment);
  expectKept(await output(folder.path, ["go", "run", program, service.url], environment));
});
