/**
 * Runs the commands of `docs/operating.md`, unchanged, on a machine of their own, and sends requests through the
 * proxies that the guide configures.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { output, requirePrograms } from "../command.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { SECRET } from "../service.ts";
import { startPrimary } from "../sqld.ts";
import { type Machine, startMachine } from "./machine.ts";
import { startShell } from "./shell.ts";

setDefaultTimeout(300_000);

const ROOT = join(import.meta.dir, "../..");
const text = await Bun.file(join(ROOT, "docs/operating.md")).text();

/** The blocks of commands in each section, by the heading of the section. */
const sections = new Map(
  text
    .split(/^## /m)
    .map((section) => [
      section.slice(0, section.indexOf("\n")),
      Array.from(section.matchAll(/```sh\n(.*?)```/gs), ([, commands = ""]) => commands),
    ]),
);

/** The blocks of a section. Their number must be `count`. */
function blocksOf(heading: string, count: number): string[] {
  const blocks = sections.get(heading) ?? [];
  expect([heading, blocks.length]).toEqual([heading, count]);
  return blocks;
}

let built: ReturnType<typeof temporaryFolder>;

beforeAll(async () => {
  requirePrograms({ curl: "curl", nginx: "nginx", caddy: "caddy", sqlite3: "sqlite3" });
  built = temporaryFolder();
  await output(ROOT, [process.execPath, "run", "compile", join(built.path, "todos")]);
});
afterAll(() => built[Symbol.dispose]());

/** A new machine, with the file `todos` and the documents in the folder where the guide begins. */
function newMachine(folder: string): Machine {
  const work = join(folder, "work");
  mkdirSync(work);
  cpSync(join(built.path, "todos"), join(work, "todos"));
  cpSync(join(ROOT, "docs/operating"), join(work, "docs/operating"), { recursive: true });
  cpSync(join(ROOT, "test/mail/localhost.pem"), join(work, "localhost.pem"));
  return startMachine(folder);
}

async function install(machine: Machine): Promise<void> {
  let printed = "";
  for (const commands of blocksOf("Install", 3)) printed += await machine.run(commands);
  expect(printed).toContain('"status":"ok"');
}

const READY =
  "curl -fsS --retry 20 --retry-delay 1 --retry-connrefused http://localhost:3000/health/ready";

/** The members of the JSON object in the answer. */
async function ask(machine: Machine, request: string): Promise<Record<string, unknown>> {
  return JSON.parse(await machine.run(`curl -sS http://localhost:3000${request}`));
}

const MINA = `--json '{"username": "mina", "password": "correct horse battery"}'`;
const signUp = (machine: Machine, name: string) =>
  ask(machine, `/users/sign-up ${MINA.replace("mina", name)}`);
const todosOf = (machine: Machine, token: unknown) =>
  ask(machine, `/todos -H "Authorization: Bearer ${token}"`);

test("install, look, back up, restore, upgrade, roll back and change the secret", async () => {
  using folder = temporaryFolder();
  await using machine = newMachine(folder.path);
  await install(machine);
  expect(await signUp(machine, "mina")).toMatchObject({ username: "mina" });

  const [outbox = "", request = ""] = blocksOf("The operator's commands", 2);
  expect(await machine.run(outbox)).toBe("None.\n");
  expect(JSON.parse(await machine.run(request))).toMatchObject({ route: null, status: 404 });
  // All files belong to the service, and nobody else can read them.
  expect(await machine.run("find /var/lib/todos ! -user todos -o -perm /077")).toBe("");

  const [backUp = "", restore = ""] = blocksOf("Backups", 2);
  expect(await machine.run(backUp)).toMatch(/^todos-\d{4}-\d\d-\d\d-\d{6}\.db\n$/);
  await signUp(machine, "late");
  expect(await machine.run(restore)).toContain("Restored /var/lib/todos/backups/todos-");
  await machine.run(READY);
  const tokens = await ask(machine, `/users/log-in ${MINA}`);
  expect(await todosOf(machine, tokens.access_token)).toMatchObject({ todos: [] });
  expect(await ask(machine, `/users/log-in ${MINA.replace("mina", "late")}`)).toMatchObject({
    code: "invalid_credentials",
  });

  // A second later, so that the next backup gets another name.
  const [upgrade = "", rollBack = ""] = blocksOf("Upgrade and roll back", 2);
  expect(await machine.run(`sleep 1\n${upgrade}`)).toContain('"status":"ok"');
  await machine.run(`${rollBack}\n${READY}`);
  expect(await todosOf(machine, tokens.access_token)).toMatchObject({ todos: [] });
  expect(await machine.run("ls /usr/local/bin")).not.toContain("former");

  const [change = "", forget = ""] = blocksOf("Change the secret", 2);
  await machine.run(`${change}\n${READY}`);
  expect(await todosOf(machine, tokens.access_token)).toMatchObject({ todos: [] });
  const renewed = await ask(machine, `/users/log-in ${MINA}`);
  await machine.run(`${forget}\n${READY}`);
  expect(await todosOf(machine, tokens.access_token)).toMatchObject({ code: "unauthorized" });
  expect(await todosOf(machine, renewed.access_token)).toMatchObject({ todos: [] });
  await machine.run("systemctl stop todos");
  expect(await machine.end()).toBe(0);
});

test("the units are sound, and leave the service little", async () => {
  requirePrograms({ "systemd-analyze": "systemd" });
  using folder = temporaryFolder();
  // It requires that the program exists.
  const program = join(built.path, "todos");
  await output(ROOT, ["cp", "-r", "docs/operating/.", folder.path]);
  await output(folder.path, ["sed", "-i", `s|/usr/local/bin/todos|${program}|`, "todos.service"]);
  await output(folder.path, [
    "sed",
    "-i",
    `s|/usr/local/bin/todos|${program}|`,
    "todos-backup.service",
  ]);
  const units = ["todos.service", "todos-backup.service", "todos-backup.timer"];
  for (const unit of units) {
    await output(folder.path, ["systemd-analyze", "verify", "--man=no", `./${unit}`]);
  }
  // In tenths, of 100: systemd itself calls this OK.
  const judge = ["systemd-analyze", "security", "--offline=true", "--threshold=20"];
  await output(folder.path, [...judge, "./todos.service"]);
});

/** For each proxy, the commands that configure and start it, in the folder of the guide. */
const PROXIES: [name: string, start: string, stop: string][] = [
  [
    "nginx",
    `mkdir -p /var/log/nginx /var/lib/nginx /etc/letsencrypt/live/todos.example.com
cp localhost.pem /etc/letsencrypt/live/todos.example.com/fullchain.pem
cp localhost.pem /etc/letsencrypt/live/todos.example.com/privkey.pem
rm -f /etc/nginx/sites-enabled/default
cp docs/operating/nginx.conf /etc/nginx/conf.d/todos.conf
nginx -t
nginx`,
    "nginx -s stop",
  ],
  [
    "Caddy",
    // Without a network it cannot get a certificate from outside.
    `export HOME=/tmp
printf '{\\n\\tlocal_certs\\n\\tskip_install_trust\\n}\\n' | cat - docs/operating/Caddyfile > /etc/Caddyfile
caddy validate --config /etc/Caddyfile --adapter caddyfile
caddy start --config /etc/Caddyfile --adapter caddyfile`,
    "caddy stop",
  ],
];

/** Answers with one piece, and with a second one when a file exists. */
const STREAM = `
Bun.serve({ hostname: "127.0.0.1", port: 3000, idleTimeout: 0, fetch: () => new Response(async function* () {
  yield "first\\n";
  while (!(await Bun.file("/tmp/go").exists())) await Bun.sleep(20);
  yield "second\\n";
}, { headers: { "content-type": "text/event-stream" } }) });`;

test.each(PROXIES)(
  "%s passes on who the client is, and each piece of an answer at once",
  async (_, start, stop) => {
    using folder = temporaryFolder();
    await using machine = newMachine(folder.path);
    await install(machine);
    await machine.run(
      `echo "127.0.0.1 todos.example.com" >> /etc/hosts\n{\n${start}\n} > /tmp/proxy.log 2>&1`,
    );
    const curl = "curl -sSk --retry 20 --retry-delay 1 --retry-connrefused --interface 127.0.0.9";
    const url = "https://todos.example.com";
    expect(await machine.run(`${curl} ${url}/health/ready`)).toContain('"status":"ok"');

    // What a client says about its own address is ignored.
    await machine.run(
      `${curl} ${url}/nowhere -H "X-Forwarded-For: 203.0.113.7" -H "X-Request-Id: a-request"`,
    );
    const line = await machine.run(
      `until journalctl -u todos | grep '"a-request"'; do sleep 0.1; done`,
    );
    expect(JSON.parse(line)).toMatchObject({
      request_id: "a-request",
      status: 404,
      ip: "127.0.0.9",
    });

    await machine.run(`systemctl stop todos
bun -e '${STREAM.trim()}' > /dev/null 2>&1 &
until curl -s -o /dev/null --max-time 1 http://127.0.0.1:3000 || test $? -eq 28; do sleep 0.1; done`);
    const streamed = await machine.run(`${curl} -N ${url}/todos/events > /tmp/out &
until grep -q first /tmp/out; do sleep 0.1; done
cat /tmp/out
touch /tmp/go
wait $!
cat /tmp/out`);
    expect(streamed).toBe("first\nfirst\nsecond\n");
    await machine.run(`${stop} > /dev/null 2>&1; kill $(pgrep bun)`);
  },
);

test("a cluster's data come out as SQL, are a backup, and go back in", async () => {
  using folder = temporaryFolder();
  const [dump = "", restore = ""] = blocksOf("The data of a cluster", 2);
  await using primary = await startPrimary(folder.path);
  const settings = {
    DATABASE_URL: primary.url,
    DATABASE_AUTH_TOKEN: primary.token,
    JWT_SECRET: SECRET,
    MIGRATE_ON_START: "true",
  };
  await using before = await startProcess(folder.path, settings);
  const { token } = await before.user("mina");
  const post = (contents: string) => before.call("POST", "/todos", { token, json: { contents } });
  for (const contents of ["one", "둘", "three's"]) await post(contents);
  await before.call("DELETE", "/todos/3", { token });
  await before.call("DELETE", "/trash/3", { token });
  const { next } = await (await before.call("GET", "/todos/changes", { token })).json();

  await using shell = startShell(["bash", "-euo", "pipefail"], folder.path, settings);
  await shell.run(dump);
  await before.stop();
  await primary.kill();

  // With the data in a file.
  const onFile = { ...settings, DATABASE_URL: "file:restored.db", MIGRATE_ON_START: "false" };
  const main = join(ROOT, "src/main.bun.ts");
  await output(folder.path, [process.execPath, main, "restore", "todos.db"], onFile);
  // With the data on another server.
  await shell.run(restore);
  await using second = await startPrimary(folder.path, "restored");
  const onServer = { ...settings, DATABASE_URL: second.url, MIGRATE_ON_START: "false" };
  for (const environment of [onFile, onServer]) {
    await using service = await startProcess(folder.path, environment);
    const page = await (await service.call("GET", "/todos", { token })).json();
    expect(page.todos).toMatchObject([
      { id: 1, contents: "one" },
      { id: 2, contents: "둘" },
    ]);
    const added = await service.call("POST", "/todos", { token, json: { contents: "four" } });
    // No id is used twice, nor one that may have been given since.
    expect(await added.json()).toMatchObject({ id: 1_000_004 });
    const since = await service.call("GET", `/todos/changes?since=${next}`, { token });
    expect(since.status).toBe(410);
  }
});
