/** What an operator can do with users, on any database, also while the service runs. */
import { and, asc, desc, eq, gt, isNull, or, sql } from "drizzle-orm";
import { accountOf } from "../auth/accounts.ts";
import { createKnownNetworks } from "../auth/known-networks.ts";
import { createWaits } from "../auth/waits.ts";
import { batch } from "../database/batch.ts";
import type { Database } from "../database/drizzle.ts";
import { deletedUser, removeSlice } from "../database/removal.ts";
import { outbox, sessions, users } from "../database/schema.ts";
import { ttlTable } from "../database/ttl.ts";
import { toInstant } from "../instant.ts";
import { toId } from "../model/values.ts";

/** The row of a deleted user waits to be removed. It counts as no user. */
const isThere = isNull(users.deleted_at);

/** @param clock milliseconds since the epoch */
export function adminQueries(db: Database, clock: () => number) {
  const now = () => toInstant(clock());
  const ttl = ttlTable(db);
  const isLive = (user_id: number) =>
    and(eq(sessions.user_id, user_id), gt(sessions.expires_at, now()));

  return {
    /** @param who `id=` and an id, a user name or an e-mail address, in any case */
    async find(who: string) {
      const name = who.toLowerCase();
      const [, id] = /^id=(\d+)$/.exec(who) ?? [];
      const isNamed =
        id === undefined
          ? or(eq(users.username_key, name), eq(users.email, name))
          : eq(users.id, toId(id));
      const [user] = await db
        .select({
          id: users.id,
          username: users.username,
          email: users.email,
          created_at: users.created_at,
          disabled_at: users.disabled_at,
          todos: users.todo_count,
          text_mib: sql<number>`round(${users.text_size} / 1048576.0, 1)`,
          lists: users.list_count,
        })
        .from(users)
        .where(and(isThere, isNamed));
      return user;
    },

    /** The live sessions, newest first. */
    sessions: (user_id: number) =>
      db
        .select({
          id: sessions.id,
          created_at: sessions.created_at,
          last_used_at: sessions.last_used_at,
          ip: sessions.ip,
          user_agent: sessions.user_agent,
        })
        .from(sessions)
        .where(isLive(user_id))
        .orderBy(desc(sessions.created_at), desc(sessions.id)),

    /** Ends every session. Returns how many were live. */
    async endSessions(user_id: number): Promise<number> {
      const { live } = await batch(db, {
        live: db.select({ id: sessions.id }).from(sessions).where(isLive(user_id)),
        ended: db.delete(sessions).where(eq(sessions.user_id, user_id)),
      });
      return live.length;
    },

    /** Refuses log-ins from now on, and ends every session. */
    async disable(user_id: number): Promise<void> {
      await batch(db, {
        disabled: db
          .update(users)
          .set({ disabled_at: now() })
          .where(and(eq(users.id, user_id), isNull(users.disabled_at))),
        ended: db.delete(sessions).where(eq(sessions.user_id, user_id)),
      });
    },

    async enable(user_id: number): Promise<void> {
      await db.update(users).set({ disabled_at: null }).where(eq(users.id, user_id));
    },

    /** Deletes the user with all data of the user. The name and the address can be used again at once. */
    async delete(user_id: number): Promise<void> {
      const account = accountOf(user_id);
      const always = sql`true`;
      await batch(db, {
        deleted: db.update(users).set(deletedUser(now())).where(eq(users.id, user_id)),
        ended: db.delete(sessions).where(eq(sessions.user_id, user_id)),
        // These rows contain addresses that the user logged in from. They would stay for up to three months.
        networks: createKnownNetworks(ttl).clear(account, always),
        failures: createWaits(ttl, "password_failures").clearUnder(account, always),
        ofAccount: ttl.delete("account_failures", account),
      });
      while (await removeSlice(db));
    },

    /** The waiting mails. The one that is sent next comes first. */
    outbox: () =>
      db
        .select({
          id: outbox.id,
          user_id: outbox.user_id,
          request_id: outbox.request_id,
          template: outbox.template,
          attempts: outbox.attempts,
          next_attempt_at: outbox.next_attempt_at,
          expires_at: outbox.expires_at,
        })
        .from(outbox)
        .orderBy(asc(outbox.next_attempt_at)),
  };
}
