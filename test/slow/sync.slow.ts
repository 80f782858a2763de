/**
 * Requests with an `Idempotency-Key`: when the process is killed during them, and when they arrive at many nodes at the
 * same time.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { times } from "../parallel.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { runModel } from "../sync/model.ts";
import { type Cluster, startCluster } from "./small-cluster.ts";

const ROUNDS = 20;
const WRITERS = 8;

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = Number(process.env.STEPS ?? 3000);

interface Sent {
  key: string;
  path: string;
  json: object;
  /** The texts of the todos that it adds. */
  texts: string[];
  /** Undefined when there was no answer. */
  answer?: string;
}

const send = (service: ServiceProcess, token: string, { key, path, json }: Sent) =>
  service.call("POST", path, { token, json, headers: { "idempotency-key": key } });

/** Sends requests without pause, until one is not answered. Returns all that were sent. */
async function writeUntilKilled(service: ServiceProcess, token: string, label: string) {
  const sent: Sent[] = [];
  await times(WRITERS, async (writer) => {
    for (let i = 0; ; i++) {
      const name = `${label}, writer ${writer}, ${i}`;
      const texts = i % 2 === 0 ? [name] : [1, 2, 3].map((part) => `${name}, part ${part}`);
      const operations = texts.map((contents) => ({ op: "create", contents }));
      const request: Sent = {
        key: name.replaceAll(/[ ,]+/g, "-"),
        path: i % 2 === 0 ? "/todos" : "/todos/batch",
        json: i % 2 === 0 ? { contents: name } : { operations: [...operations, { op: "none" }] },
        texts,
      };
      sent.push(request);
      const answer = await send(service, token, request).catch(() => undefined);
      if (!answer) return;
      expect(answer.ok).toBe(true);
      const text = await answer.text().catch(() => undefined);
      if (text === undefined) return;
      request.answer = text;
    }
  });
  return sent;
}

async function textsIn(service: ServiceProcess, token: string): Promise<string[]> {
  const texts: string[] = [];
  for (let path: string | undefined = "/todos?limit=100"; path; ) {
    const answer: Response = await service.call("GET", path, { token });
    const { todos } = await answer.json();
    texts.push(...todos.map(({ contents }: { contents: string }) => contents));
    path = /<(.+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  return texts;
}

test("killed amid requests, again and again, it has done each of them once when all are sent again", async () => {
  using folder = temporaryFolder();
  const settings = { TODOS_PER_USER: "1000000" };
  let token: string | undefined;
  let sent: Sent[] = [];
  const expected: string[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    await using service = await startProcess(folder.path, settings);
    token ??= (await service.user()).token;
    const before = new Set(await textsIn(service, token));
    for (const request of sent) {
      // Either all of the request was done, or nothing.
      const there = request.texts.filter((text) => before.has(text));
      expect([0, request.texts.length]).toContain(there.length);
      const again = await send(service, token, request);
      expect(again.ok).toBe(true);
      const isReplay = again.headers.has("idempotency-replayed");
      expect(isReplay).toBe(there.length > 0);
      if (request.answer !== undefined) expect(await again.text()).toBe(request.answer);
      expected.push(...request.texts);
    }
    expect((await textsIn(service, token)).toSorted()).toEqual(expected.toSorted());
    if (round === ROUNDS) break;
    const writing = writeUntilKilled(service, token, `round ${round}`);
    // Each round ends at another point of the writes.
    await Bun.sleep(30 + 100 * Math.random());
    service.kill("SIGKILL");
    sent = await writing;
  }
  expect(expected.length).toBeGreaterThan(ROUNDS * WRITERS);
}, 300_000);

describe("over a primary, a replica and an embedded replica", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  }, 60_000);
  afterAll(() => cluster.stop());

  test("20 requests with one key that come at once do it once", async () => {
    const { nodes } = cluster;
    const [first] = nodes;
    if (!first) throw new Error("no node");
    const { token } = await first.user();
    for (let round = 0; round < 10; round++) {
      const texts = [1, 2].map((part) => `round ${round}, part ${part}`);
      const json = { operations: texts.map((contents) => ({ op: "create", contents })) };
      const request = { key: `round-${round}`, path: "/todos/batch", json, texts };
      const answers = await times(20, async (i) => {
        const node = nodes[i % nodes.length] ?? first;
        const answer = await send(node, token, request);
        const isReplay = answer.headers.has("idempotency-replayed");
        return { status: answer.status, isReplay, body: await answer.text() };
      });
      // A node whose turn does not come in time answers so.
      const done = answers.filter(({ status }) => status === 200);
      expect(answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
      expect(new Set(done.map(({ body }) => body)).size).toBe(1);
      expect(done.filter(({ isReplay }) => !isReplay).length).toBeLessThanOrEqual(1);
      const there = await textsIn(first, token);
      expect(there.filter((text) => texts.includes(text)).toSorted()).toEqual(texts);
    }
  }, 60_000);

  test(`all copies are equal in the end (SEED=${SEED})`, async () => {
    const [first] = cluster.nodes;
    const { token } = (await first?.user()) ?? { token: "" };
    await runModel({ nodes: cluster.nodes, token, seed: SEED, steps: STEPS / 5, compares: true });
  }, 300_000);
});

test(`over two processes on one file, all copies are equal in the end (SEED=${SEED})`, async () => {
  using folder = temporaryFolder();
  await using one = await startProcess(folder.path);
  await using other = await startProcess(folder.path);
  const { token } = await one.user();
  await runModel({ nodes: [one, other], token, seed: SEED, steps: STEPS, compares: true });
}, 300_000);
