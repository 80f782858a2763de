/** `/token`: the OAuth 2 token endpoint, with the requests, answers and errors of RFC 6749. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { PASSWORD, type Service, startService } from "../service.ts";

type Fields = [name: string, value: string][];

/** An origin whose pages may call the service. */
const ALLOWED = "https://app.example";

let service: Service;
let username = "";

beforeAll(async () => {
  service = await startService({ CORS_ORIGINS: ALLOWED });
  ({ username } = await service.user("OAuth.User"));
});

afterAll(() => service.stop());

const urlencoded = (fields: Fields) => new URLSearchParams(fields);

function multipart(fields: Fields) {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  return form;
}

const post = (body: BodyInit, headers: Record<string, string> = {}) =>
  service.call("POST", "/token", { body, headers });

const isLive = async (token: string) =>
  (await service.call("GET", "/users/me", { token })).status === 200;

function expectNotStored({ headers }: Response) {
  expect(headers.get("content-type")).toStartWith("application/json");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("pragma")).toBe("no-cache");
}

/** Asserts that the answer has Tokens of a live session. */
async function expectTokens(response: Response) {
  expect(response.status).toBe(200);
  expectNotStored(response);
  const tokens = await response.json();
  expect(tokens).toEqual({
    access_token: expect.any(String),
    token_type: "bearer",
    expires_in: 1800,
    refresh_token: expect.any(String),
  });
  expect(await isLive(tokens.access_token)).toBe(true);
  return tokens;
}

/** Asserts that it is an error of RFC 6749 §5.2, with only allowed characters in the description. */
async function expectError(response: Response, error: string) {
  expect(response.status).toBe(400);
  expectNotStored(response);
  expect(response.headers.get("www-authenticate")).toBeNull();
  expect(await response.json()).toEqual({
    error,
    error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/),
  });
}

const credentials = (): Fields => [
  ["username", username],
  ["password", PASSWORD],
];

describe.each([
  ["urlencoded", urlencoded],
  ["multipart", multipart],
])("a form, %s,", (_type, form) => {
  test("with the password grant gets Tokens", async () => {
    await expectTokens(await post(form([["grant_type", "password"], ...credentials()])));
  });

  test("without a grant_type means the password grant", async () => {
    await expectTokens(await post(form(credentials())));
  });

  test("with an empty grant_type means the same: what has no value counts as left out", async () => {
    await expectTokens(await post(form([["grant_type", ""], ...credentials()])));
  });

  test("takes the user name in any case", async () => {
    const fields: Fields = [
      ["username", "oauth.USER"],
      ["password", PASSWORD],
    ];
    await expectTokens(await post(form(fields)));
  });

  test("is refused to foreign web pages, which count no failure against their visitor", async () => {
    const foreign = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    const wrong = urlencoded([
      ["username", username],
      ["password", "wrong horse"],
    ]);
    for (let i = 0; i < 6; i++) await expectError(await post(wrong, foreign), "invalid_request");
    await expectError(
      await post(urlencoded(credentials()), { ...foreign, "sec-fetch-site": "same-site" }),
      "invalid_request",
    );
    for (const headers of [
      {},
      { "sec-fetch-site": "same-origin", origin: service.url },
      { "sec-fetch-site": "none" },
      { "sec-fetch-site": "cross-site", origin: ALLOWED },
    ]) {
      await expectTokens(await post(urlencoded(credentials()), headers));
    }
  });

  test("with the refresh_token grant gets Tokens, and rotates as /users/refresh does", async () => {
    const { refresh_token } = await service.logIn(username);
    const fields = (token: string): Fields => [
      ["grant_type", "refresh_token"],
      ["refresh_token", token],
    ];
    const first = await expectTokens(await post(form(fields(refresh_token))));
    expect(first.refresh_token).not.toBe(refresh_token);
    const again = await expectTokens(await post(form(fields(refresh_token))));
    expect(again.refresh_token).toBe(first.refresh_token);
    const second = await expectTokens(await post(form(fields(first.refresh_token))));
    await expectError(await post(form(fields(refresh_token))), "invalid_grant");
    expect(await isLive(second.access_token)).toBe(false);
  });

  test("ignores parameters that it does not know, and the client's own credentials", async () => {
    const fields: Fields = [
      ["grant_type", "password"],
      ...credentials(),
      ["scope", ""],
      ["scope2", "read write"],
      ["client_id", "swagger"],
      ["client_secret", "anything"],
      ["__proto__", "x"],
    ];
    const headers = { authorization: `Basic ${btoa("swagger:anything")}` };
    await expectTokens(await post(form(fields), headers));
  });

  test("uses the password exactly as it was sent", async () => {
    const json = { username: `exact-${_type}`, password: "  a+b%20c&d=é🦊  " };
    await service.call("POST", "/users/sign-up", { json });
    await expectTokens(await post(form(Object.entries(json))));
    const trimmed = { ...json, password: json.password.trim() };
    await expectError(await post(form(Object.entries(trimmed))), "invalid_grant");
  });

  test.each<[what: string, fields: Fields, error: string]>([
    [
      "a wrong password",
      [
        ["username", "OAuth.User"],
        ["password", "wrong horse"],
      ],
      "invalid_grant",
    ],
    [
      "an unknown user",
      [
        ["username", "nobody"],
        ["password", PASSWORD],
      ],
      "invalid_grant",
    ],
    ["no user name", [["password", PASSWORD]], "invalid_request"],
    [
      "an empty user name",
      [
        ["username", ""],
        ["password", PASSWORD],
      ],
      "invalid_request",
    ],
    ["no password", [["username", "OAuth.User"]], "invalid_request"],
    [
      "an empty password",
      [
        ["username", "OAuth.User"],
        ["password", ""],
      ],
      "invalid_request",
    ],
    ["no fields", [["scope", "x"]], "invalid_request"],
    [
      "a password that is too long to be one",
      [
        ["username", "OAuth.User"],
        ["password", "x".repeat(257)],
      ],
      "invalid_request",
    ],
    [
      "a user name given twice",
      [
        ["username", "OAuth.User"],
        ["username", "OAuth.User"],
        ["password", PASSWORD],
      ],
      "invalid_request",
    ],
    [
      "a grant_type given twice",
      [
        ["grant_type", "password"],
        ["grant_type", "password"],
        ["username", "OAuth.User"],
        ["password", PASSWORD],
      ],
      "invalid_request",
    ],
    [
      "an unknown parameter given twice",
      [
        ["scope", "a"],
        ["scope", "b"],
        ["username", "OAuth.User"],
        ["password", PASSWORD],
      ],
      "invalid_request",
    ],
    ["a grant that there is not", [["grant_type", "client_credentials"]], "unsupported_grant_type"],
    [
      "a grant in another case",
      [
        ["grant_type", "Password"],
        ["username", "OAuth.User"],
        ["password", PASSWORD],
      ],
      "unsupported_grant_type",
    ],
    ["no refresh token for its grant", [["grant_type", "refresh_token"]], "invalid_request"],
    [
      "a refresh token that is none",
      [
        ["grant_type", "refresh_token"],
        ["refresh_token", "nonsense"],
      ],
      "invalid_grant",
    ],
  ])("with %s is refused as OAuth says", async (_what, fields, error) => {
    await expectError(await post(form(fields)), error);
  });
});

