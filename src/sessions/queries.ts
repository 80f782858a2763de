/** The statements behind log-in, refresh, log-out and the list of sessions. */
import { and, desc, eq, gt, inArray, isNull, lt, lte, ne, or, sql } from "drizzle-orm";
import { accountOf, accountOfUser } from "../auth/accounts.ts";
import { granted, type SessionGrant } from "../auth/issue.ts";
import { isLive, live, ownerOf, type SessionRef } from "../auth/live-session.ts";
import type { RefreshToken } from "../auth/tokens.ts";
import { batch } from "../database/batch.ts";
import { columnsOf, nested } from "../database/columns.ts";
import { findRemovable } from "../database/removal.ts";
import { sessions, users } from "../database/schema.ts";
import { networkOf } from "../http/client-ip.ts";
import type { Exchange } from "../http/exchange.ts";
import { toInstant } from "../instant.ts";
import { toBase64url } from "../seal.ts";
import type { Services } from "../services.ts";

/** Expired rows deleted per log-in. A log-in inserts one, so expired rows cannot accumulate. */
const SWEEP = 10;

/** Maximum number of live sessions of a user. The next log-in ends the one that was used least recently. */
const MOST_SESSIONS = 100;

/** A session as its user sees it. */
const visible = columnsOf(sessions, [
  "id",
  "created_at",
  "last_used_at",
  "expires_at",
  "user_agent",
  "ip",
]);

/** The hash that a password is verified against. */
type Named = Pick<typeof users.$inferSelect, "id" | "password_hash">;

/** An attempt to log in. */
export interface LogIn {
  /** The user name or the e-mail address from the request, in lower case. */
  name: string;
  exchange: Exchange;
}

export type SessionQueries = ReturnType<typeof sessionQueries>;

