/**
 * Argon2id by the runtime's own WebCrypto. Deno has it since 2.9
 * (https://wicg.github.io/webcrypto-modern-algos/#argon2). It runs on another thread and needs no native library.
 */
import { argon2From } from "./argon2-phc.ts";

const ALGORITHM = "Argon2id";

/** Whether this runtime has it. */
export async function hasWebCryptoArgon2(): Promise<boolean> {
  return importKey(new Uint8Array(1)).then(
    () => true,
    () => false,
  );
}

export const webCryptoArgon2 = argon2From(
  async (password, nonce, { memoryCost, timeCost, parallelism }) => {
    const key = await importKey(password);
    const costs = { memory: memoryCost, passes: timeCost, parallelism };
    // `as`: TypeScript's DOM library does not know this algorithm's parameters yet.
    return new Uint8Array(
      await crypto.subtle.deriveBits({ name: ALGORITHM, nonce, ...costs } as Algorithm, key, 256),
    );
  },
);

function importKey(password: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  // `as`: TypeScript's DOM library does not know this key format yet.
  return crypto.subtle.importKey("raw-secret" as "raw", password, ALGORITHM, false, ["deriveBits"]);
}
