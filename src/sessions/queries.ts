/** The statements behind log-in, refresh, log-out and the list of sessions. */
import { and, desc, eq, gt, inArray, lt, lte, ne, or, sql } from "drizzle-orm";
import { isLive, live, ownerOf, type SessionRef } from "../auth/live-session.ts";
import type { Attempt } from "../auth/throttle.ts";
import type { RefreshToken } from "../auth/tokens.ts";
import { sessions, users } from "../database/schema.ts";
import { toBase64url } from "../seal.ts";
import type { Services } from "../services.ts";

/** Expired rows that a log-in sweeps away: more than the one it adds, so they can't pile up. */
const SWEEP = 10;

/** What a token is made of. */
const grant = {
  id: sessions.id,
  user_id: sessions.user_id,
  generation: sessions.generation,
  expires_at: sessions.expires_at,
};

export type SessionGrant = Pick<typeof sessions.$inferSelect, keyof typeof grant>;

/** What a password is verified against. */
type Named = Pick<typeof users.$inferSelect, "id" | "password_hash">;

/** An attempt to log in: the user name or the e-mail address as it is named, in lower case. */
export type LogIn = Attempt & { account: string };

export interface Device {
  user_agent: string | null;
  ip: string | null;
}

export type SessionQueries = ReturnType<typeof sessionQueries>;

export function sessionQueries({ database: db, clock, config, throttle }: Services) {
  const list = db.query.sessions
    .findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: {
            sessions: {
              columns: { user_id: false, generation: false },
              where: gt(sessions.expires_at, sql`${sql.placeholder("now")}`),
              orderBy: (session) => [desc(session.created_at), desc(session.id)],
            },
          },
        },
      },
    })
    .prepare();

  return {
    /**
     * The user whom an attempt names, by user name or verified e-mail address; undefined if there is none.
     * @throws Failure `too_many_attempts`
     */
    async named(attempt: LogIn): Promise<Named | undefined> {
      const now = clock();
      const { account } = attempt;
      const [found] = await db.all<{ retry_at: number } & (Named | { id: null })>(sql`
        SELECT ${throttle.retryAt(attempt, now)} AS retry_at, ${users.id}, ${users.password_hash}
        FROM (SELECT 1)
        LEFT JOIN ${users} ON ${users.username_key} = ${account} OR ${users.email} = ${account}`);
      if (!found) return undefined;
      throttle.refuse([found], now);
      return found.id === null ? undefined : found;
    },

    /** @throws Failure `too_many_attempts` */
    fail: (attempt: LogIn) => throttle.fail(attempt, clock()),

    /**
     * Begins a session, if the hash that the password was verified against still stands; undefined if not.
     * @param renewedHash takes the old one's place
     * @throws Failure `too_many_attempts`, like `fail`
     */
    async begin(user: Named, attempt: LogIn, device: Device, renewedHash?: string) {
      const now = clock();
      const id = toBase64url(crypto.getRandomValues(new Uint8Array(16)));
      const stillThatHash = and(eq(users.id, user.id), eq(users.password_hash, user.password_hash));
      const [asked, [session]] = await db.batch([
        throttle.ask(attempt, now),
        db
          .insert(sessions)
          .select(
            db
              .select({
                id: sql<string>`${id}`.as("id"),
                user_id: users.id,
                generation: sql<number>`0`.as("generation"),
                created_at: sql<string>`${now}`.as("created_at"),
                last_used_at: sql<string>`${now}`.as("last_used_at"),
                expires_at: sql<string>`${now + config.refreshTokenTtl * 1000}`.as("expires_at"),
                user_agent: sql<string | null>`${device.user_agent}`.as("user_agent"),
                ip: sql<string | null>`${device.ip}`.as("ip"),
              })
              .from(users)
              .where(and(stillThatHash, throttle.isAdmitted(attempt, now))),
          )
          .returning(grant),
        db.delete(sessions).where(
          inArray(
            sessions.id,
            db
              .select({ id: sessions.id })
              .from(sessions)
              .where(lte(sessions.expires_at, new Date(now).toISOString()))
              .limit(SWEEP),
          ),
        ),
        ...throttle.clear(attempt, sql`EXISTS (SELECT 1 FROM ${sessions} WHERE id = ${id})`),
        ...(renewedHash
          ? [db.update(users).set({ password_hash: renewedHash }).where(stillThatHash)]
          : []),
      ]);
      throttle.refuse(asked, now);
      return session;
    },

    /**
     * Moves the session on by a generation. The token before the current one gets, within the leeway, what it
     * got the first time; anything older ends the session (RFC 9700 §4.14.2). Undefined unless it was good.
     */
    async refresh({ session_id, generation }: RefreshToken) {
      const now = clock();
      const moment = new Date(now).toISOString();
      const next = generation + 1;
      const leewayBegan = new Date(now - config.refreshLeeway * 1000).toISOString();
      const itself = eq(sessions.id, session_id);
      const unexpired = gt(sessions.expires_at, moment);
      const [, , [session]] = await db.batch([
        db
          .update(sessions)
          .set({ generation: next, last_used_at: moment })
          .where(and(itself, unexpired, eq(sessions.generation, generation))),
        db
          .delete(sessions)
          .where(
            and(itself, or(ne(sessions.generation, next), lt(sessions.last_used_at, leewayBegan))),
          ),
        db.select(grant).from(sessions).where(and(itself, unexpired)),
      ]);
      return session;
    },

    /** @throws Failure `unauthorized`, as all of the following do when the session has ended */
    async logOut(session: SessionRef) {
      const ended = await db
        .delete(sessions)
        .where(isLive({ ...session, now: clock() }))
        .returning({ id: sessions.id });
      live(ended[0]);
    },

    async list(session: SessionRef) {
      const found = await list.get({ ...session, now: clock() });
      return live(found).user.sessions.map((each) => ({
        ...each,
        current: each.id === session.id,
      }));
    },

    /** Ends one of the user's sessions: whether it was live. */
    async end(session: SessionRef, id: string): Promise<boolean> {
      const now = clock();
      const owner = ownerOf(db, session, now);
      const [found, ended] = await db.batch([
        owner,
        db
          .delete(sessions)
          .where(
            and(
              eq(sessions.id, id),
              eq(sessions.user_id, owner),
              gt(sessions.expires_at, new Date(now).toISOString()),
            ),
          )
          .returning({ id: sessions.id }),
      ]);
      live(found[0]);
      return ended.length > 0;
    },

    async endAll(session: SessionRef) {
      const ended = await db
        .delete(sessions)
        .where(eq(sessions.user_id, ownerOf(db, session, clock())))
        .returning({ id: sessions.id });
      live(ended[0]);
    },
  };
}
