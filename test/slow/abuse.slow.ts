/**
 * Floods against the service with its usual settings, in a separate process: the load of one client must not cost the
 * others much. Every bound is a ratio of two figures from the same run, because machines differ.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { openLocal } from "../../src/database/local.ts";
import { startSmtp } from "../mail/smtp.ts";
import { tally, times } from "../parallel.ts";
import { type ServiceProcess, startProcess, temporaryFolder } from "../process.ts";
import { PASSWORD } from "../service.ts";

const LIMIT = 300_000;

const from = (address: string) => ({ "x-forwarded-for": address });
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** The milliseconds that `work` takes. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Calls `request` again and again, over `connections` in parallel, until `stop` is called. */
function flood(connections: number, request: (i: number) => Promise<Response>) {
  let isOver = false;
  const answers: Response[] = [];
  let sent = 0;
  const loops = times(connections, async () => {
    while (!isOver) {
      const answer = await request(sent++);
      await answer.arrayBuffer();
      answers.push(answer);
    }
  });
  return {
    /** The number of answers so far. */
    answers,
    async stop() {
      isOver = true;
      await loops;
    },
  };
}

/** The times of `request`, sent again and again until `until` resolves. */
async function latencies(request: () => Promise<Response>, until: Promise<unknown>) {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  until.then(end, end);
  const taken: number[] = [];
  while (!isOver) {
    taken.push(await timed(async () => (await request()).arrayBuffer()));
    await Bun.sleep(5);
  }
  return taken;
}

const alive = (service: ServiceProcess) => service.call("GET", "/health/alive");

/** The memory of a process, in KiB. */
const memoryOf = (pid: number) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

describe("bodies in one-byte chunks", () => {
  /** Sends a body in such chunks over 200 connections, until each is refused. Returns the statuses. */
  async function attack(port: number, chunks: string): Promise<string[]> {
    const head =
      "POST /users/log-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n";
    const statuses: string[] = [];
    const send = () =>
      new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", async () => {
          socket.write(head);
          for (let i = 0; i < 64 && !socket.destroyed; i++) {
            socket.write(chunks);
            await Bun.sleep(5);
          }
        });
        socket.once("data", (data) => {
          statuses.push(data.toString("latin1").slice(9, 12));
          socket.destroy();
        });
        socket.on("error", () => undefined);
        socket.on("close", () => resolve());
      });
    await times(200, send);
    return statuses;
  }

  test(
    "over 200 connections are refused, and cost neither memory nor anybody's time",
    async () => {
      using folder = temporaryFolder();
      await using service = await startProcess(folder.path);
      await times(200, () => alive(service));
      const under = async (chunks: string) => {
        const before = memoryOf(service.pid);
        let most = before;
        const attacks = (async () => {
          const statuses = [];
          for (let i = 0; i < 3; i++) statuses.push(...(await attack(service.port, chunks)));
          return statuses;
        })();
        const taken = await latencies(() => {
          most = Math.max(most, memoryOf(service.pid));
          return alive(service);
        }, attacks);
        const statuses = await attacks;
        expect(statuses.length).toBeGreaterThan(500);
        expect(new Set(statuses)).toEqual(new Set(["413"]));
        return { growth: most / before, slowest: Math.max(...taken) };
      };
      // The same number of bytes, in chunks of a usual size.
      const usual = await under(`1800\r\n${" ".repeat(0x1800)}\r\n`);
      const tiny = await under("1\r\n \r\n".repeat(1024));
      // Without the limit it was 18 times as much.
      expect(tiny.growth).toBeLessThan(3);
      expect(tiny.slowest / usual.slowest).toBeLessThan(20);
    },
    LIMIT,
  );
});

