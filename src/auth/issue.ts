/** Makes the tokens of a session. */
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { sessions } from "../database/schema.ts";
import type { Tokens } from "../model/tokens.ts";
import type { TokenSigner } from "./tokens.ts";

/** The columns of a session that its tokens are made of. */
export const granted = {
  id: sessions.id,
  user_id: sessions.user_id,
  generation: sessions.generation,
  expires_at: sessions.expires_at,
};

export type SessionGrant = Pick<typeof sessions.$inferSelect, keyof typeof granted>;

export type Issue = ReturnType<typeof createIssue>;

export function createIssue(services: { config: Config; clock: Clock; tokens: TokenSigner }) {
  const { config, clock, tokens } = services;
  return async (session: SessionGrant): Promise<Tokens> => {
    // JWTs count in whole seconds. The value is rounded down, so that no access token outlives its session.
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
  };
}
