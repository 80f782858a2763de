/**
 * The outbox, from the row to the mailbox: with real database files, a real SMTP server, and a clock that the tests
 * move.
 */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import { eq, sql } from "drizzle-orm";
import Database from "libsql";
import { withSchema } from "../../src/database/drizzle.ts";
import { openLocal } from "../../src/database/local.ts";
import { migrate } from "../../src/database/migrate.ts";
import { outbox as table, users } from "../../src/database/schema.ts";
import { type Clockwork, startClockwork } from "../../src/mail/clockwork.ts";
import { createEnqueue } from "../../src/mail/enqueue.ts";
import { openTransport } from "../../src/mail/open.ts";
import { createOutbox, LEASE } from "../../src/mail/outbox.ts";
import type { Transport } from "../../src/mail/transport.ts";
import { startCutting, startSmtp } from "./smtp.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const OTP = "271828";
const SECOND = 1000;

let folder = "";
let path = "";
let database: ReturnType<typeof withSchema>;
let now = 0;
let logged: LogRecord[] = [];
let cleanUp: (() => unknown)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "outbox-"));
  path = join(folder, "todos.db");
  cleanUp = [];
  database = openClient();
  await migrate(database);
  now = Date.now();
  const created_at = instant(0);
  await database
    .insert(users)
    .values({ id: 1, username: "ann", username_key: "ann", password_hash: "", created_at });
  logged = [];
  configureSync({
    reset: true,
    sinks: { memory: (record) => logged.push(record) },
    loggers: [
      { category: "todos", lowestLevel: "debug", sinks: ["memory"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["memory"] },
    ],
  });
});

afterEach(async () => {
  for (const each of cleanUp.reverse()) await each();
  resetSync();
  rmSync(folder, { recursive: true });
});

function openClient(busyTimeout = 5000) {
  const client = withSchema(openLocal(path, { busyTimeout }));
  cleanUp.push(() => client.$client.close());
  return client;
}

const instant = (seconds: number) => new Date(now + seconds * SECOND).toISOString();

/**
 * Writes mails into the table: for a one-time password that is made now, unless `row` has other values. Returns their
 * addresses.
 */
async function put(count = 1, row: Partial<typeof table.$inferInsert> = {}): Promise<string[]> {
  const addresses = Array.from({ length: count }, (_, i) => `ann-${i}@example.org`);
  await database.insert(table).values(
    addresses.map((to) => ({
      user_id: 1,
      to,
      template: "verify_email" as const,
      data: { otp: OTP, language: "ko" as const, expires_in: 180 },
      attempts: 0,
      next_attempt_at: instant(0),
      expires_at: instant(180),
      created_at: instant(0),
      ...row,
    })),
  );
  return addresses;
}

const rows = () => database.select().from(table);

function openSmtp(url: string): Transport {
  const transport = openTransport(url, "Todos <todos@example.org>");
  cleanUp.push(() => transport.close());
  return transport;
}

/** @param clock by default a clock that stands still */
function start(transport: Transport, db = database, clock = () => now): Clockwork {
  const outbox = startClockwork(createOutbox({ database: db, clock, transport }), clock);
  cleanUp.push(() => outbox.stop());
  outbox.wake();
  return outbox;
}

/** A service that starts now, and stops when all mails that it can send are done. */
const sendDue = (transport: Transport) => start(transport).stop();

async function until(condition: () => unknown): Promise<void> {
  while (!(await condition())) await Bun.sleep(5);
}

const isEmpty = async () => (await rows()).length === 0;

const warnings = () =>
  logged.filter(({ level }) => level !== "info").map(({ rawMessage }) => String(rawMessage));

function expectNothingSecretLogged() {
  const text = logged.map((record) => Bun.inspect(record, { depth: 9 })).join();
  expect(text).not.toContain(OTP);
  expect(text).not.toContain("@example.org");
}

