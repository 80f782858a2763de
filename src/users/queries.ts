/** The statements behind `/users`. */
import { and, eq, ne, sql } from "drizzle-orm";
import { isLive, live, ownerOf, type SessionRef } from "../auth/live-session.ts";
import type { Attempt } from "../auth/throttle.ts";
import { sessions, users } from "../database/schema.ts";
import type { Language } from "../mail/language.ts";
import type { Services } from "../services.ts";

/** What a password is verified against, and under which names it is counted. */
export type PasswordRecord = Pick<
  typeof users.$inferSelect,
  "username" | "username_key" | "email" | "password_hash"
>;

export function userQueries({ database: db, clock, otp, throttle }: Services) {
  const create = db
    .insert(users)
    .values({
      username: sql.placeholder("username"),
      username_key: sql.placeholder("username_key"),
      password_hash: sql.placeholder("password_hash"),
      created_at: sql`${sql.placeholder("now")}`,
    })
    .onConflictDoNothing({ target: users.username_key })
    .returning({ id: users.id, username: users.username })
    .prepare();

  const me = db.query.sessions
    .findFirst({
      where: isLive(),
      columns: {},
      with: { user: { columns: { id: true, username: true, email: true, created_at: true } } },
    })
    .prepare();

  return {
    /** The new user; undefined when the name is taken, whatever its case. */
    create: (username: string, password_hash: string) =>
      create.get({ username, username_key: username.toLowerCase(), password_hash, now: clock() }),

    /** The same, and a one-time password to verify the address, unless too many went there today. */
    async createWithEmail(
      username: string,
      password_hash: string,
      email: string,
      language: Language,
    ) {
      const now = clock();
      const username_key = username.toLowerCase();
      // A hash has a random salt: with it, the row is the one inserted here.
      const id = sql`(
        SELECT id FROM ${users}
        WHERE username_key = ${username_key} AND password_hash = ${password_hash}
      )`;
      const sending = { owner: id, recipient: id, email, language, when: sql`${id} IS NOT NULL` };
      const [[user]] = await db.batch([
        db
          .insert(users)
          .values({
            username,
            username_key,
            password_hash,
            created_at: new Date(now).toISOString(),
          })
          .onConflictDoNothing({ target: users.username_key })
          .returning({ id: users.id, username: users.username }),
        ...(await otp.send({ purpose: "verify_email", ...sending }, now)),
      ]);
      return user;
    },

    /** @throws Failure `unauthorized`, as all of the following do when the session has ended */
    async me(session: SessionRef) {
      return live(await me.get({ ...session, now: clock() })).user;
    },

    /**
     * What a password that confirms something is verified against.
     * @throws Failure `too_many_attempts`, as `fail` does and the two that follow it
     */
    async passwordRecord(session: SessionRef, ip: string | null) {
      const now = clock();
      const account = sql`${users.username_key}`;
      const [found] = await db
        .select({
          username: users.username,
          username_key: users.username_key,
          email: users.email,
          password_hash: users.password_hash,
          retry_at: throttle.retryAt({ account, ip }, now),
        })
        .from(sessions)
        .innerJoin(users, eq(users.id, sessions.user_id))
        .where(isLive({ ...session, now }));
      const credentials = live(found);
      throttle.refuse([credentials], now);
      return credentials;
    },

    /** Counts a password that was wrong. */
    fail: (attempt: Attempt) => throttle.fail(attempt, clock()),

    /** Sets the new hash and ends every other session, if the old hash still stands: whether it did. */
    async changePassword(
      session: SessionRef,
      { password_hash, username_key }: PasswordRecord,
      newHash: string,
      ip: string | null,
    ): Promise<boolean> {
      const now = clock();
      const owner = ownerOf(db, session, now);
      const attempt = { account: username_key, ip };
      // A hash has a random salt: that it stands says that the update has happened.
      const isChanged = sql`EXISTS (
        SELECT 1 FROM ${users} WHERE id = ${session.user_id} AND password_hash = ${newHash}
      )`;
      const [found, asked, changed] = await db.batch([
        owner,
        throttle.ask(attempt, now),
        db
          .update(users)
          .set({ password_hash: newHash })
          .where(
            and(
              eq(users.id, owner),
              eq(users.password_hash, password_hash),
              throttle.isAdmitted(attempt, now),
            ),
          )
          .returning({ id: users.id }),
        db
          .delete(sessions)
          .where(
            and(eq(sessions.user_id, session.user_id), ne(sessions.id, session.id), isChanged),
          ),
        ...throttle.clear(attempt, isChanged),
      ]);
      live(found[0]);
      throttle.refuse(asked, now);
      return changed.length > 0;
    },

    /** Deletes the user and all that is theirs, if the hash still stands: whether it did. */
    async remove(
      session: SessionRef,
      { password_hash, username_key, email }: PasswordRecord,
      ip: string | null,
    ): Promise<boolean> {
      const now = clock();
      const owner = ownerOf(db, session, now);
      const attempt = { account: username_key, ip };
      const isGone = sql`NOT EXISTS (SELECT 1 FROM ${users} WHERE id = ${session.user_id})`;
      const [found, asked, removed] = await db.batch([
        owner,
        throttle.ask(attempt, now),
        // Sessions, todos and unsent mails go with their user, by cascade.
        db
          .delete(users)
          .where(
            and(
              eq(users.id, owner),
              eq(users.password_hash, password_hash),
              throttle.isAdmitted(attempt, now),
            ),
          )
          .returning({ id: users.id }),
        ...otp.forget(session.user_id, email, now, isGone),
        ...throttle.clearAll(username_key, isGone),
        ...throttle.clearAll(email ?? "", isGone),
      ]);
      live(found[0]);
      throttle.refuse(asked, now);
      return removed.length > 0;
    },
  };
}
