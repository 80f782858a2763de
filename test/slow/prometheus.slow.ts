/**
 * A real Prometheus scrapes the service. Each query of the dashboard and each alerting rule must use existing metrics,
 * and return data. `alerts.yaml` in this folder tests when the rules fire.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { output, requirePrograms } from "../command.ts";
import { startSmtp } from "../mail/smtp.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { PASSWORD, SECRET } from "../service.ts";
import { freePort } from "../sqld.ts";

requirePrograms({ prometheus: "prometheus", promtool: "prometheus" });

const ROOT = join(import.meta.dir, "../..");
const RULES = join(ROOT, "docs/alerts.yaml");

interface Panel {
  type: string;
  title: string;
  targets?: { expr: string }[];
}
const { panels, templating } = await Bun.file(join(ROOT, "docs/grafana.json")).json();
const graphs: Panel[] = panels.filter(({ type }: Panel) => type !== "row");
/** With the values that Grafana puts in place of its variables. */
const queries = graphs.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }): [title: string, query: string] => [
    title,
    expr
      .replaceAll("$__rate_interval", "1m")
      .replaceAll("$instance", ".+")
      .replaceAll("$job", "todos"),
  ]),
);

const folder = temporaryFolder();
const undo = new AsyncDisposableStack();
let metricsUrl = "";
let prometheusUrl = "";