describe("sending", () => {
  test("a mail arrives once, in its language, and its row is gone", async () => {
    await using smtp = await startSmtp();
    const [address = ""] = await put();
    await sendDue(openSmtp(smtp.url));
    const [mail, ...others] = smtp.received;
    expect(others).toEqual([]);
    expect(mail?.recipients).toEqual([address]);
    expect(mail?.email.subject).toBe("이메일 주소 확인을 위한 인증번호");
    expect(mail?.email.text).toContain(OTP);
    expect(await rows()).toEqual([]);
    expect(logged).toMatchObject([{ level: "info", rawMessage: "mail {outbox_id} sent" }]);
    expectNothingSecretLogged();
  });

  test("each log line about a mail names its request and its user, whatever comes of it", async () => {
    const answers = [450, 550, undefined];
    await using smtp = await startSmtp({ refusal: () => answers.shift() });
    const transport = openSmtp(smtp.url);
    for (const request_id of ["delayed", "refused", "taken"]) {
      await put(1, { request_id, to: `${request_id}@example.org` });
      await sendDue(transport);
    }
    const lines: object[] = logged.map(({ level, properties }) => ({ level, ...properties }));
    const about = { user_id: 1, template: "verify_email" };
    expect(lines).toEqual([
      {
        level: "info",
        outbox_id: 1,
        request_id: "delayed",
        ...about,
        seconds: 5,
        reason: "EENVELOPE 450",
      },
      { level: "warning", outbox_id: 2, request_id: "refused", ...about, reason: "EENVELOPE 550" },
      { level: "info", outbox_id: 3, request_id: "taken", ...about },
    ]);
    expectNothingSecretLogged();
  });

  test("mails that are put in later, however often it is woken for them, each arrive once", async () => {
    await using smtp = await startSmtp();
    const outbox = start(openSmtp(smtp.url));
    for (let i = 0; i < 20; i++) {
      await put(1, { to: `bob-${i}@example.org` });
      outbox.wake();
      outbox.wake();
    }
    await until(isEmpty);
    const expected = Array.from({ length: 20 }, (_, i) => `bob-${i}@example.org`);
    expect(smtp.asked.toSorted()).toEqual(expected.toSorted());
  });

  test("reset mails go before all others that are due, however many wait", async () => {
    await using smtp = await startSmtp();
    await put(20);
    const first = { to: "late@example.org", template: "reset_password" as const, priority: 0 };
    await put(1, { ...first, next_attempt_at: instant(0) });
    const transport = openSmtp(smtp.url);
    await sendDue(transport);
    expect(smtp.asked).toHaveLength(4);
    expect(smtp.asked).toContain("late@example.org");
  });

  test("notices go last, and none is put in while an equal one waits", async () => {
    const { notice, code } = createEnqueue(database, () => 0);
    const ann = { user_id: 1, to: "ann@example.org", when: sql`true`, request_id: "1" };
    for (let i = 0; i < 3; i++) await notice("password_changed", ann, "en", now);
    await notice("password_reset", ann, "en", now);
    await notice("password_changed", { ...ann, to: "former@example.org" }, "en", now);
    await code("verify_email", ann, { language: "en", otp: OTP, expires_in: 60 }, now + SECOND);
    now += SECOND;
    const transport = openTransport("log:", "");
    const { mails } = await createOutbox({ database, clock: () => now, transport }).claim(1);
    expect(mails.map(({ template }) => template)).toEqual(["verify_email"]);
    const rows = await database.select({ to: table.to, template: table.template }).from(table);
    expect(rows).toEqual([
      { to: "ann@example.org", template: "password_changed" },
      { to: "ann@example.org", template: "password_reset" },
      { to: "former@example.org", template: "password_changed" },
      { to: "ann@example.org", template: "verify_email" },
    ]);
  });

  test("a later waking does not put off an earlier one", async () => {
    await using smtp = await startSmtp();
    const outbox = start(openSmtp(smtp.url));
    await outbox.stop();
    const woken = startClockwork(
      createOutbox({ database, clock: () => now, transport: openSmtp(smtp.url) }),
      () => now,
    );
    cleanUp.push(() => woken.stop());
    await put();
    woken.wake(50);
    woken.wake(600_000);
    await until(isEmpty);
    expect(smtp.received).toHaveLength(1);
  });

  test("what becomes due later is sent without being woken", async () => {
    await using smtp = await startSmtp();
    await put(1, { next_attempt_at: new Date(Date.now() + 200).toISOString() });
    start(openSmtp(smtp.url), database, Date.now);
    await until(isEmpty);
    expect(smtp.received).toHaveLength(1);
  });

  test("a mail that expired while no service ran is dropped with a log line", async () => {
    await using smtp = await startSmtp();
    await put();
    now += 180 * SECOND;
    await sendDue(openSmtp(smtp.url));
    expect(smtp.asked).toEqual([]);
    expect(await rows()).toEqual([]);
    expect(logged).toMatchObject([
      { level: "warning", properties: { outbox_id: 1, reason: "expired" } },
    ]);
    expectNothingSecretLogged();
  });
});