describe("log-ins", () => {
  test(
    "from 120 connections of one network keep nobody else from logging in",
    async () => {
      using folder = temporaryFolder();
      // Without the hourly limit of a network, which would end the flood after 300 failures.
      const settings = { TRUST_PROXY: "1", FAILED_LOG_INS_PER_HOUR: "0" };
      await using service = await startProcess(folder.path, settings);
      const { username } = await service.user("mina");
      const headers = from("198.51.100.1");
      const attack = flood(120, (i) => {
        const json = { username: `nobody-${i}`, password: "wrong horse battery" };
        return service.call("POST", "/users/log-in", { json, headers });
      });
      try {
        while (attack.answers.length < 500) await Bun.sleep(10);
        const honest = [];
        for (let i = 0; i < 40; i++) {
          const json = { username, password: PASSWORD };
          const own = from(`203.0.113.${i}`);
          honest.push(await service.call("POST", "/users/log-in", { json, headers: own }));
        }
        expect(tally(honest)).toEqual({ 200: 40 });
      } finally {
        await attack.stop();
      }
      // The flood really had to wait.
      expect(tally(attack.answers)[503]).toBeGreaterThan(100);
    },
    LIMIT,
  );
});

describe("requests for a reset", () => {
  /** Adds users with verified addresses to the service in `folder`, without a log-in for each. */
  async function addUsers(folder: string, count: number): Promise<string[]> {
    const client = openLocal(join(folder, "data/todos.db"));
    const addresses = Array.from({ length: count }, (_, i) => `known-${i}@example.com`);
    await client.batch(
      addresses.map((email, i) => ({
        sql: `INSERT INTO users (username, username_key, password_hash, email, created_at)
              VALUES (?, ?, '', ?, 0)`,
        args: [`known-${i}`, `known-${i}`, email],
      })),
      "write",
    );
    client.close();
    return addresses;
  }

  test(
    "take as long for a known address as for an unknown one: AUC 0.4 to 0.6 over 200 pairs",
    async () => {
      using folder = temporaryFolder();
      await using smtp = await startSmtp();
      const settings = { MAIL_URL: smtp.url, MAILS_PER_HOUR: "0" };
      await using service = await startProcess(folder.path, settings);
      const pairs = 200;
      const warmUp = 50;
      const known = await addUsers(folder.path, pairs + warmUp);
      const ask = (email: string) =>
        timed(async () => {
          const answer = await service.call("POST", "/users/password/otp", { json: { email } });
          expect(answer.status).toBe(202);
          await answer.arrayBuffer();
        });
      const taken = { known: [] as number[], unknown: [] as number[] };
      for (const [i, address] of known.entries()) {
        const nobodys = address.replace("known", "nobody");
        // In random order, so that work after one request affects both kinds alike.
        const isFirst = Math.random() < 0.5;
        const first = await ask(isFirst ? address : nobodys);
        const second = await ask(isFirst ? nobodys : address);
        if (i < warmUp) continue;
        taken.known.push(isFirst ? first : second);
        taken.unknown.push(isFirst ? second : first);
      }
      // The probability that a known address takes longer than an unknown one.
      const longer = taken.known.flatMap((one) =>
        taken.unknown.map((other) => (one > other ? 1 : one === other ? 0.5 : 0)),
      );
      const auc = longer.reduce<number>((sum, each) => sum + each, 0) / pairs ** 2;
      expect(auc).toBeGreaterThan(0.4);
      expect(auc).toBeLessThan(0.6);
      while (smtp.received.length < pairs + warmUp) await Bun.sleep(50);
    },
    LIMIT,
  );

  test(
    "over 200 connections slow reads no more than requests that nothing is done for",
    async () => {
      using folder = temporaryFolder();
      await using service = await startProcess(folder.path, { TRUST_PROXY: "1" });
      const { token } = await service.user("mina");
      await service.call("POST", "/todos", { token, json: { contents: "Buy milk" } });
      const read = () => service.call("GET", "/todos", { token });
      const under = async (request: (i: number) => Promise<Response>) => {
        const attack = flood(200, request);
        // Until the service knows that the network has reached its limit.
        while (attack.answers.length < 2000) await Bun.sleep(10);
        const taken = await latencies(read, Bun.sleep(3000));
        await attack.stop();
        return median(taken);
      };
      const headers = from("198.51.100.1");
      const byNothing = await under(() => service.call("GET", "/nowhere", { headers }));
      const byResets = await under((i) => {
        const json = { email: `nobody-${i}@example.com` };
        return service.call("POST", "/users/password/otp", { json, headers });
      });
      // Without the limit it was 77 times as long as without a flood.
      expect(byResets / byNothing).toBeLessThan(4);
    },
    LIMIT,
  );

  test(
    "come by mail however many sign-ups fill the outbox",
    async () => {
      using folder = temporaryFolder();
      // A slow server.
      await using smtp = await startSmtp({ hold: () => Bun.sleep(200) });
      const settings = { MAIL_URL: smtp.url, TRUST_PROXY: "1", SIGN_UPS_PER_HOUR: "0" };
      await using service = await startProcess(folder.path, settings);
      const [victim = ""] = await addUsers(folder.path, 1);
      // Each one to a different address, because one address gets at most ten mails a day.
      const headers = from("198.51.100.1");
      const attack = flood(8, (i) => {
        const json = {
          username: `flood-${i}`,
          password: PASSWORD,
          email: `flood-${i}@example.com`,
        };
        return service.call("POST", "/users/sign-up", { json, headers });
      });
      while (attack.answers.length < 150) await Bun.sleep(10);
      const json = { email: victim };
      const asked = await service.call("POST", "/users/password/otp", {
        json,
        headers: from("203.0.113.1"),
      });
      expect(asked.status).toBe(202);
      const sentBefore = smtp.asked.length;
      while (!smtp.asked.includes(victim)) await Bun.sleep(10);
      await attack.stop();
      // Four mails may already be under way, and four more may follow before it is due.
      expect(smtp.asked.indexOf(victim) - sentBefore).toBeLessThan(12);
      expect(tally(attack.answers)).toEqual({ 201: attack.answers.length });
      const floods = smtp.asked.filter((address) => address.startsWith("flood"));
      expect(floods.length).toBeLessThanOrEqual(60);
    },
    LIMIT,
  );
});

