/** The two ways to get tokens: with a password or with a refresh token. `/users/log-in` and `/token` share them. */
import { logSecurityEvent } from "../auth/security-log.ts";
import { networkOf } from "../http/client-ip.ts";
import { exchangeOf } from "../http/exchange.ts";
import type { Tokens } from "../model/tokens.ts";
import type { Services } from "../services.ts";
import type { SessionQueries } from "./queries.ts";

/** Characters that are kept of a `User-Agent`. */
const USER_AGENT_LENGTH = 256;

export type Grants = ReturnType<typeof createGrants>;

export function createGrants(
  { hasher, tokens, issue, removal }: Services,
  queries: SessionQueries,
) {
  async function byPassword(
    request: Request,
    username: string,
    password: string,
  ): Promise<Tokens | undefined> {
    const exchange = exchangeOf(request);
    const network = networkOf(exchange.ip);
    const attempt = { name: username.toLowerCase(), exchange };
    const user = await queries.named(attempt);
    const isRight = await hasher.verify(user?.password_hash, password, { network });
    if (!user || !isRight) {
      await queries.fail(attempt, user);
      return undefined;
    }
    const renewedHash = hasher.isOutdated(user.password_hash)
      ? await hasher.hash(password, { network })
      : undefined;
    const user_agent = userAgentOf(request);
    const { session, isRemovable } = await queries.begin(user, exchange, user_agent, renewedHash);
    // Another process may have been stopped while it removed a user. So this process continues.
    if (isRemovable) removal.wake();
    // Another log-in may have renewed the hash meanwhile. Then the new hash decides.
    if (!session && renewedHash) return byPassword(request, username, password);
    return session && issue(session);
  }

  return {
    /** Begins a session; undefined when the name or the password is wrong. */
    byPassword,

    /** Refreshes a session; undefined when the token is invalid or no longer valid. */
    async byRefreshToken(request: Request, refresh_token: string) {
      const token = await tokens.verifyRefresh(refresh_token);
      if (!token) return undefined;
      const { session, endedOf } = await queries.refresh(token);
      if (endedOf !== undefined) {
        logSecurityEvent("refresh_token_reused", exchangeOf(request), endedOf);
      }
      return session && issue(session);
    },
  };
}

/** Without control characters, which could control the terminal of an operator who lists sessions (ECMA-48 §5.3). */
function userAgentOf({ headers }: Request): string | null {
  const sent = headers.get("user-agent") ?? "";
  return sent.replace(/\p{Cc}/gu, " ").slice(0, USER_AGENT_LENGTH) || null;
}
