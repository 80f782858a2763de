/** The `auth` macro: a route with `{ auth: true }` wants a bearer token and gets a typed `session`. */
import { Elysia } from "elysia";
import { exchangeOf } from "../http/exchange.ts";
import { Failure, problems } from "../http/problem.ts";
import { invalidToken, type SessionRef } from "./live-session.ts";
import type { TokenSigner } from "./tokens.ts";

const { 401: unauthorized } = problems("unauthorized");

export function guard({ tokens }: { tokens: TokenSigner }) {
  return new Elysia({ name: "guard" }).macro({
    auth: {
      detail: { security: [{ password: [] }, { bearer: [] }] },
      response: { 401: unauthorized },
      introspect: (route: { response?: object }) => {
        // For the OpenAPI document, which does not see the `response` of a macro. Not a copy: an object whose names are
        // numbers takes 3 KB, and each start would make one for each route.
        route.response ??= {};
        const response: { 401?: object } = route.response;
        response[401] ??= unauthorized;
      },
      // 401 comes before 422. Only `transform` runs before the values are validated; `resolve` runs after.
      async transform({ request, set }) {
        // Caches must not keep an answer that is for one user alone.
        set.headers["cache-control"] = "no-store";
        const session = await authenticate(request.headers.get("authorization") ?? "", tokens);
        exchangeOf(request).session = session;
      },
      resolve({ request }) {
        const { session } = exchangeOf(request);
        if (!session) throw new Failure("unauthorized");
        return { session };
      },
    },
  });
}

const tokenIn = (authorization: string) => /^Bearer +(\S+)$/i.exec(authorization)?.[1];

/** The access token of a request that `auth` has accepted. */
export const tokenOf = ({ headers }: Request): string =>
  tokenIn(headers.get("authorization") ?? "") ?? "";

/**
 * The session that a request's `Authorization` names.
 * @throws Failure `unauthorized`
 */
async function authenticate(authorization: string, tokens: TokenSigner): Promise<SessionRef> {
  // RFC 6750 §3.1: credentials of another scheme count as missing.
  if (!/^Bearer( |$)/i.test(authorization)) throw new Failure("unauthorized");
  const token = tokenIn(authorization);
  const session = token && (await tokens.verifyAccess(token));
  if (!session) throw invalidToken();
  return session;
}
