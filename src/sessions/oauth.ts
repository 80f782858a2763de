/**
 * `/token`: the OAuth 2 token endpoint (RFC 6749 §4.3 and §6), for Swagger UI's Authorize and for clients that already
 * use it. OAuth 2.1 removes the password grant, so new clients use `/users/log-in`.
 */
import { Value } from "@sinclair/typebox/value";
import { Elysia, t } from "elysia";
import { readForm } from "../http/body.ts";
import { isFromForeignPage } from "../http/cors.ts";
import { exchangeOf } from "../http/exchange.ts";
import { failures, toFailure } from "../http/failures.ts";
import { isUnavailable } from "../http/front.ts";
import { catalogue, Failure, problem, problems } from "../http/problem.ts";
import { Tokens, tokenHeaders } from "../model/tokens.ts";
import { formBody } from "../model/values.ts";
import type { Services } from "../services.ts";
import type { Grants } from "./grants.ts";
import { OAuthError, SessionCreate, TokenRequest } from "./model.ts";

const FORM_EXPECTED =
  "The body must be application/x-www-form-urlencoded or multipart/form-data, each field given once.";
const CREDENTIALS_EXPECTED =
  "username and password are required, of at most 254 and 256 characters, none of them a control character.";
const GRANTS = "grant_type is password or refresh_token.";
const FOREIGN = "The page's origin must be in CORS_ORIGINS.";

/** An error that RFC 6749 §5.2 has a code for. */
class Refusal extends Error {
  readonly error: string;

  constructor(
    error: "invalid_request" | "invalid_grant" | "unsupported_grant_type",
    description: string,
  ) {
    super(description);
    this.error = error;
  }
}

export function oauthRoutes(
  services: Pick<Services, "config" | "drain" | "schema">,
  grants: Grants,
) {
  /** @throws Refusal, or a Failure for which OAuth has no code */
  async function grant(request: Request): Promise<Tokens> {
    if (isUnavailable(services)) throw new Failure("unavailable");
    if (isFromForeignPage(request, services.config.corsOrigins))
      throw new Refusal("invalid_request", FOREIGN);
    const form = await readForm(request);
    const type = form.get("grant_type") ?? "password";
    if (type === "password") {
      const credentials = { username: form.get("username"), password: form.get("password") };
      if (!Value.Check(SessionCreate, credentials)) {
        throw new Refusal("invalid_request", CREDENTIALS_EXPECTED);
      }
      const { username, password } = credentials;
      const granted = await grants.byPassword(request, username, password);
      if (!granted) throw new Refusal("invalid_grant", catalogue.invalid_credentials[1]);
      return granted;
    }
    if (type === "refresh_token") {
      const refresh_token = form.get("refresh_token");
      if (!refresh_token) throw new Refusal("invalid_request", "refresh_token is required.");
      const granted = await grants.byRefreshToken(request, refresh_token);
      if (!granted) throw new Refusal("invalid_grant", catalogue.invalid_refresh_token[1]);
      return granted;
    }
    throw new Refusal("unsupported_grant_type", GRANTS);
  }

  return new Elysia({ tags: ["Sessions"] }).use(failures).post(
    "/token",
    async ({ request }) => {
      try {
        return Response.json(await grant(request), { headers: tokenHeaders });
      } catch (error) {
        return oauthResponse(error, request);
      }
    },
    {
      // RFC 6749 §3.2: unknown parameters are ignored.
      query: t.Object({}, { additionalProperties: true }),
      response: {
        200: Tokens,
        ...problems(),
        400: OAuthError({
          invalid_request: CREDENTIALS_EXPECTED,
          invalid_grant: catalogue.invalid_credentials[1],
          unsupported_grant_type: GRANTS,
        }),
        413: OAuthError({ invalid_request: catalogue.body_too_large[1] }),
        415: OAuthError({ invalid_request: FORM_EXPECTED }),
        429: OAuthError({
          too_many_attempts: catalogue.too_many_attempts[1],
          rate_limited: catalogue.rate_limited[1],
        }),
        500: OAuthError({ server_error: catalogue.internal_error[1] }),
        503: OAuthError({ temporarily_unavailable: catalogue.unavailable[1] }),
      },
      detail: {
        summary: "Get tokens as an OAuth 2 client",
        description:
          "The password grant (the default) and the refresh token grant of RFC 6749, for Authorize on this page and " +
          "for existing clients. OAuth 2.1 drops the password grant; new clients log in by `/users/log-in`.",
        operationId: "requestToken",
        // Not declared as `body`, because then Elysia would read the body, as JSON.
        requestBody: formBody(TokenRequest),
      },
    },
  );
}

/** The error in OAuth's own format (RFC 6749 §5.2): status 400 for every error that OAuth has a code for. */
function oauthResponse(error: unknown, request: Request): Response {
  if (error instanceof Refusal) {
    return oauthError(400, error.error, error.message);
  }
  const failure = toFailure(error, request);
  const { body, headers } = problem(failure.code, exchangeOf(request).id, failure.particulars);
  switch (body.status) {
    case 400:
    case 415:
      return oauthError(body.status, "invalid_request", FORM_EXPECTED);
    case 413:
      return oauthError(body.status, "invalid_request", body.detail);
    case 429:
      return oauthError(body.status, failure.code, body.detail, headers);
    case 503:
      return oauthError(body.status, "temporarily_unavailable", body.detail, headers);
    default:
      return oauthError(500, "server_error", catalogue.internal_error[1]);
  }
}

function oauthError(
  status: number,
  error: string,
  error_description: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json(
    { error, error_description },
    { status, headers: { ...headers, ...tokenHeaders, "content-type": "application/json" } },
  );
}
