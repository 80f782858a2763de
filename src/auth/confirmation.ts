/**
 * A password that confirms a request of a live session. Failures are counted for each session. The counts of the
 * account and of the network do not matter here, so nobody without a session can block the user.
 */
import { eq, type SQL, sql } from "drizzle-orm";
import type { Clock } from "../clock.ts";
import { batch } from "../database/batch.ts";
import type { Database } from "../database/drizzle.ts";
import { sessions, users } from "../database/schema.ts";
import type { Ttl } from "../database/ttl.ts";
import type { Exchange } from "../http/exchange.ts";
import type { Meter } from "../instruments.ts";
import { isLive, live, type SessionRef } from "./live-session.ts";
import { clientOf, type Hasher } from "./passwords.ts";
import { logSecurityEvent } from "./security-log.ts";
import { createWaits, FREE, tooManyAttempts } from "./waits.ts";

/** The hash that a password is verified against. */
export type PasswordRecord = Pick<
  typeof users.$inferSelect,
  "username" | "email" | "password_hash"
>;

interface Asked {
  wait_until: number | null;
}

export type Confirmation = ReturnType<typeof createConfirmation>;

export function createConfirmation(services: {
  database: Database;
  ttl: Ttl;
  hasher: Hasher;
  clock: Clock;
  meter: Pick<Meter, "refused">;
}) {
  const { database: db, ttl, hasher, clock, meter } = services;
  const waits = createWaits(ttl, "password_failures");
  const keyOf = (session: SessionRef) => `s:${session.id}`;

  /** The statement that asks whether the session has to wait. `refuse` reads its result. */
  const ask = (session: SessionRef, now: number) =>
    db.all<Asked>(sql`SELECT ${waits.until(keyOf(session), now)} AS wait_until`);

  const isAdmitted = (session: SessionRef, now: number): SQL =>
    sql`${waits.until(keyOf(session), now)} IS NULL`;

  /** @throws Failure `too_many_attempts` */
  function refuse(asked: Asked | undefined, session: SessionRef, exchange: Exchange, now: number) {
    const until = asked?.wait_until ?? null;
    if (until === null) return;
    logSecurityEvent("too_many_failures", exchange, session.user_id);
    meter.refused("too_many_failures");
    throw tooManyAttempts(until, now);
  }

  return {
    ask,
    isAdmitted,
    refuse,

    /**
     * What to verify the password against.
     * @throws Failure `unauthorized`, `too_many_attempts`
     */
    async record(session: SessionRef, exchange: Exchange): Promise<PasswordRecord> {
      const now = clock();
      const [found] = await db
        .select({
          username: users.username,
          email: users.email,
          password_hash: users.password_hash,
          wait_until: waits.until(keyOf(session), now),
        })
        .from(sessions)
        .innerJoin(users, eq(users.id, sessions.user_id))
        .where(isLive({ ...session, now }));
      const { wait_until, ...record } = live(found);
      refuse({ wait_until }, session, exchange, now);
      return record;
    },

    /**
     * Whether it is the user's password. A wrong password is counted.
     * @throws Failure `too_many_attempts` when other attempts have failed meanwhile. Then this attempt was not judged
     */
    async isRight(
      password: string,
      { password_hash }: PasswordRecord,
      session: SessionRef,
      exchange: Exchange,
    ): Promise<boolean> {
      if (await hasher.verify(password_hash, password, clientOf(session, exchange))) return true;
      const now = clock();
      const { asked, failed } = await batch(db, {
        asked: ask(session, now),
        failed: waits.fail(keyOf(session), now, isAdmitted(session, now)),
        swept: ttl.sweep(now),
      });
      refuse(asked[0], session, exchange, now);
      if ((failed[0]?.value ?? 0) > FREE) {
        logSecurityEvent("too_many_failures", exchange, session.user_id);
      }
      return false;
    },

    /** The statement that forgets the session's failures, after a success. */
    clear: (session: SessionRef, when: SQL) => waits.clear(keyOf(session), when),
  };
}