describe("a user with a million todos", () => {
  test(
    "is deleted at once, and what is left goes without holding anybody up",
    async () => {
      using folder = temporaryFolder();
      await using service = await startProcess(folder.path);
      const [leaver, other] = [await service.user("leaver"), await service.user("other")];
      const client = openLocal(join(folder.path, "data/todos.db"));
      const rows = 1_000_000;
      for (let i = 0; i < rows; i += 50_000) {
        await client.execute(
          `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at, rev)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
         SELECT ${leaver.id}, 'Buy milk', 0, 0, 0, 1 FROM n`,
        );
      }
      const left = async () => {
        const { rows: found } = await client.execute(
          `SELECT count(*) FROM users WHERE id = ${leaver.id}`,
        );
        return Number(found[0]?.[0]);
      };
      const { token } = leaver;
      const answered = await timed(async () => {
        const json = { password: PASSWORD };
        expect((await service.call("DELETE", "/users/me", { token, json })).status).toBe(204);
      });
      expect((await service.call("GET", "/todos", { token })).status).toBe(401);

      const began = performance.now();
      const removed = (async () => {
        while ((await left()) > 0) await Bun.sleep(100);
      })();
      const add = () =>
        service.call("POST", "/todos", { token: other.token, json: { contents: "Buy milk" } });
      const [ofAlive, ofWrites] = await Promise.all([
        latencies(() => alive(service), removed),
        latencies(add, removed),
      ]);
      const whole = performance.now() - began;
      client.close();
      for (const taken of [ofAlive, ofWrites]) {
        // Nobody waits for more than a few of the thousands of slices.
        expect(Math.max(...taken) / whole).toBeLessThan(1 / 20);
        expect(median(taken) / whole).toBeLessThan(1 / 500);
      }
      expect(answered / whole).toBeLessThan(1 / 10);
    },
    LIMIT,
  );
});
