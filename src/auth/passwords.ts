/** Hashes and verifies passwords with Argon2id, and never runs more hashes at once than it was told. */
import { Failure } from "../http/problem.ts";

export interface Argon2Parameters {
  /** KiB. */
  memoryCost: number;
  /** Passes over the memory. */
  timeCost: number;
  /** Lanes. */
  parallelism: number;
}

/** Argon2id as a runtime has it. Hashes are PHC strings, so each runtime can verify those of the others. */
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
   * @throws Failure `unavailable` when too many passwords wait already
   */
  hash(password: string): Promise<string>;
  /**
   * Whether `password` fits `passwordHash`. Without a hash (an unknown user) it takes the same time and is false.
   * @throws Failure `unavailable` when too many passwords wait already
   */
  verify(passwordHash: string | undefined, password: string): Promise<boolean>;
  /** Whether a hash was made with other parameters than a new one would be. */
  isOutdated(passwordHash: string): boolean;
}

export interface HasherOptions {
  argon2: Argon2;
  parameters: Argon2Parameters;
  /** Hashes at once. More than there are cores gains nothing and starves the event loop. */
  concurrency: number;
  /** Passwords that may wait for their turn. The next one is refused. */
  queue: number;
}

export function createHasher({ argon2, parameters, concurrency, queue }: HasherOptions): Hasher {
  const takeTurn = limit(concurrency, queue);
  const { memoryCost, timeCost, parallelism } = parameters;
  const prefix = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`;
  // What an unknown user's password is verified against: a salt and a tag of zeros, which no password gives.
  // It costs what any verification costs.
  const dummy = `${prefix}${"A".repeat(22)}$${"A".repeat(43)}`;
  return {
    hash: (password) => takeTurn(() => argon2.hash(password, parameters)),
    verify: (passwordHash = dummy, password) =>
      takeTurn(() => argon2.verify(passwordHash, password)),
    isOutdated: (passwordHash) => !passwordHash.startsWith(prefix),
  };
}

/** Runs at most `concurrency` tasks at once, first come first served, and refuses beyond `queue` waiting ones. */
function limit(concurrency: number, queue: number) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(task: () => Promise<T>): Promise<T> => {
    if (running < concurrency) running++;
    else if (waiting.length >= queue) throw new Failure("unavailable");
    // A task that ends hands its place to the first in the queue, so a newcomer cannot overtake it.
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
