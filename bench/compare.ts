/**
 * `bun bench/compare.ts`: the CPU time of a request, compared with the minimal server of `floor.ts`, in about a minute.
 * Run it before and after a change, and compare the last column. Both servers run at the same time and are measured in
 * turns, so other work on the machine affects both in the same way.
 *
 * On Linux the cost is the server's CPU time for a request. On other systems it is the elapsed time.
 */
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuSeconds } from "../test/changes/hold-streams.ts";
import { load } from "./load.ts";

const ROUNDS = 4;
const SECONDS = 1;
const TODOS = 50;
const HOST = "127.0.0.1";

const folder = mkdtempSync(join(tmpdir(), "todos-bench-"));
const here = import.meta.dir;

/** A server to measure, in a separate process. */
interface Target {
  process: Bun.Subprocess;
  port: number;
  token: string;
}

async function start(name: string, script: string, environment: Record<string, string>) {
  const probe = Bun.serve({ hostname: HOST, port: 0, fetch: () => new Response() });
  const { port = 0 } = probe;
  await probe.stop(true);
  const started = Bun.spawn([process.execPath, script], {
    cwd: folder,
    env: { PORT: String(port), ...environment },
    stdin: "ignore",
    stdout: openSync(join(folder, `${name}.log`), "w"),
    stderr: "inherit",
  });
  const call = async (method: string, path: string, body?: object, token = "") => {
    const answer = await fetch(`http://${HOST}:${port}${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${name}: ${method} ${path}: ${answer.status}`);
    return answer.json();
  };
  while (!(await call("GET", "/").catch(() => undefined))) {
    if (started.exitCode !== null) throw new Error(`${name} does not start`);
    await Bun.sleep(10);
  }
  return { process: started, port, call };
}

async function startService(): Promise<Target> {
  const { call, ...service } = await start("service", join(here, "../src/main.bun.ts"), {
    NODE_ENV: "production",
    HOST,
    JWT_SECRET: "a secret of this measurement alone",
    TODOS_PER_USER: "1000000",
    // Nobody listens there, and no mail is sent.
    MAIL_URL: "smtp://127.0.0.1:1",
    MAIL_FROM: "bench@example.com",
  });
  const user = { username: "bench", password: "a-Long-0ne-indeed" };
  await call("POST", "/users/sign-up", user);
  const { access_token: token } = await call("POST", "/users/log-in", user);
  await fill(call, token);
  return { ...service, token };
}

async function startFloor(): Promise<Target> {
  const { call, ...floor } = await start("floor", join(here, "floor.ts"), {
    DATABASE: join(folder, "floor.db"),
  });
  await fill(call, "1");
  return { ...floor, token: "1" };
}

type Call = Awaited<ReturnType<typeof start>>["call"];
async function fill(call: Call, token: string): Promise<void> {
  for (let i = 10; i < 10 + TODOS; i++) {
    await call(
      "POST",
      "/todos",
      { contents: `${i} buy milk, bread and coffee`, is_done: false },
      token,
    );
  }
}

/** All rows in many views, more than the service keeps in memory. So each page is read again. */
const views = ["id", "position", "due"].flatMap((sort) =>
  ["order=ASC", "order=DESC", "order=ASC&priority=0", "order=DESC&priority=0"].flatMap((rest) =>
    Array.from({ length: 51 }, (_, i) => `/todos?limit=${TODOS + i}&sort=${sort}&${rest}`),
  ),
);

const REQUESTS: [what: string, method: string, paths: string[], body?: object][] = [
  ["GET /", "GET", ["/"]],
  [`GET /todos, ${TODOS} rows`, "GET", [`/todos?limit=${TODOS}`]],
  ["the same, read anew", "GET", views],
  ["GET /todos/:id", "GET", ["/todos/7"]],
  ["PATCH /todos/:id", "PATCH", ["/todos/7"], { is_done: true }],
  ["POST /todos", "POST", ["/todos"], { contents: "buy milk", is_done: false }],
];

/** Seconds of CPU time; undefined on systems that do not report it. */
const cpuOf = (pid: number) => (process.platform === "linux" ? cpuSeconds(pid) : undefined);

/** The cost of a request at `target`, in microseconds. */
async function cost({ process, port, token }: Target, request: (typeof REQUESTS)[number]) {
  const [, method, paths, body] = request;
  const text = body ? JSON.stringify(body) : "";
  const headers = [
    `Host: ${HOST}:${port}`,
    `Authorization: Bearer ${token}`,
    ...(body ? ["Content-Type: application/json", `Content-Length: ${text.length}`] : []),
  ];
  const requests = paths.map(
    (path) => `${[`${method} ${path} HTTP/1.1`, ...headers].join("\r\n")}\r\n\r\n${text}`,
  );
  const before = cpuOf(process.pid);
  const { answers, seconds } = await load(HOST, port, requests, SECONDS);
  const after = cpuOf(process.pid);
  const used = before !== undefined && after !== undefined ? after - before : seconds;
  return (1e6 * used) / answers;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const print = (...columns: (string | number)[]) => {
  const [what, ...numbers] = columns.map((each) =>
    typeof each === "number" ? each.toFixed(1) : each,
  );
  process.stdout.write(`${what?.padEnd(24)}${numbers.map((each) => each.padStart(14)).join("")}\n`);
};

const targets: Target[] = [];
try {
  const [service, floor] = [await startService(), await startFloor()];
  targets.push(service, floor);
  print("us a request", "the service", "the floor", "times");
  for (const request of REQUESTS) {
    const costs: [service: number, floor: number][] = [];
    // The first round is for warming up.
    for (let round = 0; round <= ROUNDS; round++) {
      costs.push([await cost(service, request), await cost(floor, request)]);
    }
    const counted = costs.slice(1);
    print(
      request[0],
      median(counted.map(([ours]) => ours)),
      median(counted.map(([, theirs]) => theirs)),
      median(counted.map(([ours, theirs]) => ours / theirs)),
    );
  }
} finally {
  for (const { process } of targets) {
    process.kill();
    await process.exited;
  }
  rmSync(folder, { recursive: true });
}
