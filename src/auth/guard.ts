/** The `auth` macro: a route with `{ auth: true }` wants a bearer token and gets a typed `session`. */
import { Elysia } from "elysia";
import { exchangeOf } from "../http/exchange.ts";
import { Failure } from "../http/problem.ts";
import { invalidToken, type SessionRef } from "./live-session.ts";
import type { TokenSigner } from "./tokens.ts";

export function guard({ tokens }: { tokens: TokenSigner }) {
  const sessions = new WeakMap<Request, SessionRef>();
  return new Elysia({ name: "guard" }).macro({
    auth: {
      detail: { security: [{ password: [] }, { bearer: [] }] },
      // Before the values are looked at (401 before 422), which only `transform` is: `resolve` comes after.
      async transform({ request }) {
        const exchange = exchangeOf(request);
        exchange.needsBearer = true;
        const credentials = request.headers.get("authorization") ?? "";
        // RFC 6750 §3.1: those of another scheme count as none.
        if (!/^Bearer( |$)/i.test(credentials)) throw new Failure("unauthorized");
        const [, token] = /^Bearer +(\S+)$/i.exec(credentials) ?? [];
        const session = token && (await tokens.verifyAccess(token));
        if (!session) throw invalidToken();
        exchange.userId = session.user_id;
        sessions.set(request, session);
      },
      resolve({ request }) {
        const session = sessions.get(request);
        if (!session) throw new Failure("unauthorized");
        return { session };
      },
    },
  });
}
