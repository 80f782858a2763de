/** The networks that an account is known from: its user has logged in there in the last 90 days. */
import type { SQL } from "drizzle-orm";
import { sql } from "drizzle-orm";
import type { Ttl } from "../database/ttl.ts";

/** Milliseconds that a network stays known after a log-in from it: 90 days. */
const LIFETIME = 90 * 24 * 3600_000;
/**
 * Maximum number of networks that an account is known from. A further one replaces the one that was used least
 * recently.
 */
const MOST = 100;

const KIND = "known_network";

export type KnownNetworks = ReturnType<typeof createKnownNetworks>;

export function createKnownNetworks(ttl: Ttl) {
  return {
    /** True when the account is known from the network. Never true for a pseudonym or NULL. */
    isKnown: (account: string | SQL, network: string, now: number) =>
      ttl.exists(KIND, sql`(${account} || ${`/${network}`})`, now),

    /** The statements that make the network known, after a log-in. */
    add(account: string, network: string, now: number, when: SQL) {
      const key = `${account}/${network}`;
      return [
        ttl.set({ kind: KIND, key, lifetime: LIFETIME, when }, "", now),
        ttl.keepLast(KIND, account, MOST, when),
      ];
    },

    /** The statement that forgets the networks of an account. */
    clear: (account: string, when: SQL) => ttl.deleteUnder(KIND, account, when),
  };
}
