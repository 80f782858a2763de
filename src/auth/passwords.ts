/**
 * Hashes and verifies passwords with Argon2id, a few at the same time. Each client gets a fair share of the processor.
 */
import { type Client, type FairQueueOptions, fairQueue } from "../fair-queue.ts";
import { networkOf } from "../http/client-ip.ts";
import type { Exchange } from "../http/exchange.ts";
import { accountOf } from "./accounts.ts";
import type { SessionRef } from "./live-session.ts";

export interface Argon2Parameters {
  /** KiB. */
  memoryCost: number;
  /** Passes over the memory. */
  timeCost: number;
  /** Lanes. */
  parallelism: number;
}

/** Argon2id of a runtime. Hashes are PHC strings, so each runtime can verify the hashes of the others. */
export interface Argon2 {
  hash(password: string, parameters: Argon2Parameters): Promise<string>;
  verify(passwordHash: string, password: string): Promise<boolean>;
}

/** 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet). */
export const ARGON2_PARAMETERS: Argon2Parameters = {
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
};

export interface Hasher {
  /**
   * An Argon2id hash in PHC string format.
   * @param client who takes a turn in the queue
   * @throws Failure `unavailable` when too many passwords already wait
   */
  hash(password: string, client: Client): Promise<string>;
  /**
   * Whether `password` fits `passwordHash`. Without a hash (an unknown user) this takes the same time and is false.
   * @param client as for `hash`
   * @throws Failure `unavailable` when too many passwords already wait
   */
  verify(passwordHash: string | undefined, password: string, client: Client): Promise<boolean>;
  /** Whether a hash was made with different parameters than a new hash would be. */
  isOutdated(passwordHash: string): boolean;
}

/** A live session takes its turn apart from the other requests of its network. */
export const clientOf = (session: SessionRef, { ip }: Exchange): Client => ({
  network: networkOf(ip),
  user: accountOf(session.user_id),
});

export interface HasherOptions {
  argon2: Argon2;
  parameters: Argon2Parameters;
  /**
   * How many passwords are hashed at the same time, and how many may wait. Hashing more than one per core gains
   * nothing.
   */
  queue: FairQueueOptions;
}

export function createHasher({ argon2, parameters, queue }: HasherOptions): Hasher {
  const takeTurn = fairQueue(queue);
  const { memoryCost, timeCost, parallelism } = parameters;
  const prefix = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`;
  // For unknown users: a salt and a tag of zeros, which no password produces. To verify it costs as much as any other
  // hash.
  const dummy = `${prefix}${"A".repeat(22)}$${"A".repeat(43)}`;
  return {
    hash: (password, client) => takeTurn(client, () => argon2.hash(password, parameters)),
    verify: (passwordHash = dummy, password, client) =>
      takeTurn(client, () => argon2.verify(passwordHash, password)),
    isOutdated: (passwordHash) => !passwordHash.startsWith(prefix),
  };
}