test("an access token is no refresh token", async () => {
  const { token } = await service.logIn(username);
  const fields: Fields = [
    ["grant_type", "refresh_token"],
    ["refresh_token", token],
  ];
  await expectError(await post(urlencoded(fields)), "invalid_grant");
});

test("an unknown user and a wrong password get the same answer, byte for byte", async () => {
  const headers = { "x-request-id": "the-same" };
  const whole = async (fields: Fields) => {
    const response = await post(urlencoded(fields), headers);
    const seen = Array.from(response.headers).filter(([name]) => name !== "date");
    return { status: response.status, headers: seen, body: await response.text() };
  };
  const wrong = await whole([
    ["username", username],
    ["password", "wrong horse battery"],
  ]);
  const unknown = await whole([
    ["username", "nobody"],
    ["password", PASSWORD],
  ]);
  expect(unknown).toEqual(wrong);
});

test.each([
  ["no body", undefined, {}],
  ["an empty form", "", { "content-type": "application/x-www-form-urlencoded" }],
  [
    "a percent sign that escapes nothing",
    "username=%zz&password=x",
    { "content-type": "application/x-www-form-urlencoded" },
  ],
  [
    "bytes that are not UTF-8",
    "username=%FF&password=x",
    { "content-type": "application/x-www-form-urlencoded" },
  ],
  ["multipart without a boundary", "x", { "content-type": "multipart/form-data" }],
  [
    "multipart that is cut short",
    '--b\r\ncontent-disposition: form-data; name="username"\r\n\r\nmi',
    { "content-type": "multipart/form-data; boundary=b" },
  ],
])("%s is an invalid_request", async (_what, body, headers) => {
  const response = await service.call("POST", "/token", {
    headers,
    ...(body !== undefined && { body }),
  });
  await expectError(response, "invalid_request");
});

test("a session begun here is listed with the others, and logs out like them", async () => {
  const { access_token: token } = await expectTokens(await post(urlencoded(credentials())));
  const { sessions } = await (await service.call("GET", "/users/me/sessions", { token })).json();
  expect(sessions).toContainEqual(expect.objectContaining({ current: true, ip: "127.0.0.1" }));
  expect((await service.call("POST", "/users/log-out", { token })).status).toBe(204);
  expect(await isLive(token)).toBe(false);
});
