/**
 * A client generated from the OpenAPI document, for users without Eden: it is made by openapi-typescript and
 * openapi-fetch, in a separate project. It is type-checked, and used with a running service.
 */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { output } from "../command.ts";
import { temporaryFolder } from "../process.ts";
import { startService } from "../service.ts";

const MODULES = join(import.meta.dir, "../../node_modules");

const PROGRAM = `
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./schema.d.ts";

const [baseUrl = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl });
const body = { username: "mina", password: "correct horse battery" };

const signedUp = await client.POST("/users/sign-up", { body });
const username: string | undefined = signedUp.data?.username;

const { data: tokens, error: refused } = await client.POST("/users/log-in", { body });
if (refused) throw new Error(refused.detail);
client.use({
  onRequest({ request }) {
    request.headers.set("authorization", \`Bearer \${tokens.access_token}\`);
    return request;
  },
});

const { data: added } = await client.POST("/todos", { body: { contents: "2024-01-01" } });
const query: operations["listTodos"]["parameters"]["query"] = { order: "DESC", limit: 1 };
const { data: page } = await client.GET("/todos", { params: { query } });
const todo: components["schemas"]["Todo"] | undefined = page?.todos[0];

async function codeOf(id: number): Promise<string> {
  const { data, error } = await client.GET("/todos/{id}", { params: { path: { id } } });
  if (!error) return data.contents;
  return \`\${error.code} \${error.status}\`;
}

// @ts-expect-error: no such field
const misspelt = await client.POST("/todos", { body: { content: "Sweep" } });
const { error: invalid } = misspelt;
const faults: components["schemas"]["FieldError"][] | undefined =
  invalid && "errors" in invalid ? invalid.errors : undefined;

console.log(
  JSON.stringify([
    username,
    added?.contents,
    todo?.id === added?.id,
    page?.next_cursor,
    await codeOf(added?.id ?? 0),
    await codeOf(404),
    faults,
  ]),
);
`;

const CONFIG = {
  compilerOptions: {
    strict: true,
    target: "ES2022",
    module: "Preserve",
    allowImportingTsExtensions: true,
    noEmit: true,
    types: [],
    skipLibCheck: false,
  },
  files: ["program.ts", "globals.d.ts"],
};

/** The parts of the runtime that the program uses, in place of the runtime's types. */
const RUNTIME = "declare const process: { argv: string[] };\n";

test("a client generated from the document type-checks, and works", async () => {
  using folder = temporaryFolder();
  const service = await startService();
  try {
    // This project's packages, except the compiler: the generator needs an API that TypeScript 7 does not have any
    // more.
    const modules = join(folder.path, "node_modules");
    mkdirSync(modules);
    for (const name of readdirSync(MODULES)) {
      const source = name === "typescript" ? "typescript-5" : name;
      symlinkSync(join(MODULES, source), join(modules, name));
    }
    const document = await (await service.call("GET", "/swagger/json")).text();
    for (const [name, text] of Object.entries({
      "openapi.json": document,
      "program.ts": PROGRAM,
      "globals.d.ts": RUNTIME,
      "tsconfig.json": JSON.stringify(CONFIG),
    })) {
      writeFileSync(join(folder.path, name), text);
    }
    const generator = "node_modules/openapi-typescript/bin/cli.js";
    const linked = ["--preserve-symlinks", "--preserve-symlinks-main"];
    const generate = [generator, "openapi.json", "-o", "schema.d.ts"];
    await output(folder.path, ["node", ...linked, ...generate]);
    for (const compiler of ["typescript-5", "typescript"]) {
      const tsc = join(MODULES, compiler, "bin/tsc");
      await output(folder.path, ["node", tsc, "--project", "."]);
    }
    const printed = await output(folder.path, [process.execPath, "program.ts", service.url]);
    expect(JSON.parse(printed)).toEqual([
      "mina",
      "2024-01-01",
      true,
      null,
      "2024-01-01",
      "todo_not_found 404",
      expect.arrayContaining([expect.objectContaining({ pointer: "/contents" })]),
    ]);
  } finally {
    await service.stop();
  }
});