export function sessionQueries(services: Services) {
  const { database: db, clock, config, throttle, pseudonym } = services;

  const list = nested<[sessions: unknown[][]]>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: {
        user: {
          columns: {},
          with: {
            sessions: {
              columns: visible.included,
              where: gt(sessions.expires_at, sql`${sql.placeholder("now")}`),
              orderBy: (session) => [desc(session.created_at), desc(session.id)],
            },
          },
        },
      },
    }),
  );

  return {
    /**
     * The user that an attempt names, by user name or verified e-mail address; undefined if there is none.
     * @throws Failure `too_many_attempts`, `rate_limited`
     */
    async named({ name, exchange }: LogIn): Promise<Named | undefined> {
      const now = clock();
      const account = sql`coalesce(${accountOfUser(sql`${users.id}`)}, ${pseudonym(name, now)})`;
      const [found] = await db
        .select({
          id: users.id,
          password_hash: users.password_hash,
          ...throttle.refusals({ account, exchange }, now),
        })
        .from(sql`(SELECT 1)`)
        // A disabled user is refused in the same way as an unknown user.
        .leftJoin(
          users,
          and(or(eq(users.username_key, name), eq(users.email, name)), isNull(users.disabled_at)),
        );
      const { id = null, password_hash = null } = found ?? {};
      throttle.refuse(found, { account, user_id: id, exchange }, now);
      return id === null || password_hash === null ? undefined : { id, password_hash };
    },

    /**
     * Counts a failed attempt.
     * @param user the user that the attempt named, if there is one
     * @throws Failure `too_many_attempts`, `rate_limited` when other attempts have failed meanwhile
     */
    async fail({ name, exchange }: LogIn, user: Named | undefined): Promise<void> {
      const now = clock();
      const attempt = user
        ? { account: accountOf(user.id), user_id: user.id }
        : { account: pseudonym(name, now), user_id: null };
      await throttle.fail({ ...attempt, exchange }, now);
    },

    /**
     * Begins a session if the verified hash has not changed meanwhile; undefined if it has.
     * @param user_agent the request's `User-Agent`
     * @param renewedHash replaces the old hash
     * @returns the session, and whether rows of a deleted user have to be removed
     * @throws Failure `too_many_attempts`, `rate_limited`, like `fail`
     */
    async begin(
      user: Named,
      exchange: Exchange,
      user_agent: string | null,
      renewedHash?: string,
    ): Promise<{ session: SessionGrant | undefined; isRemovable: boolean }> {
      const now = clock();
      const id = toBase64url(crypto.getRandomValues(new Uint8Array(16)));
      const account = accountOf(user.id);
      const attempt = { account, user_id: user.id, exchange };
      const stillThatHash = and(
        eq(users.id, user.id),
        eq(users.password_hash, user.password_hash),
        isNull(users.disabled_at),
      );
      const isBegun = sql`EXISTS (SELECT 1 FROM ${sessions} WHERE id = ${id})`;
      const leastRecent = db
        .select({ id: sessions.id })
        .from(sessions)
        .where(
          and(
            eq(sessions.user_id, user.id),
            ne(sessions.id, id),
            gt(sessions.expires_at, toInstant(now)),
          ),
        )
        .orderBy(desc(sessions.last_used_at), desc(sessions.id))
        // SQLite allows OFFSET only after a LIMIT.
        .limit(Number.MAX_SAFE_INTEGER)
        .offset(MOST_SESSIONS - 1);
      const expired = db
        .select({ id: sessions.id })
        .from(sessions)
        .where(lte(sessions.expires_at, toInstant(now)))
        .limit(SWEEP);
      const { asked, begun, removable } = await batch(db, {
        asked: throttle.ask(attempt, now),
        begun: db
          .insert(sessions)
          .select(
            db
              .select({
                id: sql`${id}`.mapWith(sessions.id).as("id"),
                user_id: users.id,
                generation: sql`0`.mapWith(sessions.generation).as("generation"),
                created_at: sql`${now}`.mapWith(sessions.created_at).as("created_at"),
                last_used_at: sql`${now}`.mapWith(sessions.last_used_at).as("last_used_at"),
                expires_at: sql`${now + config.refreshTokenTtl * 1000}`
                  .mapWith(sessions.expires_at)
                  .as("expires_at"),
                user_agent: sql<string | null>`${user_agent}`.as("user_agent"),
                ip: sql<string | null>`${exchange.ip}`.as("ip"),
              })
              .from(users)
              .where(and(stillThatHash, throttle.isAdmitted(attempt, now))),
          )
          .returning(granted),
        surplus: db.delete(sessions).where(and(inArray(sessions.id, leastRecent), isBegun)),
        expired: db.delete(sessions).where(inArray(sessions.id, expired)),
        succeeded: throttle.succeed(account, networkOf(exchange.ip), now, isBegun),
        renewed: renewedHash
          ? [db.update(users).set({ password_hash: renewedHash }).where(stillThatHash)]
          : [],
        removable: findRemovable(db),
      });
      throttle.refuse(asked[0], attempt, now);
      return { session: begun[0], isRemovable: removable.length > 0 };
    },

    /**
     * Moves the session to the next generation. Within the leeway, the token before the current one gets the same
     * result as the first time. An older token ends the session (RFC 9700 §4.14.2).
     * @returns the session, unless the token was invalid; and the user whose session it has ended, if it has
     */
    async refresh({ session_id, generation }: RefreshToken) {
      const now = clock();
      const moment = toInstant(now);
      const next = generation + 1;
      const leewayBegan = toInstant(now - config.refreshLeeway * 1000);
      const itself = eq(sessions.id, session_id);
      const unexpired = gt(sessions.expires_at, moment);
      const { ended, session } = await batch(db, {
        moved: db
          .update(sessions)
          .set({ generation: next, last_used_at: moment })
          .where(and(itself, unexpired, eq(sessions.generation, generation))),
        ended: db
          .delete(sessions)
          .where(
            and(itself, or(ne(sessions.generation, next), lt(sessions.last_used_at, leewayBegan))),
          )
          .returning({ user_id: sessions.user_id }),
        session: db.select(granted).from(sessions).where(and(itself, unexpired)),
      });
      return { session: session[0], endedOf: ended[0]?.user_id };
    },

    /** @throws Failure `unauthorized`, like all functions below, when the session has ended */
    async logOut(session: SessionRef) {
      const ended = await db
        .delete(sessions)
        .where(isLive({ ...session, now: clock() }))
        .returning({ id: sessions.id });
      live(ended[0]);
    },

    async list(session: SessionRef) {
      const [rows] = live(await list({ ...session, now: clock() }));
      return rows.map((row) => {
        const each = visible.read(row);
        return { ...each, current: each.id === session.id };
      });
    },

    /** Ends one of the user's sessions. Returns whether it was live. */
    async end(session: SessionRef, id: string): Promise<boolean> {
      const now = clock();
      const owner = ownerOf(db, session, now);
      const { found, ended } = await batch(db, {
        found: owner,
        ended: db
          .delete(sessions)
          .where(
            and(
              eq(sessions.id, id),
              eq(sessions.user_id, owner),
              gt(sessions.expires_at, toInstant(now)),
            ),
          )
          .returning({ id: sessions.id }),
      });
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
