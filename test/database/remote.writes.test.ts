/** Writes to a libSQL server that share round trips and commits, with libSQL's own server. */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { Client } from "@libsql/core/api";
import { outageOf } from "../../src/database/errors.ts";
import { openRemote } from "../../src/database/remote.ts";
import { TRIPS } from "../../src/database/remote.writes.ts";
import { openLine } from "../line.ts";
import { temporaryFolder } from "../process.ts";
import { type LibsqlServer, serverToken, startPrimary, until } from "../sqld.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

/** So many concurrent writes that most of them have to wait and share a trip. */
const MANY = 100;

const folder = temporaryFolder();
const authToken = serverToken();
let server: LibsqlServer;
let client: Client;

beforeAll(async () => {
  server = await startPrimary(folder.path);
  client = openRemote(server.url, { authToken });
});
beforeEach(async () => {
  await client.batch(
    [
      "DROP TABLE IF EXISTS notes",
      "CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    ],
    "write",
  );
});
afterAll(async () => {
  client.close();
  await server.kill();
  folder[Symbol.dispose]();
});

const insert = (name: string) => ({ sql: "INSERT INTO notes (name) VALUES (?)", args: [name] });
const names = async () =>
  (await client.execute("SELECT name FROM notes")).rows.map(({ name }) => String(name));

/**
 * Calls `write` with the numbers from 0, all at the same time. Returns the acknowledged ones, and the errors of the
 * others.
 */
async function atOnce(write: (n: number) => Promise<unknown>, count = MANY) {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, (_, n) => write(n)));
  const acknowledged = outcomes.flatMap(({ status }, n) => (status === "fulfilled" ? [n] : []));
  const errors = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
  return { acknowledged, errors };
}

/**
 * A proxy in front of the server.
 * @param instead is awaited before each trip, whose number it gets, from 0. If it returns an answer, this one is sent
 */
function openProxy(instead: (trip: number) => Promise<Response | undefined>) {
  let trips = 0;
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { method, headers, url } = request;
      const answer = instead(trips++);
      const body = await request.text();
      return (await answer) ?? fetch(server.url + new URL(url).pathname, { method, headers, body });
    },
  });
  return { url: proxy.url.href, trips: () => trips, close: () => proxy.stop(true) };
}

test("many at once all happen, in fewer trips than there are writes", async () => {
  const proxy = openProxy(async () => undefined);
  const commits: number[] = [];
  const waiting: number[] = [];
  const meter = {
    committed: (writes: number) => commits.push(writes),
    writesWaiting: (writes: number) => waiting.push(writes),
  };
  const counted = openRemote(proxy.url, { authToken, meter });
  const { errors } = await atOnce((n) => counted.execute(insert(`${n}`)));
  counted.close();
  await proxy.close();
  expect(errors).toEqual([]);
  expect((await names()).length).toBe(MANY);
  expect(proxy.trips()).toBeLessThan(MANY / 2);
  expect(commits.reduce((sum, writes) => sum + writes)).toBe(MANY);
  expect(Math.max(...waiting)).toBeGreaterThan(1);
  expect(waiting.at(-1)).toBe(0);
});

test("each gets its own results", async () => {
  const counts = await Promise.all(
    Array.from({ length: MANY }, (_, n) =>
      client.batch([insert(`a${n}`), `SELECT ${n} AS n`, insert(`b${n}`)], "write"),
    ),
  );
  expect(counts.map(([, second]) => second?.rows[0]?.n)).toEqual(Array.from(counts.keys()));
  expect(new Set(counts.map(([first]) => first?.lastInsertRowid)).size).toBe(MANY);
});

test("one that fails is undone completely, and the others succeed", async () => {
  await client.execute(insert("taken"));
  const { acknowledged, errors } = await atOnce((n) =>
    client.batch([insert(`${n}`), insert(n % 3 === 0 ? "taken" : `again ${n}`)], "write"),
  );
  expect(acknowledged).toEqual(Array.from(Array(MANY).keys()).filter((n) => n % 3 !== 0));
  for (const error of errors) {
    expect(error).toMatchObject({
      statementIndex: 1,
      message: expect.stringContaining("UNIQUE constraint failed: notes.name"),
    });
  }
  expect((await names()).sort()).toEqual(
    ["taken", ...acknowledged.flatMap((n) => [`${n}`, `again ${n}`])].sort(),
  );
});

test("one that cannot be sent or read does not make the others fail", async () => {
  const { acknowledged, errors } = await atOnce((n) => {
    if (n === 50) return client.execute(insert("\0"));
    return client.execute(n === 60 ? "INSERT INTO notes nonsense" : insert(`${n}`));
  });
  expect(acknowledged.length).toBe(MANY - 2);
  expect(errors.map(({ code }) => code)).toEqual(["ARGS_INVALID", "SQL_PARSE_ERROR"]);
  expect((await names()).length).toBe(MANY - 2);
});

