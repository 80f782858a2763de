/** The form that `/token` accepts: each fault gets the error of RFC 6749 §5.2, and changes nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { PASSWORD, type Service, startService } from "../service.ts";
import {
  CANARY,
  expectEveryAnswerHeaders,
  expectNoCanary,
  expectProblem,
  stored,
} from "./answers.ts";

const KIB_64 = 64 * 1024;
const FORM = "application/x-www-form-urlencoded";

let service: Service;
let before: string;

beforeAll(async () => {
  service = await startService();
  await service.user();
  before = await stored(service, ["sessions"]);
});
afterAll(() => service.stop());
// No session begins.
afterEach(async () => expect(await stored(service, ["sessions"])).toBe(before));

function post(body: string, headers: Record<string, string> = { "content-type": FORM }) {
  const bytes = Uint8Array.from(body, (char) => char.charCodeAt(0));
  return service.call("POST", "/token", { body: bytes, headers });
}

async function expectOAuthError(answer: Response, status: number, error: string): Promise<void> {
  const text = await answer.text();
  expect(`${answer.status} ${text}`).toStartWith(`${status} {`);
  expectNoCanary(answer, text);
  expectEveryAnswerHeaders(answer);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("pragma")).toBe("no-cache");
  expect(answer.headers.has("www-authenticate")).toBe(false);
  const { error_description, ...rest } = JSON.parse(text);
  expect(rest).toEqual({ error });
  expect(error_description).toMatch(/^[A-Za-z].*\.$/);
}

const part = (name: string, value: string, more = "") =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
const MULTIPART = { "content-type": "multipart/form-data; boundary=b" };

describe("invalid_request", () => {
  test.each([
    ["nothing", ""],
    ["a name alone", CANARY],
    ["separators alone", "&&=&"],
    ["JSON", `{"username":"${CANARY}","password":"${PASSWORD}"}`],
    ["a broken escape", `username=%${CANARY}&password=x`],
    ["an escape that is not UTF-8", `username=${CANARY}%ff&password=x`],
    ["a byte that is not UTF-8", `username=${CANARY}\xff&password=x`],
    ["a NUL", `username=${CANARY}%00&password=x`],
    ["a control character", `username=${CANARY}%0d%0a&password=x`],
    ["a name given twice", `username=${CANARY}&username=${CANARY}&password=x`],
    ["a name given twice, once escaped", `username=${CANARY}&%75sername=${CANARY}&password=x`],
    ["no user name", `password=${CANARY}`],
    ["no password", `username=${CANARY}`],
    ["no value", `username=${CANARY}&password=`],
    ["a user name of 255 characters", `username=${CANARY.padEnd(255, "x")}&password=x`],
    ["a password of 257 characters", `username=${CANARY}&password=${CANARY.padEnd(257, "x")}`],
    ["a byte-order mark", `\xef\xbb\xbfusername=${CANARY}&password=x`],
    ["no refresh token", `grant_type=refresh_token&username=${CANARY}&password=x`],
  ])("for %s", async (_name, body) => {
    await expectOAuthError(await post(body), 400, "invalid_request");
  });

  test.each([
    ["nothing", ""],
    ["no parts", "--b--\r\n"],
    ["another boundary", part("username", CANARY).replace("--b", "--c")],
    ["no end", part("username", CANARY) + part("password", "x")],
    [
      "a name given twice",
      `${part("username", CANARY).repeat(2)}${part("password", "x")}--b--\r\n`,
    ],
    [
      "a file",
      `${part("username", CANARY, '; filename="a.txt"')}${part("password", "x")}--b--\r\n`,
    ],
    ["a byte that is not UTF-8", `${part("username", "\xff")}${part("password", "x")}--b--\r\n`],
    ["no password", `${part("username", CANARY)}--b--\r\n`],
  ])("for multipart with %s", async (_name, body) => {
    await expectOAuthError(await post(body, MULTIPART), 400, "invalid_request");
  });

  test("for no body at all", async () => {
    await expectOAuthError(await service.call("POST", "/token"), 400, "invalid_request");
  });

  test.each(["application/json", "text/plain", "multipart/mixed", `application/${CANARY}`])(
    "with 415 for %s",
    async (type) => {
      const answer = await post(`username=${CANARY}&password=x`, { "content-type": type });
      await expectOAuthError(answer, 415, "invalid_request");
    },
  );

  test("with 415 for a content encoding, or no media type", async () => {
    const body = `username=${CANARY}&password=x`;
    const headers = { "content-type": FORM, "content-encoding": "gzip" };
    await expectOAuthError(await post(body, headers), 415, "invalid_request");
    await expectOAuthError(await post(body, {}), 415, "invalid_request");
  });

  test("with 413 for a byte more than 64 KiB, with a length or streamed", async () => {
    const body = `username=${CANARY}&password=`.padEnd(KIB_64, "x");
    await expectOAuthError(await post(body), 400, "invalid_request");
    await expectOAuthError(await post(`${body}x`), 413, "invalid_request");
    const streamed = new Response(`${body}x`).body ?? "";
    const chunks = new ReadableStream({
      async start(controller) {
        for await (const chunk of streamed) controller.enqueue(chunk);
        controller.close();
      },
    });
    const headers = { "content-type": FORM };
    const answer = await service.call("POST", "/token", { headers, body: chunks });
    await expectOAuthError(answer, 413, "invalid_request");
  });
});

const refused = [
  [`grant_type=${CANARY}`, "unsupported_grant_type"],
  [`&&username=${CANARY}&&password=x&`, "invalid_grant"],
  [`grant_type=authorization_code&code=${CANARY}`, "unsupported_grant_type"],
  [`grant_type=PASSWORD&username=${CANARY}&password=x`, "unsupported_grant_type"],
  [`username=${CANARY}&password=${CANARY}&${CANARY}=1&scope=${CANARY}`, "invalid_grant"],
  [`grant_type=refresh_token&refresh_token=${CANARY}`, "invalid_grant"],
  [`grant_type=refresh_token&refresh_token=${CANARY}%00`, "invalid_grant"],
  [`grant_type=refresh_token&refresh_token=${"x".repeat(60_000)}`, "invalid_grant"],
] as const;
test.each(
  refused.map(([body, error]) => [`${body.slice(0, 80)} is ${error}`, body, error] as const),
)("%s", async (_, body, error) => {
  await expectOAuthError(await post(body), 400, error);
});

test("another method is a problem as everywhere", async () => {
  const query = `?grant_type=password&username=${CANARY}&password=${PASSWORD}`;
  const answer = await service.call("GET", `/token${query}`);
  await expectProblem(answer, [405, "method_not_allowed"]);
});

test("credentials in the query count for nothing", async () => {
  const answer = await service.call("POST", `/token?username=user-1&password=${PASSWORD}`, {
    headers: { "content-type": FORM },
    body: "grant_type=password",
  });
  await expectOAuthError(answer, 400, "invalid_request");
});
