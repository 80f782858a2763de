/** The mail transports, with a real SMTP server: the mails that arrive, and servers that refuse, hang or break off. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openTransport } from "../../src/mail/open.ts";
import { render } from "../../src/mail/templates.ts";
import type { Mail, SendError, Transport } from "../../src/mail/transport.ts";
import { type Behaviour, startCutting, startSilent, startSmtp, TRUST } from "./smtp.ts";

// Processes take their time to start on a busy machine.
setDefaultTimeout(30_000);

const FROM = "할 일 <todos@example.org>";
const OTP = "012345";
const MAIL: Mail = {
  to: "ann@example.org",
  ...render("verify_email", { otp: OTP, language: "ko", expires_in: 180 }),
};

const transports: Transport[] = [];

afterEach(() => {
  for (const transport of transports.splice(0)) transport.close();
});

function open(url: string, from = FROM): Transport {
  const transport = openTransport(url, from);
  transports.push(transport);
  return transport;
}

async function failure(sending: Promise<void>): Promise<SendError> {
  const error = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Error) return error;
  throw new Error(`expected an error, got ${error}`);
}

const withUser = (url: string, password: string) =>
  url.replace("://", `://us%40er:${encodeURIComponent(password)}@`);

describe("a mail by SMTP", () => {
  test("arrives at exactly one address, with both parts in UTF-8, sender, date and id", async () => {
    await using smtp = await startSmtp();
    await open(smtp.url).send(MAIL);

    const [mail, ...others] = smtp.received;
    expect(others).toEqual([]);
    expect(mail?.recipients).toEqual(["ann@example.org"]);
    expect(mail?.email).toMatchObject({
      from: { name: "할 일", address: "todos@example.org" },
      to: [{ name: "", address: "ann@example.org" }],
      subject: MAIL.subject,
      messageId: expect.stringMatching(/^<[^<>@\s]+@example\.org>$/),
      attachments: [],
    });
    expect(mail?.email.text?.trim()).toBe(MAIL.text.trim());
    expect(mail?.email.html?.trim()).toBe(MAIL.html.trim());
    expect(Date.parse(mail?.email.date ?? "")).not.toBeNaN();
    const headers = mail?.email.headers.map(({ key }) => key);
    expect(headers).toContain("auto-submitted");
    expect(headers).not.toContainAnyValues(["cc", "bcc", "reply-to"]);
  });

  test("may have a sender without a name, or with a name in quotes", async () => {
    await using smtp = await startSmtp();
    await open(smtp.url, "todos@example.org").send(MAIL);
    await open(smtp.url, '"Todos, Inc." <todos@example.org>').send(MAIL);
    expect(smtp.received.map(({ email }) => email.from)).toEqual([
      { name: "", address: "todos@example.org" },
      { name: "Todos, Inc.", address: "todos@example.org" },
    ]);
  });

  test.each([
    "ann@example.org, eve@example.org",
    "ann@example.org; eve@example.org",
    "ann@example.org eve@example.org",
    "ann@example.org\r\nBcc: eve@example.org",
    "ann@example.org\nCc: eve@example.org",
    "ann@example.org>\r\nRCPT TO:<eve@example.org",
    "all: ann@example.org, eve@example.org;",
    "Ann <ann@example.org>, Eve <eve@example.org>",
    "eve@example.org (ann@example.org)",
    "=?utf-8?q?eve=40example.org=2C?= ann@example.org",
  ])("never reaches a second address, though its own is %j", async (to) => {
    await using smtp = await startSmtp();
    await open(smtp.url)
      .send({ ...MAIL, to })
      .catch(() => undefined);
    expect(smtp.asked.length).toBeLessThan(2);
    expect(smtp.asked).not.toContain("eve@example.org");
    for (const { email } of smtp.received) {
      expect(email.headers.map(({ key }) => key)).not.toContainAnyValues(["cc", "bcc"]);
      expect(email.to?.length).toBe(1);
    }
  });

  test("goes over a new connection when the server has closed the last one", async () => {
    await using smtp = await startSmtp();
    const transport = open(smtp.url);
    for (let sent = 1; sent <= 3; sent++) {
      await transport.send(MAIL);
      expect(smtp.received).toHaveLength(sent);
      smtp.disconnect();
    }
  });
});

describe("TLS and log-in", () => {
  const password = "p a:s/s?w#ö%r@d";
  const guarded: Behaviour = {
    disabledCommands: [],
    authOptional: false,
    onAuth(auth, _session, callback) {
      if (auth.username !== "us@er" || auth.password !== password) {
        return callback(null, { message: "Wrong", responseCode: 535 });
      }
      callback(null, { user: auth.username });
    },
  };

  test.each([
    ["STARTTLS, since the server offers it", false],
    ["TLS from the start, by smtps://", true],
  ])("logs in by %s", async (_, secure) => {
    await using smtp = await startSmtp({ ...guarded, secure });
    await open(`${withUser(smtp.url, password)}?${TRUST}`).send(MAIL);
    expect(smtp.received).toMatchObject([{ secure: true, user: "us@er" }]);
  });

  test("a wrong password is about the service, so the mail may wait", async () => {
    await using smtp = await startSmtp(guarded);
    const sending = open(`${withUser(smtp.url, "wrong")}?${TRUST}`).send(MAIL);
    expect(await failure(sending)).toMatchObject({
      permanent: false,
      refusesService: true,
      responseCode: 535,
    });
  });

  test.each([false, true])(
    "a certificate that nobody vouches for is refused (smtps: %j)",
    async (secure) => {
      const passwords: unknown[] = [];
      await using smtp = await startSmtp({
        disabledCommands: [],
        secure,
        onAuth(auth, _session, callback) {
          passwords.push(auth.password);
          callback(null, { user: auth.username });
        },
      });
      const url = withUser(smtp.url, password);
      const { code, permanent } = await failure(open(url).send(MAIL));
      expect({ code, permanent }).toEqual({ code: "ESOCKET", permanent: undefined });
      expect([smtp.asked, passwords]).toEqual([[], []]);

      await open(`${url}?tls.rejectUnauthorized=false`).send(MAIL);
      expect(smtp.received).toHaveLength(1);
    },
  );

  test.each([
    // On Linux this address reaches loopback, but its name does not show that.
    ["by default, unless the host is loopback", "0.0.0.0", ""],
    ["on loopback too with requireTLS=true", "localhost", "?requireTLS=true"],
  ])("a server without STARTTLS gets nothing %s, and the mail may wait", async (_, host, query) => {
    const commands: string[] = [];
    await using smtp = await startSmtp({
      authOptional: false,
      onAuth(auth, _session, callback) {
        commands.push(auth.username ?? "");
        callback(null, { user: auth.username });
      },
    });
    const url = withUser(smtp.url, password).replace("localhost", host) + query;
    const { code, permanent } = await failure(open(url).send(MAIL));
    expect({ code, permanent }).toEqual({ code: "ETLS", permanent: false });
    expect([commands, smtp.asked]).toEqual([[], []]);
  });

  test.each([
    ["loopback, by its name", "localhost", ""],
    ["loopback, by its address", "127.0.0.1", ""],
    ["any host with requireTLS=false", "0.0.0.0", "?requireTLS=false"],
  ])("a server without STARTTLS gets mails on %s", async (_, host, query) => {
    await using smtp = await startSmtp();
    await open(smtp.url.replace("localhost", host) + query).send(MAIL);
    expect(smtp.received).toMatchObject([{ secure: false }]);
  });
});

describe("failures", () => {
  test.each([
    [550, true],
    [554, true],
    [450, false],
    [421, false],
  ])("an answer %i is permanent: %j", async (responseCode, permanent) => {
    await using smtp = await startSmtp({ refusal: () => responseCode });
    const error = await failure(open(smtp.url).send(MAIL));
    expect(error).toMatchObject({ responseCode, permanent });
    expect(smtp.received).toEqual([]);
  });

  test("a server that never speaks is given up after a time", async () => {
    await using silent = await startSilent();
    const error = await failure(open(`${silent.url}?greetingTimeout=100`).send(MAIL));
    expect(error).toMatchObject({ code: "ETIMEDOUT" });
    expect(error.permanent).toBeUndefined();
  });

  test("a server that falls silent in the middle is given up after a time", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using smtp = await startSmtp({ hold: () => promise });
    const error = await failure(open(`${smtp.url}?socketTimeout=100`).send(MAIL));
    expect(error).toMatchObject({ code: "ETIMEDOUT" });
    resolve();
  });

  test("a connection that breaks off within the mail is no success, and no permanent failure", async () => {
    await using smtp = await startSmtp();
    await using cutting = await startCutting(smtp.port);
    const transport = open(cutting.url);
    const { permanent } = await failure(transport.send(MAIL));
    expect(permanent).toBeUndefined();
    expect(smtp.asked).toEqual(["ann@example.org"]);
    expect(smtp.received).toEqual([]);
    await transport.send(MAIL);
    expect(smtp.received).toHaveLength(1);
  });

  test("a server that is not there is no permanent failure", async () => {
    const gone = await startSilent();
    await gone[Symbol.asyncDispose]();
    const error = await failure(open(gone.url).send(MAIL));
    expect(error).toMatchObject({ code: "ESOCKET", originalCode: "ECONNREFUSED" });
    expect(error.permanent).toBeUndefined();
  });
});

test("log: prints the mail, with the one-time password on a line of its own", async () => {
  const script = `
    import { openTransport } from ${JSON.stringify(join(import.meta.dir, "../../src/mail/open.ts"))};
    await openTransport("log:", "").send(${JSON.stringify(MAIL)});
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect(stderr).toBe("");
  const lines = stdout.split("\n");
  expect(lines.map((line) => line.trim())).toContain(OTP);
  expect(lines).toContain("To: ann@example.org");
  expect(lines).toContain(`Subject: ${MAIL.subject}`);
});

describe("a check by SMTP", () => {
  test("logs in, and sends nothing", async () => {
    const users: unknown[] = [];
    await using smtp = await startSmtp({
      allowInsecureAuth: true,
      onAuth({ username, password }, _session, callback) {
        if (password !== "right") return callback(new Error("no"));
        users.push(username);
        callback(null, { user: username });
      },
    });
    await open(withUser(smtp.url, "right")).check();
    expect(users).toEqual(["us@er"]);
    expect(smtp.asked).toEqual([]);
    expect(await failure(open(withUser(smtp.url, "wrong")).check())).toMatchObject({
      code: "EAUTH",
      responseCode: 535,
      refusesService: true,
    });
  });

  test("fails when nobody listens, or says nothing", async () => {
    expect(await failure(open("smtp://127.0.0.1:1").check())).toMatchObject({
      originalCode: "ECONNREFUSED",
    });
    await using silent = await startSilent();
    expect(await failure(open(`${silent.url}?greetingTimeout=100`).check())).toMatchObject({
      code: "ETIMEDOUT",
    });
  });
});
