/** The two ways to get tokens, a password and a refresh token: for `/users/log-in` and `/token` alike. */
import { networkOf } from "../http/client-ip.ts";
import { exchangeOf } from "../http/exchange.ts";
import type { Services } from "../services.ts";
import type { Tokens } from "./model.ts";
import type { SessionGrant, SessionQueries } from "./queries.ts";

/** What is kept of a `User-Agent`. */
const USER_AGENT_LENGTH = 256;

export type Grants = ReturnType<typeof createGrants>;

export function createGrants({ config, clock, hasher, tokens }: Services, queries: SessionQueries) {
  async function issue(session: SessionGrant): Promise<Tokens> {
    // In whole seconds, as JWTs count: so no access token outlives its session.
    const secondsLeft =
      Math.floor(Date.parse(session.expires_at) / 1000) - Math.floor(clock() / 1000);
    const expires_in = Math.min(config.accessTokenTtl, secondsLeft);
    return {
      access_token: await tokens.signAccess(session, expires_in),
      token_type: "bearer",
      expires_in,
      refresh_token: await tokens.signRefresh(
        { session_id: session.id, generation: session.generation },
        session.expires_at,
      ),
    };
  }

  async function byPassword(
    request: Request,
    username: string,
    password: string,
  ): Promise<Tokens | undefined> {
    const { ip } = exchangeOf(request);
    const network = networkOf(ip);
    const attempt = { account: username.toLowerCase(), ip };
    const user = await queries.named(attempt);
    const isRight = await hasher.verify(user?.password_hash, password, network);
    if (!user || !isRight) {
      await queries.fail(attempt);
      return undefined;
    }
    const renewedHash = hasher.isOutdated(user.password_hash)
      ? await hasher.hash(password, network)
      : undefined;
    const user_agent = request.headers.get("user-agent")?.slice(0, USER_AGENT_LENGTH) || null;
    const session = await queries.begin(user, attempt, { user_agent, ip }, renewedHash);
    // Another log-in may have renewed the hash meanwhile: then the one that stands now decides.
    if (!session && renewedHash) return byPassword(request, username, password);
    return session && issue(session);
  }

  return {
    /** Begins a session; undefined when the name or the password is wrong. */
    byPassword,

    /** Moves a session on; undefined when the token is not, or no longer, good for that. */
    async byRefreshToken(refresh_token: string) {
      const token = await tokens.verifyRefresh(refresh_token);
      const session = token && (await queries.refresh(token));
      return session && issue(session);
    },
  };
}

/** RFC 6749 §5.1: tokens are not to be stored on their way. */
export const tokenHeaders = { "cache-control": "no-store", pragma: "no-cache" };
