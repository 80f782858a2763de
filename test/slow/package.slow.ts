/**
 * The package as its users get it: built, packed and installed in an empty folder. Both compilers check a small
 * program. The program then runs on Bun, Deno and Node with a running service.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript-5";
import manifest from "../../package.json" with { type: "json" };
import { readDocument } from "../docs/document.ts";
import { temporaryFolder } from "../process.ts";
import { type Service, startService } from "../service.ts";

const ROOT = join(import.meta.dir, "../..");

/** Every possible status for adding a todo is handled, so no case is left at the end. */
const PROGRAM = `
import { createClient, type Todo, type Tokens } from "todo-service/client";

const [address = "", username = ""] = process.argv.slice(2);
let kept: Tokens | null = null;
const client = createClient(address, {
  store: {
    get: () => kept,
    set(tokens) {
      kept = tokens;
    },
  },
  onSessionEnd: () => console.log("session ended"),
});

const user = { username, password: "correct horse battery" };
const signedUp = await client.users["sign-up"].post(user);
if (signedUp.error?.status === 409) throw new Error(signedUp.error.value.code);
await client.users["log-in"].post(user);

async function add(contents: string): Promise<Todo> {
  const { data, error } = await client.todos.post({ contents });
  if (!error) return data;
  switch (error.status) {
    case 400:
    case 401:
    case 403:
    case 404:
    case 413:
    case 415:
    case 421:
    case 500:
    case 503:
      throw new Error(error.message);
    case 422:
      throw new Error(error.value.errors?.map(({ detail }) => detail).join());
    default: {
      const unhandled: never = error;
      throw new Error(unhandled);
    }
  }
}

const { id, contents } = await add("2024-01-01");
const { data: todo } = await client.todos({ id }).patch({ is_done: true });
const { data: page } = await client.todos.get({ query: { order: "DESC", is_done: true, limit: 1 } });
const { error: none } = await client.todos({ id: id + 1 }).get();
await client.users["log-out"].post();
const { error: ended } = await client.todos.get();
const code = none?.status === 404 && none.value.code;
console.log(JSON.stringify([contents, todo?.is_done, page?.todos.length, code, ended?.status, kept]));
`;

const SYNC_PROGRAM = `
import { createClient } from "todo-service/client";
import { createSync, type LocalTodo, type Refusal } from "todo-service/sync";

const [address = "", username = ""] = process.argv.slice(2);
const client = createClient(address);
const user = { username, password: "correct horse battery" };
await client.users["sign-up"].post(user);
await client.users["log-in"].post(user);

const refusals: Refusal[] = [];
const sync = createSync(client, { onRefused: (refusal) => refusals.push(refusal) });
await sync.ready();
const list = sync.lists.create({ name: "Home" });
const todo: LocalTodo = sync.todos.create({ contents: "Buy milk", list_id: list.id });
sync.todos.update(todo.id, { is_done: true, due: { date: "2026-12-01" } });
await sync.flush();
const saved = sync.todos.get(todo.id);
console.log(JSON.stringify([saved?.contents, saved?.is_done, saved?.pending, refusals]));
await sync.close();
`;

const CONFIG = {
  compilerOptions: {
    strict: true,
    target: "ES2022",
    module: "NodeNext",
    types: [],
    // So that the package's own types are checked too.
    skipLibCheck: false,
  },
  files: ["program.ts", "sync.ts", "globals.d.ts"],
};

/** The parts of the runtime that the program uses, in place of the runtime's types. */
const RUNTIME = "declare const process: { argv: string[] };\n";

let service: Service;
const folder = temporaryFolder();
const file = (name: string) => join(folder.path, name);

