/** When mails are sent: some time after the answer, and after a crash. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { randomDelay } from "../../src/mail/enqueue.ts";
import { startSilent, startSmtp } from "../mail/smtp.ts";
import { startProcess, temporaryFolder } from "../process.ts";
import { startService } from "../service.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const SHORTEST = 50;
const LONGEST = 250;

test("a mail is due at random, 50 to 250 ms later", () => {
  const delays = Array.from({ length: 5000 }, randomDelay);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(SHORTEST);
  expect(Math.max(...delays)).toBeLessThanOrEqual(LONGEST);
  // All delays are equally likely, so each quarter has about the same number.
  for (let quarter = 0; quarter < 4; quarter++) {
    const from = SHORTEST + (quarter * (LONGEST - SHORTEST)) / 4;
    const within = delays.filter((delay) => delay >= from && delay < from + 50);
    expect(within.length).toBeGreaterThan(1000);
  }
});

test("no mail leaves sooner, whatever else wakes the outbox", async () => {
  const asked = new Map<string, number>();
  const left: number[] = [];
  await using smtp = await startSmtp({
    refusal(address) {
      left.push(performance.now() - (asked.get(address) ?? Number.POSITIVE_INFINITY));
      return undefined;
    },
  });
  const service = await startService({ MAIL_URL: smtp.url }, undefined, randomDelay);
  try {
    const users = await Promise.all(Array.from({ length: 12 }, () => service.user()));
    for (const { token, username } of users) {
      const email = `${username}@example.com`;
      asked.set(email, performance.now());
      const answer = await service.call("POST", "/users/email/otp", { token, json: { email } });
      expect(answer.status).toBe(202);
      await Bun.sleep(10);
    }
    while (left.length < users.length) await Bun.sleep(10);
    expect(Math.min(...left)).toBeGreaterThanOrEqual(SHORTEST);
  } finally {
    await service.stop();
  }
});

test("a mail that could not be sent comes after a crash and a new start", async () => {
  using folder = temporaryFolder();
  const gone = await startSilent();
  await gone[Symbol.asyncDispose]();
  const email = "mina@example.com";
  {
    await using crashing = await startProcess(folder.path, { MAIL_URL: gone.url });
    const { token } = await crashing.user("mina");
    const sent = await crashing.call("POST", "/users/email/otp", { token, json: { email } });
    expect(sent.status).toBe(202);
    await crashing.line(/not sent, next attempt/);
    crashing.kill("SIGKILL");
    await crashing.ended;
  }
  await using smtp = await startSmtp();
  // Nobody sends it a request: it finds the mail by itself.
  await using again = await startProcess(folder.path, { MAIL_URL: smtp.url });
  while (smtp.received.length === 0) await Bun.sleep(20);
  expect(smtp.received.map(({ recipients }) => recipients)).toEqual([[email]]);
  expect(await again.stop()).toBe(0);
}, 30_000);
