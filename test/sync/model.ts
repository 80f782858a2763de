/**
 * Random writers and readers of one user, on any nodes of the service. Answers get lost, and requests are repeated with
 * their keys, also at the same time and on another node. Readers fetch changes in pages of any size, stop in the
 * middle, continue on another node, start again, and listen to events. In the end all copies are equal to the service's
 * rows.
 */
import { expect } from "bun:test";
import { type Events, listenTo } from "../changes/listen.ts";
import { createRandom, type Random } from "../random.ts";
import type { callsTo } from "../service.ts";

/** One of the service's processes. */
export type Node = Pick<ReturnType<typeof callsTo>, "call">;

interface Row {
  type: "todo" | "list";
  id: number;
  rev: number;
  [field: string]: unknown;
}

interface Answer {
  status: number;
  text: string;
}

interface Options {
  nodes: Node[];
  token: string;
  seed: number;
  /** The number of requests that write. */
  steps: number;
  /** Whether repeated answers are also compared with the first ones. Otherwise only their effects are compared. */
  compares?: boolean;
}

const WRITERS = 3;
const READERS = 3;

const DAILY = { every: 1, unit: "day", from: "due" };

/** The allowed answers to a request, whatever others do at the same time. */
const EXPECTED = [200, 201, 204, 403, 404, 412, 422];

