/** The statements behind `/users`. */
import { and, eq, exists, ne, sql } from "drizzle-orm";
import { isLive, live, ownerOf, type Session } from "../auth/sessions.ts";
import type { Database } from "../database/open.ts";
import { sessions, users } from "../database/schema.ts";
import type { Clock } from "../services.ts";

export type UserQueries = ReturnType<typeof userQueries>;

export function userQueries(db: Database, clock: Clock) {
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

  const credentials = db.query.sessions
    .findFirst({
      where: isLive(),
      columns: {},
      with: { user: { columns: { username: true, password_hash: true } } },
    })
    .prepare();

  return {
    /** The new user; undefined when the name is taken, whatever its case. */
    create: (username: string, password_hash: string) =>
      create.get({ username, username_key: username.toLowerCase(), password_hash, now: clock() }),

    /** @throws Failure `unauthorized`, as all of the following do when the session has ended */
    async me(session: Session) {
      return live(await me.get({ ...session, now: clock() })).user;
    },

    async credentials(session: Session) {
      return live(await credentials.get({ ...session, now: clock() })).user;
    },

    /** Sets the new hash and ends every other session, if the old hash still stands: whether it did. */
    async changePassword(session: Session, oldHash: string, newHash: string): Promise<boolean> {
      const owner = ownerOf(db, session, clock());
      const [found, changed] = await db.batch([
        owner,
        db
          .update(users)
          .set({ password_hash: newHash })
          .where(and(eq(users.id, owner), eq(users.password_hash, oldHash)))
          .returning({ id: users.id }),
        // A hash has a random salt: that it stands now says that the update above happened.
        db.delete(sessions).where(
          and(
            eq(sessions.user_id, session.user_id),
            ne(sessions.id, session.id),
            exists(
              db
                .select({ id: users.id })
                .from(users)
                .where(and(eq(users.id, session.user_id), eq(users.password_hash, newHash))),
            ),
          ),
        ),
      ]);
      live(found[0]);
      return changed.length > 0;
    },

    /** Deletes the user and, by cascade, all that is theirs, if the hash still stands: whether it did. */
    async remove(session: Session, passwordHash: string): Promise<boolean> {
      const owner = ownerOf(db, session, clock());
      const [found, removed] = await db.batch([
        owner,
        db
          .delete(users)
          .where(and(eq(users.id, owner), eq(users.password_hash, passwordHash)))
          .returning({ id: users.id }),
      ]);
      live(found[0]);
      return removed.length > 0;
    },
  };
}
