/** The statements behind the routes for one-time passwords. */
import { and, eq, sql } from "drizzle-orm";
import { live, ownerOf, type SessionRef } from "../auth/live-session.ts";
import { sessions, users } from "../database/schema.ts";
import { ttlTable } from "../database/ttl.ts";
import type { Language } from "../mail/language.ts";
import type { Services } from "../services.ts";

/** What the statements that reset a password have to know of the user. */
type Resetting = Pick<typeof users.$inferSelect, "id" | "username" | "username_key">;

export function otpQueries({ database: db, clock, otp, throttle }: Services) {
  const ttl = ttlTable(db);

  return {
    /**
     * Sends a one-time password to an address that the user wants to verify.
     * @throws Failure `unauthorized`, `otp_cooldown`
     */
    async sendVerification(session: SessionRef, email: string, language: Language) {
      const now = clock();
      const owner = ownerOf(db, session, now);
      const [found, ...results] = await db.batch([
        owner,
        ...(await otp.send(
          {
            purpose: "verify_email",
            owner: session.user_id,
            email,
            recipient: sql`CAST(${session.user_id} AS INTEGER)`,
            language,
            when: sql`EXISTS ${owner}`,
          },
          now,
        )),
      ]);
      live(found[0]);
      return otp.refuseUnsent(results, now);
    },

    /**
     * Sets the address that the one-time password was sent to; undefined when it was not right, or another user has
     * proved the address before.
     * @throws Failure `unauthorized`
     */
    async verify(session: SessionRef, guess: string) {
      const now = clock();
      const owner = ownerOf(db, session, now);
      const isLive = sql`EXISTS ${owner}`;
      const judged = await otp.judge("verify_email", session.user_id, guess, now, isLive);
      const [found, , , [user]] = await db.batch([
        owner,
        judged.count,
        // Nobody has the address now: one to reset a password was for whoever had it before.
        otp.forgetReset(
          judged.email,
          now,
          sql`${judged.isRight}
            AND NOT EXISTS (SELECT 1 FROM ${users} WHERE email = ${judged.email})`,
        ),
        db
          .update(users)
          .set({ email: judged.email })
          .where(
            and(
              eq(users.id, owner),
              judged.isRight,
              sql`NOT EXISTS (
                SELECT 1 FROM ${users} AS other
                WHERE other.email = ${judged.email} AND other.id <> ${session.user_id}
              )`,
            ),
          )
          .returning({
            id: users.id,
            username: users.username,
            email: users.email,
            created_at: users.created_at,
          }),
        judged.take,
        ttl.sweep(now),
      ]);
      live(found[0]);
      return user;
    },

    /**
     * Sends a one-time password to whoever has verified the address; for an address that nobody has, all is the same,
     * but for the mail.
     * @throws Failure `otp_cooldown`
     */
    async sendReset(email: string, language: Language) {
      const now = clock();
      const recipient = sql`(SELECT id FROM ${users} WHERE email = ${email})`;
      const results = await db.batch(
        await otp.send(
          {
            purpose: "reset_password",
            owner: email,
            email,
            recipient,
            language,
            when: sql`true`,
          },
          now,
        ),
      );
      return otp.refuseUnsent(results, now);
    },

    /** The user whose password a right guess may reset; undefined for a wrong one. */
    async judgeReset(email: string, guess: string): Promise<Resetting | undefined> {
      const now = clock();
      const judged = await otp.judge("reset_password", email, guess, now);
      const [, [user]] = await db.batch([
        judged.count,
        db
          .select({ id: users.id, username: users.username, username_key: users.username_key })
          .from(users)
          .where(and(eq(users.email, email), judged.isRight)),
        ttl.sweep(now),
      ]);
      return user;
    },

    /** Sets the new hash, ends every session and forgets all failures, if the one-time password still stands. */
    async reset(user: Resetting, email: string, guess: string, newHash: string): Promise<boolean> {
      const now = clock();
      const judged = await otp.judge("reset_password", email, guess, now);
      // A hash has a random salt: that it stands says that the update has happened.
      const isReset = sql`EXISTS (
        SELECT 1 FROM ${users} WHERE id = ${user.id} AND password_hash = ${newHash}
      )`;
      const [reset] = await db.batch([
        db
          .update(users)
          .set({ password_hash: newHash })
          .where(and(eq(users.id, user.id), eq(users.email, email), judged.stands))
          .returning({ id: users.id }),
        db.delete(sessions).where(and(eq(sessions.user_id, user.id), isReset)),
        ttl.take("otp", judged.key, now, isReset),
        ...throttle.clearAll(user.username_key, isReset),
        ...throttle.clearAll(email, isReset),
      ]);
      return reset.length > 0;
    },
  };
}