/** Runs them to the end, and checks the promises of the service. */
export async function runModel({
  nodes,
  token,
  seed,
  steps,
  compares = false,
}: Options): Promise<void> {
  const ids = { todos: new Set<number>(), lists: new Set<number>() };
  /** The todos that may be deleted for good. */
  const purged = new Set<number>();
  let names = 0;
  let sent = 0;

  /** Sends a request to any node, and repeats it with its key when the answer got lost. Returns the answer. */
  async function send(random: Random, method: string, path: string, json?: unknown, rev?: number) {
    const body = json === undefined ? {} : { json };
    const headers = {
      ...(method === "POST" && { "idempotency-key": `${seed}-${++sent}` }),
      ...(rev !== undefined && { "if-match": `"${rev}"` }),
    };
    const once = async () => {
      const answer = await random.pick(nodes).call(method, path, { token, headers, ...body });
      return { status: answer.status, text: await answer.text() };
    };
    let answer = await once();
    if (method === "POST" && random.below(3) === 0) {
      const again = await Promise.all(Array.from({ length: 1 + random.below(3) }, once));
      // An error is not stored, so the answer may be a different one by now.
      for (const each of compares && answer.status < 300 ? again : []) {
        expectSame(each, answer, json);
      }
    }
    // Either nothing was done, or it cannot be known.
    while (answer.status === 503 && method === "POST") answer = await once();
    if (answer.status !== 503) expect(EXPECTED).toContain(answer.status);
    return { ...answer, json: () => (answer.status === 204 ? {} : JSON.parse(answer.text)) };
  }

  /** Compares a repeated answer with the first one. It no longer exists if its todo was deleted for good in between. */
  function expectSame(again: Answer, first: Answer, json: unknown): void {
    if (again.status === 503) return;
    const { operations } = Object(json);
    const before = JSON.parse(first.text);
    if (again.status === 404) {
      expect([...purged]).toContain(before.id);
      return;
    }
    if (!operations) {
      expect(again).toEqual(first);
      return;
    }
    const { results } = JSON.parse(again.text);
    for (const [i, result] of before.results.entries()) {
      const isGone = results[i].status === 404 && purged.has(operations[i].id ?? result.todo?.id);
      if (!isGone) expect(results[i]).toEqual(result);
    }
  }

  const writer = (random: Random) => {
    const todo = () => random.pick([...ids.todos, 1]);
    const list = () => random.pick([...ids.lists, 1]);
    const listOrInbox = () => (random.below(2) === 0 ? null : list());
    const place = () => random.pick([{}, { after: null }, { after: todo() }]);

    function fields() {
      const date = `2126-0${1 + random.below(9)}-1${random.below(10)}`;
      return random.pick([
        { contents: `changed ${++names}` },
        { notes: random.pick([null, `note ${++names}`]) },
        { priority: random.below(4) },
        { is_done: true },
        { is_done: false },
        { due: { date } },
        // With a unique text, which all todos of its series have.
        { due: { date }, repeat: DAILY, is_done: false, contents: `series ${++names}` },
        { due: null, repeat: null },
      ]);
    }

    /** An operation of a batch. */
    function operation() {
      const id = todo();
      return random.pick([
        { op: "create", contents: `todo ${++names}`, list_id: null },
        { op: "update", id, ...fields() },
        { op: "update", id, ...fields(), if_match: random.below(names + 1) },
        { op: "move", id, list_id: listOrInbox(), ...place() },
        { op: "delete", id },
      ]);
    }

    async function create(contents: string): Promise<void> {
      const { status, json } = await send(random, "POST", "/todos", { contents });
      if (status !== 201) return;
      ids.todos.add(json().id);
    }

    async function batch(): Promise<void> {
      const operations = Array.from({ length: 1 + random.below(8) }, operation);
      const { status, json } = await send(random, "POST", "/todos/batch", { operations });
      if (status !== 200) return;
      const { results } = json();
      expect(results.length).toBe(operations.length);
      for (const { status, todo, problem } of results) {
        expect(EXPECTED).toContain(status);
        expect([todo, problem].filter(Boolean).length).toBe(status === 204 ? 0 : 1);
        if (status === 201) ids.todos.add(todo.id);
      }
    }

    async function purge(): Promise<void> {
      const answer = await random.pick(nodes).call("GET", "/trash?limit=5", { token });
      if (answer.status !== 200) return;
      const { todos } = await answer.json();
      if (todos.length === 0) return;
      const { id } = random.pick<{ id: number }>(todos);
      purged.add(id);
      await send(random, "DELETE", `/trash/${id}`);
    }

    async function addList(): Promise<void> {
      const { status, json } = await send(random, "POST", "/lists", { name: `list ${++names}` });
      if (status === 201) ids.lists.add(json().id);
    }

    return () =>
      random.pick<() => Promise<unknown>>([
        () => create(`todo ${++names}`),
        () => create(`todo ${++names}`),
        batch,
        batch,
        batch,
        () => send(random, "PATCH", `/todos/${todo()}`, fields()),
        () => send(random, "PATCH", `/todos/${todo()}`, fields(), random.below(names + 1)),
        () => send(random, "POST", `/todos/${todo()}/move`, { list_id: listOrInbox(), ...place() }),
        () => send(random, "DELETE", `/todos/${todo()}`),
        () => send(random, "POST", `/trash/${todo()}/restore`),
        purge,
        addList,
        () => send(random, "PATCH", `/lists/${list()}`, { name: `list ${++names}` }),
        () => send(random, "POST", `/lists/${list()}/move`, { after: null }),
        // Rarely, because its todos are deleted too.
        () => (random.below(3) === 0 ? send(random, "DELETE", `/lists/${list()}`) : addList()),
      ])();
  };

  function reader(random: Random) {
    let copy = new Map<string, Row>();
    let since = "";
    let rev = 0;
    let events: Events | undefined;
    let lastId = "";

    /** Fetches a page of changes. Returns whether there are more. */
    async function page(limit = 1 + random.below(20)): Promise<boolean> {
      const query = `limit=${limit}${since && `&since=${since}`}`;
      const answer = await random.pick(nodes).call("GET", `/todos/changes?${query}`, { token });
      if (answer.status === 503) return true;
      expect(answer.status).toBe(200);
      const { changes, next, has_more } = await answer.json();
      expect(changes.length).toBeLessThanOrEqual(limit);
      const seen = new Set<string>();
      for (const { deleted, ...row } of changes) {
        const key = `${row.type} ${row.id}`;
        expect(seen.has(key)).toBe(false);
        seen.add(key);
        if (deleted) {
          copy.delete(key);
          continue;
        }
        expect(row.rev).toBeGreaterThanOrEqual(rev);
        rev = row.rev;
        copy.set(key, row);
      }
      since = next;
      return has_more;
    }

    async function listen(): Promise<void> {
      await events?.close();
      const headers = lastId === "" ? {} : { "last-event-id": lastId };
      events = await listenTo(random.pick(nodes), token, "", headers).catch(() => undefined);
    }

    return {
      async step(): Promise<void> {
        switch (random.below(12)) {
          case 0:
            copy = new Map();
            since = "";
            rev = 0;
            return;
          case 1:
            await listen();
            return;
          case 2: {
            const heard = events?.heard().at(-1);
            if (heard?.id) lastId = heard.id;
            return;
          }
          default:
            await page();
        }
      },
      async catchUp(): Promise<Row[]> {
        while (await page());
        return [...copy.values()];
      },
      /** Resolves when its stream of events has reported this revision. */
      async hears(revision: number): Promise<void> {
        if (!events) return;
        const hasHeard = () => events?.heard().some(({ data }) => (data.rev ?? 0) >= revision);
        while (!hasHeard()) await events.next();
      },
      close: async () => events?.close(),
    };
  }

  const readers = Array.from({ length: READERS }, (_, i) => reader(createRandom(seed + 1000 + i)));
  let left = steps;
  let isWriting = true;
  const writing = Promise.all(
    Array.from({ length: WRITERS }, async (_, i) => {
      const write = writer(createRandom(seed + i));
      while (left-- > 0) await write();
    }),
  ).finally(() => {
    isWriting = false;
  });
  const reading = readers.map(async ({ step }) => {
    while (isWriting) {
      await step();
      await Bun.sleep(2);
    }
  });
  try {
    await Promise.all([writing, ...reading]);

    // One more change, which every stream has to report.
    const random = createRandom(seed);
    const last = await send(random, "POST", "/todos", { contents: `todo ${++names}` });
    const there = await rowsThere(random.pick(nodes), token);
    for (const node of nodes) expect(await rowsThere(node, token)).toEqual(there);
    for (const { catchUp } of readers) expect(inOrder(await catchUp())).toEqual(there);
    for (const { hears } of readers) await hears(last.json().rev);

    const trash = await pagesOf(random.pick(nodes), token, "/trash");
    const all = [...there, ...trash].filter((row) => row.contents !== undefined);
    const kept = new Set(all.map(({ id }) => id));
    expect([...ids.todos].filter((id) => !kept.has(id) && !purged.has(id))).toEqual([]);
    const texts = all.map(({ contents }) => String(contents)).filter((text) => /^todo/.test(text));
    expect(texts.length).toBe(new Set(texts).size);
  } finally {
    await Promise.all(readers.map(({ close }) => close()));
  }
}

/** All todos and lists, page by page. */
async function rowsThere(node: Node, token: string): Promise<Row[]> {
  const { lists } = await (await node.call("GET", "/lists", { token })).json();
  const todos = await pagesOf(node, token, "/todos");
  const rows = [
    ...todos.map((row) => ({ ...row, type: "todo" as const })),
    ...lists.map((row: Row) => ({ ...row, type: "list" as const })),
  ];
  return inOrder(rows);
}

async function pagesOf(node: Node, token: string, path: string): Promise<Omit<Row, "type">[]> {
  const rows: Omit<Row, "type">[] = [];
  for (let cursor = ""; ; ) {
    const answer = await node.call("GET", `${path}?limit=100${cursor}`, { token });
    expect(answer.status).toBe(200);
    const { todos, next_cursor } = await answer.json();
    rows.push(...todos);
    if (next_cursor === null) return rows;
    cursor = `&cursor=${next_cursor}`;
  }
}

/** By revision, and then by type and id. */
const inOrder = (rows: Row[]): Row[] =>
  rows.toSorted((a, b) => a.rev - b.rev || a.type.localeCompare(b.type) || a.id - b.id);