async function run(command: string[], cwd = folder.path) {
  const env = { ...process.env, DENO_DIR: file(".deno"), DENO_NO_UPDATE_CHECK: "1" };
  const child = Bun.spawn(command, { cwd, env, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

/** @throws Error with the output of the command, unless it succeeded */
async function mustRun(command: string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, cwd);
  if (code !== 0) throw new Error(`${command.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

beforeAll(async () => {
  await mustRun([process.execPath, "run", "build"], ROOT);
  const packed = await mustRun(["npm", "pack", "./dist", "--pack-destination", folder.path], ROOT);
  const { typescript, "typescript-5": typescript5 } = manifest.devDependencies;
  const project = {
    type: "module",
    private: true,
    dependencies: { "todo-service": `file:${packed.trim()}` },
    devDependencies: { typescript, "typescript-5": typescript5 },
  };
  writeFileSync(file("package.json"), JSON.stringify(project));
  writeFileSync(file("tsconfig.json"), JSON.stringify(CONFIG));
  writeFileSync(file("globals.d.ts"), RUNTIME);
  writeFileSync(file("program.ts"), PROGRAM);
  writeFileSync(file("sync.ts"), SYNC_PROGRAM);
  await mustRun(["npm", "install", "--no-audit", "--no-fund"]);
  // For Node. The output of the compilers is checked below.
  await compile("typescript", "--outDir", "out");
  service = await startService();
});

afterAll(async () => {
  await service?.stop();
  folder[Symbol.dispose]();
});

test("nothing else comes along", () => {
  const installed = readdirSync(file("node_modules")).filter((name) => !name.startsWith("."));
  expect(installed).toEqual(expect.arrayContaining(["todo-service", "typescript"]));
  expect(installed.filter((name) => !/^@?typescript/.test(name))).toEqual(["todo-service"]);
});

test("its README comes with it", () => {
  const readme = readFileSync(file("node_modules/todo-service/README.md"), "utf8");
  expect(readme).toContain('from "todo-service/client"');
});

/** The text that an editor shows when the pointer is on the last letter of `text` in the program. */
function hoverAt(editor: ts.LanguageService, text: string): string {
  const start = PROGRAM.indexOf(text);
  if (start < 0) throw new Error(`The program has no ${text}`);
  const info = editor.getQuickInfoAtPosition(file("program.ts"), start + text.length - 1);
  return ts.displayPartsToString(info?.documentation);
}

test("an editor shows the documentation of methods, fields, parameters and types", async () => {
  const { options, errors } = ts.convertCompilerOptionsFromJson(
    CONFIG.compilerOptions,
    folder.path,
  );
  expect(errors).toEqual([]);
  const editor = ts.createLanguageService({
    readFile: ts.sys.readFile,
    fileExists: ts.sys.fileExists,
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file("program.ts"), file("globals.d.ts")],
    getScriptVersion: () => "1",
    getScriptSnapshot(path) {
      const text = ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    getCurrentDirectory: () => folder.path,
  });
  const { paths } = await readDocument(service);
  const { get: list, post: add } = paths["/todos"] ?? {};
  const order = list?.parameters?.find(({ name }) => name === "order");
  const todo = add?.responses["201"]?.content?.["application/json"]?.schema.properties;
  const change = paths["/todos/{id}"]?.patch?.requestBody?.content["application/json"]?.schema;
  const described = [
    ["client.todos.post", add?.summary],
    ["client.todos.get", list?.summary],
    ["query: { order", order?.description],
    ["{ is_done", change?.properties?.is_done?.description],
    ["{ id, contents", todo?.contents?.description],
    ["createClient", "A client that stays logged in."],
    ["  onSessionEnd", "Called when the session has ended"],
  ] as const;
  for (const [text, description = "nothing"] of described) {
    expect(hoverAt(editor, text)).toStartWith(description);
  }
});

const compilers = [["typescript"], ["typescript-5"]];

const compile = (compiler: string, ...options: string[]) =>
  run(["node", `node_modules/${compiler}/bin/tsc`, "--pretty", "false", ...options]);

/** The compiler's errors in the program after `found` was replaced: their places and codes. */
async function errorsWith(compiler: string, found: string, replacement: string) {
  const changed = PROGRAM.replace(found, replacement);
  expect(changed).not.toBe(PROGRAM);
  writeFileSync(file("program.ts"), changed);
  const { stdout } = await compile(compiler, "--noEmit");
  writeFileSync(file("program.ts"), PROGRAM);
  const lines = changed.split("\n");
  return Array.from(stdout.matchAll(/^program\.ts\((\d+),\d+\): error (TS\d+)/gm), (match) => ({
    line: lines[Number(match[1]) - 1]?.trim(),
    error: match[2],
  }));
}

test.each(compilers)("%s takes the program", async (compiler) => {
  expect(await compile(compiler, "--noEmit")).toEqual({ code: 0, stdout: "", stderr: "" });
});

test.each(compilers)("%s refuses a misspelt field", async (compiler) => {
  expect(await errorsWith(compiler, "is_done: true });", "isdone: true });")).toEqual([
    {
      line: "const { data: todo } = await client.todos({ id }).patch({ isdone: true });",
      error: "TS2561",
    },
  ]);
});

test.each(compilers)("%s refuses a misspelt query parameter", async (compiler) => {
  const [only, ...others] = await errorsWith(compiler, 'order: "DESC"', 'ordr: "DESC"');
  expect([only?.error, others]).toEqual(["TS2561", []]);
});

test.each(compilers)("%s refuses an unhandled status", async (compiler) => {
  expect(await errorsWith(compiler, "case 401:", "")).toEqual([
    { line: "const unhandled: never = error;", error: "TS2322" },
  ]);
});

test.each([
  ["Bun", [process.execPath, "program.ts"]],
  ["Deno", [join(ROOT, "node_modules/.bin/deno"), "run", "--allow-net=127.0.0.1", "program.ts"]],
  ["Node", ["node", "out/program.js"]],
])("the program runs on %s", async (runtime, command) => {
  const { code, stdout, stderr } = await run([...command, service.url, `on-${runtime}`]);
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual(["2024-01-01", true, 1, "todo_not_found", 401, null]);
  expect(code).toBe(0);
});

test.each([
  ["Bun", [process.execPath, "sync.ts"]],
  ["Deno", [join(ROOT, "node_modules/.bin/deno"), "run", "--allow-net=127.0.0.1", "sync.ts"]],
  ["Node", ["node", "out/sync.js"]],
])("a copy is kept in step on %s, and ends with the program", async (runtime, command) => {
  const username = `sync-on-${runtime}`;
  const { code, stdout, stderr } = await run([...command, service.url, username]);
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual(["Buy milk", true, false, []]);
  expect(code).toBe(0);
  const { token } = await service.logIn(username);
  const { todos } = await (await service.call("GET", "/todos", { token })).json();
  expect(todos).toMatchObject([
    { contents: "Buy milk", is_done: true, list_id: expect.any(Number) },
  ]);
});

test("the repository itself can be packed, and has the client in it", async () => {
  const stdout = await mustRun(["npm", "pack", "--dry-run", "--json"], ROOT);
  const [{ files }] = JSON.parse(stdout);
  const paths = files.map(({ path }: { path: string }) => path);
  for (const entry of Object.values(manifest.exports).flatMap((each) => Object.values(each))) {
    expect(paths).toContain(entry.replace("./", ""));
  }
  expect(paths.filter((path: string) => /^(src|test|data)\//.test(path))).toEqual([]);
});