test("when one ends the transaction of all, what is acknowledged is there, and nothing else", async () => {
  await client.execute(insert("taken"));
  const { acknowledged, errors } = await atOnce((n) =>
    n % 40 === 20
      ? client.execute("INSERT OR ROLLBACK INTO notes (name) VALUES ('taken')")
      : client.execute(insert(`${n}`)),
  );
  expect(errors.length).toBeGreaterThan(2);
  const present = (await names()).filter((name) => name !== "taken");
  expect(present.sort()).toEqual(acknowledged.map(String).sort());
});

test("a lock that another process holds for a while is waited for", async () => {
  let locked = 3;
  const busy = openProxy(async () => {
    if (locked-- <= 0) return undefined;
    // An answer that the server really gives while many others write.
    const step_errors = [{ message: "SQLite error: database is locked", code: "SQLITE_BUSY" }];
    const result = { step_results: [null], step_errors };
    return Response.json({ results: [{ type: "ok", response: { type: "batch", result } }] });
  });
  const patient = openRemote(busy.url, { authToken });
  await patient.execute(insert("patient"));
  expect(await names()).toEqual(["patient"]);

  locked = Number.POSITIVE_INFINITY;
  const impatient = openRemote(busy.url, { authToken, timeout: 200 });
  const error = await impatient.execute(insert("impatient")).catch((reason) => reason);
  expect(outageOf(error)).toBe("locked");
  await busy.close();
});

test("while the server stalls all are refused in time, and afterwards they happen again", async () => {
  const line = await openLine(server.port);
  const timeout = 300;
  const far = openRemote(line.url, { authToken, timeout });
  await far.execute(insert("before"));
  line.hold();
  const startedAt = performance.now();
  const { errors } = await atOnce((n) => far.execute(insert(`${n}`)), 4 * MANY);
  const took = performance.now() - startedAt;
  expect(errors.map(outageOf)).toEqual(Array(4 * MANY).fill("unreachable"));
  // Each write waits for its turn, and then for its answer. The rest is for a slow machine.
  expect(took).toBeLessThan(10 * timeout);
  line.release();
  await far.execute(insert("after"));
  line.close();
});

test("a server that does not answer is sent no more writes, until the first ones count as lost", async () => {
  const { promise: answering, resolve: answer } = Promise.withResolvers<void>();
  const stalled = openProxy(async () => void (await answering));
  const far = openRemote(stalled.url, { authToken, timeout: 1000 });
  for (let wave = 0; wave < 2; wave++) {
    const { errors } = await atOnce((n) => far.execute(insert(`${wave}-${n}`)));
    expect(errors.map(outageOf)).toEqual(Array(MANY).fill("unreachable"));
    expect(stalled.trips()).toBe(TRIPS);
  }
  await until(async () => {
    void far.execute(insert("late")).catch(() => undefined);
    return stalled.trips() > TRIPS;
  });

  answer();
  const add = () => far.execute(insert("after"));
  await until(() =>
    add().then(
      () => true,
      () => false,
    ),
  );
  const present = await names();
  expect(present).toContain("after");
  expect(present.filter((name) => name.startsWith("1-"))).toEqual([]);
  await stalled.close();
});

test("writes of a group that was refused are sent one by one, but only as long as somebody waits", async () => {
  /** Resolves when the trip with this number may be answered. */
  let answering = (trip: number): Promise<void> => Bun.sleep(trip < TRIPS ? 50 : 600);
  const slow = openProxy(async (trip) => void (await answering(trip)));
  const far = openRemote(slow.url, { authToken, timeout: 400 });
  // The first writes take all places, so the others share a trip. The server cannot read one of these.
  const add = (name: string) =>
    atOnce((n) => far.execute(n === 9 ? "INSERT INTO notes nonsense" : insert(name + n)), 10);

  // The refusal comes too late.
  const late = await add("late");
  expect(late.acknowledged).toEqual([0, 1]);
  await Bun.sleep(600);
  expect(slow.trips()).toBe(TRIPS + 1);
  expect((await names()).length).toBe(TRIPS);

  // The refusal comes at once, and then there are no answers.
  const before = slow.trips();
  answering = (trip) => (trip - before <= TRIPS ? Promise.resolve() : new Promise(() => {}));
  const startedAt = performance.now();
  const unanswered = await add("unanswered");
  expect(performance.now() - startedAt).toBeLessThan(2000);
  expect(unanswered.errors.map(outageOf)).toEqual(Array(8).fill("unreachable"));
  expect(slow.trips() - before).toBe(TRIPS + 2);
  await slow.close();
});