beforeAll(async () => {
  undo.use(folder);
  const mailbox = undo.use(await startSmtp());
  const service = undo.use(
    await startProcess(folder.path, {
      METRICS_PORT: "0",
      JWT_SECRET: SECRET,
      MAIL_URL: mailbox.url,
      HASH_CONCURRENCY: "1",
      SIGN_UPS_PER_HOUR: "0",
    }),
  );
  const [, url = ""] = await service.line(/metrics on (http:[^"]+)/);
  metricsUrl = url;
  prometheusUrl = await startPrometheus(new URL(url).host);
  await work(service);
  // Enough scrapes to compute a rate.
  await until(async () => {
    const [series] = await ask("count_over_time(todos_build_info[1m])");
    return Number(series?.value[1]) >= 4;
  });
});
afterAll(() => undo.disposeAsync());

async function startPrometheus(target: string): Promise<string> {
  const config = {
    global: { scrape_interval: "3s", scrape_timeout: "3s", evaluation_interval: "1s" },
    rule_files: [RULES],
    scrape_configs: [{ job_name: "todos", static_configs: [{ targets: [target] }] }],
  };
  // JSON is YAML too.
  await Bun.write(join(folder.path, "prometheus.yml"), JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = Bun.spawn(
    [
      "prometheus",
      `--config.file=${join(folder.path, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder.path, "prometheus")}`,
      `--web.listen-address=${address}`,
    ],
    { stdin: "ignore", stdout: "ignore", stderr: Bun.file(join(folder.path, "prometheus.log")) },
  );
  undo.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const isReady = () =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(async () => {
    if (child.exitCode !== null) {
      throw new Error(await Bun.file(join(folder.path, "prometheus.log")).text());
    }
    return isReady();
  });
  return `http://${address}`;
}

/** At least one event of every kind, so that each series exists. */
async function work(service: ServiceProcess): Promise<void> {
  const { call } = service;
  const { token, username } = await service.user();
  const json = { contents: "Buy milk" };
  await Promise.all(Array.from({ length: 10 }, () => call("POST", "/todos", { token, json })));
  await call("GET", "/todos", { token });
  const mailed = { username: "mailed", password: PASSWORD, email: "mailed@example.com" };
  await call("POST", "/users/sign-up", { json: mailed });
  const wrong = { username, password: "wrong horse battery" };
  for (let i = 0; i < 7; i++) await call("POST", "/users/log-in", { json: wrong });
  // More than may wait, to get a 503. If a burst arrives slowly, all of it is hashed, so another burst follows.
  const signUp = async (name: string) => {
    const json = { username: name, password: PASSWORD };
    return (await call("POST", "/users/sign-up", { json })).status;
  };
  const statuses: number[] = [];
  for (let burst = 0; !statuses.includes(503); burst++) {
    const signUps = Array.from({ length: 20 }, (_, i) => signUp(`user-${burst}-${i}`));
    statuses.push(...(await Promise.all(signUps)));
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(100);
}

interface Series {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

async function api(path: string, parameters: Record<string, string> = {}) {
  const answer = await fetch(`${prometheusUrl}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, data, error } = await answer.json();
  if (status !== "success") throw new Error(`${JSON.stringify(parameters)}: ${error}`);
  return data;
}

/** The current series of a query. @throws Error when it does not parse */
async function ask(query: string): Promise<Series[]> {
  return (await api("query", { query })).result;
}

/**
 * The series, or none if there are none for a while: after a failed scrape, all series are missing until the next one.
 */
async function askAgain(query: string): Promise<Series[]> {
  for (let tries = 1; ; tries++) {
    const found = await ask(query);
    if (found.length > 0 || tries === 10) return found;
    await Bun.sleep(1000);
  }
}

test("Prometheus takes what the service tells", async () => {
  expect(await askAgain("up == 1")).toHaveLength(1);
  const { activeTargets } = await api("targets");
  expect(activeTargets[0]).toMatchObject({ health: "up", lastError: "" });
  const text = await (await fetch(metricsUrl)).text();
  await Bun.write(join(folder.path, "metrics.txt"), text);
  const check = `promtool check metrics < ${join(folder.path, "metrics.txt")}`;
  expect(await output(folder.path, ["sh", "-c", check])).toBe("");
});

describe("the dashboard", () => {
  test("has queries for each graph", () => {
    expect(graphs.length).toBeGreaterThan(15);
    for (const { title, targets = [] } of graphs) {
      expect([title, targets.length]).not.toEqual([title, 0]);
    }
    expect(templating.list.map(({ name }: { name: string }) => name)).toEqual([
      "datasource",
      "job",
      "instance",
    ]);
  });

  test.each(queries)("%s: %s", async (_, query) => {
    expect(query).not.toContain("$");
    expect(await askAgain(query)).not.toEqual([]);
  });

  test("shows every metric", async () => {
    const names: string[] = await api("label/__name__/values");
    const shown = queries.map(([, query]) => query).join("\n");
    const own = names.filter((name) => /^(todos|process)_/.test(name));
    expect(own.length).toBeGreaterThan(20);
    const missing = own
      .map((name) => name.replace(/_(bucket|sum|count)$/, ""))
      .filter((name) => !shown.includes(name));
    expect(missing).toEqual([]);
  });
});

describe("the rules", () => {
  test("are sound, and wake whom they should", async () => {
    await output(ROOT, ["promtool", "check", "rules", RULES]);
    await output(ROOT, ["promtool", "test", "rules", join(import.meta.dir, "alerts.yaml")]);
  });

  test("are evaluated without an error, and ask for series that are there", async () => {
    await until(async () => (await rules()).every(({ health }) => health !== "unknown"));
    for (const { name, health, query } of await rules()) {
      expect([name, health]).toEqual([name, "ok"]);
      const selectors = query.match(/\b[a-z_]+\{[^}]*\}/g) ?? [];
      expect([name, selectors.length]).not.toEqual([name, 0]);
      for (const selector of selectors) {
        expect([selector, await askAgain(selector)]).not.toEqual([selector, []]);
      }
    }
  });

  test("say whether to wake somebody", async () => {
    const all = await rules();
    expect(all.length).toBeGreaterThan(10);
    for (const { name, labels, annotations } of all) {
      expect([name, labels.severity]).toEqual([name, expect.stringMatching(/^(page|ticket)$/)]);
      expect(annotations).toEqual({
        summary: expect.any(String),
        description: expect.any(String),
      });
    }
  });
});

interface Rule {
  name: string;
  query: string;
  health: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

async function rules(): Promise<Rule[]> {
  const { groups } = await api("rules");
  return groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
}
