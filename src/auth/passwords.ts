/** Hashes and verifies passwords with Argon2id, never more at once than there are cores. */
import { hash, parseOptions, verify } from "@node-rs/argon2";
import { Failure } from "../http/problem.ts";

/** OWASP Password Storage Cheat Sheet: 19 MiB (in KiB), two passes, one lane. Argon2id is the package's default. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export interface Hasher {
  /**
   * An Argon2id hash in PHC string format.
   * @throws Failure `unavailable` when too many wait already
   */
  hash(password: string): Promise<string>;
  /**
   * Whether `password` fits `passwordHash`; without one (an unknown user) it takes the same time and is false.
   * @throws Failure `unavailable` when too many wait already
   */
  verify(passwordHash: string | undefined, password: string): Promise<boolean>;
  /** Whether a hash was made with other parameters than a new one would be. */
  isOutdated(passwordHash: string): boolean;
}

export interface HasherOptions {
  /** Hashes at once; more than there are cores gains nothing and starves the event loop. */
  concurrency: number;
  /** How many may wait for their turn before the next is refused. */
  queue: number;
}

export function createHasher({ concurrency, queue }: HasherOptions): Hasher {
  const takeTurn = limit(concurrency, queue);
  // Made at once: made for the first unknown user, it would show in the time of that answer.
  const dummy = hash(crypto.randomUUID(), PARAMETERS);
  return {
    hash: (password) => takeTurn(() => hash(password, PARAMETERS)),
    verify: (passwordHash, password) =>
      takeTurn(async () => {
        if (passwordHash !== undefined) return verify(passwordHash, password);
        await verify(await dummy, password);
        return false;
      }),
    isOutdated(passwordHash) {
      const { memoryCost, timeCost, parallelism } = parseOptions(passwordHash);
      return (
        memoryCost !== PARAMETERS.memoryCost ||
        timeCost !== PARAMETERS.timeCost ||
        parallelism !== PARAMETERS.parallelism
      );
    },
  };
}

/** Runs at most `concurrency` tasks at once, first come first served, and refuses beyond `queue` waiting ones. */
function limit(concurrency: number, queue: number) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(task: () => Promise<T>): Promise<T> => {
    if (running < concurrency) running++;
    else if (waiting.length >= queue) throw new Failure("unavailable");
    // Whoever ends hands its place on, so a newcomer can't overtake those who wait.
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
