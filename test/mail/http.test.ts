/**
 * The mail services, with a server that checks each request against the documentation of the service, and answers as it
 * does.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { openMailService } from "../../src/mail/http.ts";
import { render } from "../../src/mail/templates.ts";
import type { Mail, SendError } from "../../src/mail/transport.ts";

const FROM = "할 일 <todos@example.org>";
const KEY = "re_AbC-123";
const MAIL: Mail = {
  to: "ann@example.org",
  ...render("verify_email", { otp: "012345", language: "ko", expires_in: 180 }),
};

interface Sent {
  path: string;
  headers: Headers;
  body: Record<string, unknown>;
}

const servers: Bun.Server<undefined>[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop(true))));

/** @param answer the service's answer to each valid request */
function startService(answer: (sent: Sent) => Response | Promise<Response>) {
  const received: Sent[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      if (request.headers.get("content-type") !== "application/json") {
        return new Response(null, { status: 415 });
      }
      const { pathname } = new URL(request.url);
      const sent = { path: pathname, headers: request.headers, body: await request.json() };
      received.push(sent);
      return answer(sent);
    },
  });
  servers.push(server);
  return { received, url: server.url.href };
}

const open = (service: string, endpoint: string) =>
  openMailService(`${service}://${KEY}?endpoint=${encodeURIComponent(endpoint)}`, FROM);

async function failure(sending: Promise<void>): Promise<SendError> {
  const error = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Error) return error;
  throw new Error(`expected an error, got ${error}`);
}

describe("Resend", () => {
  const take = ({ headers }: Sent) =>
    headers.get("authorization") === `Bearer ${KEY}`
      ? Response.json({ id: "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794" })
      : Response.json({ statusCode: 401, name: "restricted_api_key" }, { status: 401 });

  test("is given the mail with the key, for exactly one address", async () => {
    const { received, url } = startService(take);
    await open("resend", `${url}emails`).send(MAIL);
    expect(received.map(({ path, body }) => ({ path, body }))).toEqual([
      {
        path: "/emails",
        body: {
          from: FROM,
          to: ["ann@example.org"],
          subject: MAIL.subject,
          text: MAIL.text,
          html: MAIL.html,
          headers: { "Auto-Submitted": "auto-generated" },
        },
      },
    ]);
  });

  test.each([
    ["an address that is none", 422, "validation_error", true, false],
    ["a key that is wrong", 403, "invalid_api_key", false, true],
    ["a domain that is not verified", 403, "validation_error", false, true],
    ["too many requests", 429, "rate_limit_exceeded", false, false],
    ["a fault of its own", 500, "application_error", false, false],
  ])("refuses for %s", async (_reason, statusCode, name, permanent, refusesService) => {
    const { url } = startService(() =>
      Response.json({ statusCode, name, message: "ann@example.org" }, { status: statusCode }),
    );
    const error = await failure(open("resend", url).send(MAIL));
    expect(error).toMatchObject({
      code: "EMAILSERVICE",
      responseCode: statusCode,
      permanent,
      refusesService,
    });
    expect(error.message).not.toContain("ann");
  });
});

describe("Postmark", () => {
  const take = ({ headers }: Sent) =>
    headers.get("x-postmark-server-token") === KEY
      ? Response.json({ To: "ann@example.org", MessageID: "b7bc2f4a", ErrorCode: 0, Message: "OK" })
      : Response.json({ ErrorCode: 10, Message: "No token" }, { status: 401 });

  test("is given the mail with the key, for exactly one address", async () => {
    const { received, url } = startService(take);
    await open("postmark", `${url}email`).send(MAIL);
    expect(received.map(({ path, body }) => ({ path, body }))).toEqual([
      {
        path: "/email",
        body: {
          From: FROM,
          To: "ann@example.org",
          Subject: MAIL.subject,
          TextBody: MAIL.text,
          HtmlBody: MAIL.html,
          MessageStream: "outbound",
          TrackOpens: false,
          Headers: [{ Name: "Auto-Submitted", Value: "auto-generated" }],
        },
      },
    ]);
  });

  test.each([
    ["an address that is none", 422, 300, true, false],
    ["an address that bounced before", 422, 406, true, false],
    ["a sender that is not confirmed", 422, 400, false, false],
    ["a token that is wrong", 401, 10, false, true],
    ["a fault of its own", 500, 0, false, false],
  ])("refuses for %s", async (_reason, status, ErrorCode, permanent, refusesService) => {
    const { url } = startService(() =>
      Response.json({ ErrorCode, Message: "ann@example.org" }, { status }),
    );
    const error = await failure(open("postmark", url).send(MAIL));
    expect(error).toMatchObject({
      code: "EMAILSERVICE",
      responseCode: status,
      permanent,
      refusesService,
    });
    expect(error.message).not.toContain("ann");
  });
});

test("an answer that is no JSON is a refusal that may pass", async () => {
  const { url } = startService(() => new Response("<h1>Bad gateway</h1>", { status: 502 }));
  expect(await failure(open("resend", url).send(MAIL))).toMatchObject({
    responseCode: 502,
    permanent: false,
  });
});

test("the key follows no redirect", async () => {
  const other = startService(() => Response.json({}));
  const { url } = startService(() => Response.redirect(other.url, 307));
  expect(await failure(open("resend", url).send(MAIL))).toMatchObject({ responseCode: 307 });
  expect(other.received).toEqual([]);
});

test("a service that is out of reach is told apart from one that refuses", async () => {
  const { url } = startService(() => Response.json({}));
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
  expect(await failure(open("postmark", url).send(MAIL))).toMatchObject({ code: "ECONNECTION" });
});

describe("a check", () => {
  const check = (service: string, url: string) => open(service, url).check();

  test.each([
    ["resend", 422, { name: "missing_required_field" }],
    ["postmark", 422, { ErrorCode: 300 }],
  ])(
    "of %s passes when an empty mail is refused for what it lacks",
    async (service, status, answer) => {
      const { received, url } = startService(() => Response.json(answer, { status }));
      await check(service, url);
      // Nothing in this mail could be sent.
      expect(received.map(({ body }) => body)).toEqual([{}]);
    },
  );

  test.each([
    ["resend", 401],
    ["resend", 403],
    ["postmark", 401],
    ["postmark", 503],
  ])("of %s fails with %i", async (service, status) => {
    const { url } = startService(() => Response.json({}, { status }));
    expect(await failure(check(service, url))).toMatchObject({ responseCode: status });
  });

  test("of a service that is out of reach fails", async () => {
    const { url } = startService(() => Response.json({}));
    await Promise.all(servers.splice(0).map((server) => server.stop(true)));
    expect(await failure(check("resend", url))).toMatchObject({ code: "ECONNECTION" });
  });
});