describe("failures", () => {
  test("are tried again after 5 s, 30 s, 2 min and 10 min, and no sooner", async () => {
    await using smtp = await startSmtp({ refusal: () => 450 });
    const transport = openSmtp(smtp.url);
    await put(1, { expires_at: instant(3600) });
    await sendDue(transport);
    for (const [failures, delay] of [5, 30, 120, 600].entries()) {
      expect(smtp.asked).toHaveLength(failures + 1);
      now += delay * SECOND - 1;
      await sendDue(transport);
      expect(smtp.asked).toHaveLength(failures + 1);
      now += 1;
      await sendDue(transport);
    }
    expect(smtp.asked).toHaveLength(5);
    expect(await rows()).toEqual([]);
    expect(warnings()).toEqual([expect.stringContaining("given up")]);
    expectNothingSecretLogged();
  });

  test("are given up as soon as no attempt is left before the end of the one-time password", async () => {
    await using smtp = await startSmtp({ refusal: () => 450 });
    const transport = openSmtp(smtp.url);
    await put();
    for (const delay of [0, 5, 30, 120]) {
      expect(warnings()).toEqual([]);
      now += delay * SECOND;
      await sendDue(transport);
    }
    expect(smtp.asked).toHaveLength(4);
    expect(await rows()).toEqual([]);
    expect(logged.at(-1)).toMatchObject({
      level: "warning",
      properties: { outbox_id: 1, reason: "EENVELOPE 450" },
    });
  });

  test("a 5xx answer is given up at once, with one log line that tells neither address nor code", async () => {
    await using smtp = await startSmtp({ refusal: () => 550 });
    await put();
    await sendDue(openSmtp(smtp.url));
    expect(smtp.asked).toHaveLength(1);
    expect(await rows()).toEqual([]);
    expect(logged).toMatchObject([
      { level: "warning", properties: { outbox_id: 1, reason: "EENVELOPE 550" } },
    ]);
    expectNothingSecretLogged();
  });

  test("a server without STARTTLS lets the mail wait, and the log says why", async () => {
    await using smtp = await startSmtp();
    await put();
    const url = smtp.url.replace("localhost", "0.0.0.0");
    await sendDue(openSmtp(url));
    expect(smtp.asked).toEqual([]);
    expect(await rows()).toMatchObject([{ attempts: 0, next_attempt_at: instant(60) }]);
    expect(logged).toMatchObject([
      { level: "error", properties: { outbox_id: 1, reason: expect.stringMatching(/\bTLS\b/) } },
    ]);
    expectNothingSecretLogged();
    // The operator has fixed the server.
    now += 60 * SECOND;
    await sendDue(openSmtp(smtp.url));
    expect(smtp.received).toHaveLength(1);
  });

  test("wrong credentials let all mails wait for a minute at a time, and count as no attempt", async () => {
    let password = "the right one";
    let logIns = 0;
    await using smtp = await startSmtp({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth(auth, _session, callback) {
        logIns++;
        if (auth.password === password) return callback(null, { user: auth.username });
        // With the code that servers use for it (RFC 4954 §6).
        callback(Object.assign(new Error(`No such user ${auth.username}`), { responseCode: 535 }));
      },
    });
    const url = smtp.url.replace("://", "://todos:outdated@");
    const transport = openSmtp(url);
    await put(10, { expires_at: instant(3600) });
    await sendDue(transport);
    // Four mails were being sent at the same time. The others were not tried in vain.
    expect(logIns).toBe(4);
    expect(await rows()).toMatchObject(
      Array(10).fill({ attempts: 0, next_attempt_at: instant(60) }),
    );
    expect(logged).toMatchObject(
      Array(4).fill({
        level: "error",
        properties: { seconds: 60, reason: expect.stringMatching(/^EAUTH 535 .*MAIL_URL/) },
      }),
    );
    expectNothingSecretLogged();

    // For longer than the attempts after other failures last.
    for (let minute = 1; minute <= 15; minute++) {
      now += 60 * SECOND;
      await sendDue(transport);
    }
    expect(await rows()).toHaveLength(10);
    password = "outdated";
    now += 60 * SECOND;
    start(transport);
    await until(isEmpty);
    expect(smtp.received).toHaveLength(10);
  });

  test("a sender that the server does not take lets the mail wait, until it expires", async () => {
    await using smtp = await startSmtp({
      onMailFrom(_address, _session, callback) {
        callback(Object.assign(new Error("Sender rejected"), { responseCode: 553 }));
      },
    });
    const transport = openSmtp(smtp.url);
    await put();
    for (let minute = 0; minute < 3; minute++) {
      expect(await rows()).toHaveLength(1);
      await sendDue(transport);
      now += 60 * SECOND;
    }
    expect(await rows()).toEqual([]);
    expect(logged).toMatchObject(
      Array(3).fill({ level: "error", properties: { reason: "EENVELOPE 553" } }),
    );
    expect(warnings().at(-1)).toContain("given up");
  });

  test("one that is refused does not prevent others from being sent", async () => {
    await using smtp = await startSmtp({
      refusal: (address) => (address.startsWith("ann-3@") ? 450 : undefined),
    });
    await put(8);
    start(openSmtp(smtp.url));
    await until(async () => (await rows()).length === 1 && smtp.received.length === 7);
    expect(await rows()).toMatchObject([{ to: "ann-3@example.org", attempts: 1 }]);
  });

  test("a connection cut within the mail costs an attempt, and by itself the next one brings the mail, once", async () => {
    await using smtp = await startSmtp();
    await using cutting = await startCutting(smtp.port);
    await put();
    start(openSmtp(cutting.url), database, Date.now);
    await until(isEmpty);
    expect(smtp.asked).toHaveLength(2);
    expect(smtp.received).toHaveLength(1);
    expect(warnings()).toEqual([]);
  }, 20_000);

  test("a server that is silent costs an attempt, and the mail comes with the next", async () => {
    const speaking = Promise.withResolvers<void>();
    await using smtp = await startSmtp({ hold: () => speaking.promise });
    const transport = openSmtp(`${smtp.url}?socketTimeout=200`);
    await put();
    await sendDue(transport);
    expect(await rows()).toMatchObject([{ attempts: 1, next_attempt_at: instant(5) }]);
    speaking.resolve();
    now += 5 * SECOND;
    await sendDue(transport);
    expect(await rows()).toEqual([]);
  });

  test("a database that is locked just when the mail has gone out does not make it come twice", async () => {
    const other = new Database(path);
    let released = Promise.resolve();
    cleanUp.push(() => released.then(() => other.close()));
    await using smtp = await startSmtp({
      async hold() {
        other.exec("BEGIN IMMEDIATE");
        released = Bun.sleep(300).then(() => {
          other.exec("COMMIT");
        });
      },
    });
    await put();
    await start(openSmtp(smtp.url), openClient(10)).stop();
    expect(await rows()).toEqual([]);
    expect(smtp.received).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  test("a database that is locked when it is woken is looked at again", async () => {
    await using smtp = await startSmtp();
    await put();
    const other = new Database(path);
    cleanUp.push(() => other.close());
    other.exec("BEGIN IMMEDIATE");
    const outbox = start(openSmtp(smtp.url), openClient(10));
    await until(() => logged.length > 0);
    expect(warnings()).toEqual([expect.stringContaining("cannot look")]);
    other.exec("COMMIT");
    outbox.wake();
    await until(isEmpty);
    expect(smtp.received).toHaveLength(1);
  });
});

describe("several senders", () => {
  test("two in one process share 200 mails, and each arrives once", async () => {
    await using smtp = await startSmtp();
    const addresses = await put(200);
    const busy = [start(openSmtp(smtp.url)), start(openSmtp(smtp.url), openClient())];
    await until(isEmpty);
    for (const outbox of busy) await outbox.stop();
    expect(smtp.received.flatMap(({ recipients }) => recipients).toSorted()).toEqual(
      addresses.toSorted(),
    );
    expect(warnings()).toEqual([]);
  }, 20_000);

  test("two processes share 200 mails, and each arrives once", async () => {
    const connections = new Set<string>();
    const areBothThere = Promise.withResolvers<void>();
    await using smtp = await startSmtp({
      onMailFrom(_address, { id }, callback) {
        connections.add(id);
        // Each process sends at most four mails at the same time.
        if (connections.size > 4) areBothThere.resolve();
        areBothThere.promise.then(() => callback());
      },
    });
    const addresses = await put(200);
    const processes = [spawnSender(smtp.url), spawnSender(smtp.url)];
    await until(isEmpty);
    for (const { stop } of processes) expect(await stop()).toBe(0);
    expect(smtp.received.flatMap(({ recipients }) => recipients).toSorted()).toEqual(
      addresses.toSorted(),
    );
  }, 20_000);
});

describe("an end in the middle", () => {
  test("killed while a mail was on its way, it is sent again once the claim has lapsed", async () => {
    const holding = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    await using smtp = await startSmtp({
      onMailFrom(_address, _session, callback) {
        reached.resolve();
        holding.promise.then(() => callback());
      },
    });
    await put();
    const process = spawnSender(smtp.url);
    await reached.promise;
    await process.kill();
    holding.resolve();
    expect(smtp.received).toEqual([]);
    const [row] = await rows();
    const lapse = Date.parse(row?.next_attempt_at ?? "");
    expect(lapse - now).toBeGreaterThanOrEqual(LEASE);

    now = lapse - 1;
    await sendDue(openSmtp(smtp.url));
    expect(smtp.received).toEqual([]);
    now = lapse;
    await sendDue(openSmtp(smtp.url));
    expect(smtp.received).toHaveLength(1);
    expect(await rows()).toEqual([]);
  }, 20_000);

  test("a service that starts before a claim has lapsed waits for that, and sends", async () => {
    await using smtp = await startSmtp();
    await put(1, { attempts: 1, next_attempt_at: instant(59) });
    const began = Date.now();
    // This one starts a fifth of a second before the claim ends.
    start(openSmtp(smtp.url), database, () => now + 58.8 * SECOND + Date.now() - began);
    await until(isEmpty);
    expect(smtp.received).toHaveLength(1);
  });

  test("a claim that lapsed and was taken over is not touched by its first owner", async () => {
    const holding = Promise.withResolvers<number>();
    await using smtp = await startSmtp({ refusal: () => holding.promise });
    await put();
    const first = start(openSmtp(smtp.url));
    await until(() => smtp.asked.length === 1);
    await database
      .update(table)
      .set({ attempts: 2, next_attempt_at: instant(100) })
      .where(eq(table.attempts, 1));
    holding.resolve(450);
    await first.stop();
    expect(await rows()).toMatchObject([{ attempts: 2, next_attempt_at: instant(100) }]);
  });

  test("stop() finishes the mails in hand, four at most, and takes up no others", async () => {
    const holding = Promise.withResolvers<void>();
    await using smtp = await startSmtp({ hold: () => holding.promise });
    await put(6);
    const outbox = start(openSmtp(smtp.url));
    await until(() => smtp.received.length === 4);
    let hasStopped = false;
    const stopped = outbox.stop().then(() => {
      hasStopped = true;
    });
    outbox.wake();
    await Bun.sleep(50);
    expect(hasStopped).toBe(false);
    expect(await rows()).toHaveLength(6);

    holding.resolve();
    await stopped;
    expect(smtp.asked).toHaveLength(4);
    expect(await rows()).toMatchObject([{ attempts: 0 }, { attempts: 0 }]);
    await until(async () => {
      await sendDue(openSmtp(smtp.url));
      return isEmpty();
    });
    expect(smtp.received).toHaveLength(6);
  });
});

/** Another process that sends due mails. */
function spawnSender(mailUrl: string) {
  const script = join(import.meta.dir, "outbox.child.ts");
  const child = Bun.spawn([process.execPath, script, `file:${path}`, mailUrl], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "inherit",
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  cleanUp.push(kill);
  return {
    kill,
    /** Ends it normally. Returns the exit code. */
    async stop() {
      await child.stdin.end();
      return child.exited;
    },
  };
}
