/** The statements behind `/users`. */
import { and, eq, ne, sql } from "drizzle-orm";
import { accountOf } from "../auth/accounts.ts";
import type { PasswordRecord } from "../auth/confirmation.ts";
import { granted, type SessionGrant } from "../auth/issue.ts";
import { isLive, live, ownerOf, type SessionRef } from "../auth/live-session.ts";
import { batch } from "../database/batch.ts";
import { columnsOf, nested } from "../database/columns.ts";
import { deletedUser, findRemovable, removalOf } from "../database/removal.ts";
import { sessions, users } from "../database/schema.ts";
import { networkOf } from "../http/client-ip.ts";
import type { Exchange } from "../http/exchange.ts";
import { toInstant } from "../instant.ts";
import type { Language } from "../mail/language.ts";
import type { Services } from "../services.ts";

/** A person who signs up. */
export interface Newcomer {
  username: string;
  password_hash: string;
  /** In lower case. A one-time password to verify it is sent there, unless too many were sent there today. */
  email: string | undefined;
  language: Language;
}

/** The user's own view of the account. */
const user = columnsOf(users, ["id", "username", "email", "created_at"]);

export function userQueries(services: Services) {
  const { database: db, clock, ttl, budgets, throttle, knownNetworks } = services;
  const { confirmation, enqueue, pseudonym, reset, verification } = services;

  const me = nested<unknown[]>(
    db.query.sessions.findFirst({
      where: isLive(),
      columns: {},
      with: { user: { columns: user.included } },
    }),
  );

  return {
    /**
     * The new user; undefined when the name is taken, in upper or lower case.
     * @throws Failure `rate_limited`
     */
    async create({ username, password_hash, email, language }: Newcomer, exchange: Exchange) {
      const now = clock();
      const network = networkOf(exchange.ip);
      const username_key = username.toLowerCase();
      // A hash has a random salt. So a row with this hash is the row that was inserted here.
      const id = sql`(
        SELECT id FROM ${users}
        WHERE username_key = ${username_key} AND password_hash = ${password_hash}
      )`;
      const isCreated = sql`${id} IS NOT NULL`;
      const { asked, created } = await batch(db, {
        asked: budgets.ask("sign_ups", network, now),
        created: db.all<{ id: number; username: string }>(sql`
          INSERT INTO ${users} (username, username_key, password_hash, created_at)
          SELECT ${username}, ${username_key}, ${password_hash}, ${now}
          WHERE ${budgets.isLeft("sign_ups", network, now)}
          ON CONFLICT (username_key) DO NOTHING
          RETURNING id, username`),
        spent: budgets.spend("sign_ups", network, now, isCreated),
        // Failures from before the sign-up do not count for the new user.
        forgotten: throttle.clearAll(pseudonym(username_key, now), isCreated),
        sending: email
          ? verification.sendingToNew(id, { email, language, exchange }, now)
          : [ttl.sweep(now)],
      });
      budgets.refuseSpent("sign_ups", asked[0]?.spent_until, exchange);
      const [user] = created;
      // A row from a server also has its columns by number.
      return user && { id: user.id, username: user.username };
    },

    /** @throws Failure `unauthorized`, like all functions below, when the session has ended */
    async me(session: SessionRef) {
      return user.read(live(await me({ ...session, now: clock() })));
    },

    /**
     * If the old hash is still stored, sets the new hash, ends every other session and every code for a reset, and sends
     * a mail to the verified address. Undefined if it is not. The session skips a generation, so its refresh token is too old for the leeway.
     * @throws Failure `too_many_attempts`
     */
    async changePassword(
      session: SessionRef,
      { password_hash, email }: PasswordRecord,
      newHash: string,
      language: Language,
      exchange: Exchange,
    ): Promise<SessionGrant | undefined> {
      const now = clock();
      const { user_id } = session;
      const owner = ownerOf(db, session, now);
      // A hash has a random salt. So if this hash is stored, the update has happened.
      const isChanged = sql`EXISTS (
        SELECT 1 FROM ${users} WHERE id = ${user_id} AND password_hash = ${newHash}
      )`;
      const itself = and(eq(sessions.id, session.id), isChanged);
      const others = and(eq(sessions.user_id, user_id), ne(sessions.id, session.id), isChanged);
      const notice = {
        user_id,
        to: sql`${users.email}`,
        when: isChanged,
        request_id: exchange.id,
      };
      const { found, asked, grant } = await batch(db, {
        found: owner,
        asked: confirmation.ask(session, now),
        changed: db
          .update(users)
          .set({ password_hash: newHash })
          .where(
            and(
              eq(users.id, owner),
              eq(users.password_hash, password_hash),
              confirmation.isAdmitted(session, now),
            ),
          ),
        grant: db
          .update(sessions)
          .set({
            generation: sql`${sessions.generation} + 2`,
            last_used_at: toInstant(now),
          })
          .where(itself)
          .returning(granted),
        ended: db.delete(sessions).where(others),
        failures: confirmation.clear(session, isChanged),
        ofAccount: throttle.clearAccount(accountOf(user_id), isChanged),
        // Somebody who already has a code must not be able to reset the new password with it, or to change the address.
        codes: reset.endCodes(user_id, email, now, isChanged),
        notice: enqueue.notice("password_changed", notice, language, now),
      });
      live(found[0]);
      confirmation.refuse(asked[0], session, exchange, now);
      return grant[0];
    },

    /**
     * Deletes the user if the hash is still stored. Returns whether it was, and whether rows are left to remove after
     * the first slice. Nothing of the user can be reached any more: the name and the address are free, and no session
     * is live.
     * @throws Failure `too_many_attempts`
     */
    async remove(
      session: SessionRef,
      { password_hash, email }: PasswordRecord,
      exchange: Exchange,
    ): Promise<{ isRemoved: boolean; isLeft: boolean }> {
      const now = clock();
      const { user_id } = session;
      const account = accountOf(user_id);
      const owner = ownerOf(db, session, now);
      const isDeleted = sql`EXISTS (
        SELECT 1 FROM ${users} WHERE id = ${user_id} AND deleted_at IS NOT NULL
      )`;
      const { found, asked, removed, left } = await batch(db, {
        found: owner,
        asked: confirmation.ask(session, now),
        removed: db
          .update(users)
          .set(deletedUser(toInstant(now)))
          .where(
            and(
              eq(users.id, owner),
              eq(users.password_hash, password_hash),
              confirmation.isAdmitted(session, now),
            ),
          )
          .returning({ id: users.id }),
        sessions: db.delete(sessions).where(and(eq(sessions.user_id, user_id), isDeleted)),
        failures: [
          confirmation.clear(session, isDeleted),
          ...throttle.clearAll(account, isDeleted),
        ],
        networks: knownNetworks.clear(account, isDeleted),
        codes: reset.endCodes(user_id, email, now, isDeleted),
        // The user's row is deleted too, unless more rows are left.
        slice: removalOf(db, sql`${user_id}`),
        left: findRemovable(db),
      });
      live(found[0]);
      confirmation.refuse(asked[0], session, exchange, now);
      return { isRemoved: removed.length > 0, isLeft: left.length > 0 };
    },
  };
}
