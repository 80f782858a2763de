/**
 * Argon2id in WebAssembly, for workerd. The binary is from `@phi-ag/argon2`. Its JavaScript is not used: it passes the
 * length of the text instead of the length in bytes, and then only a part of a Korean password counts.
 */
import { argon2From } from "./argon2-phc.ts";
import type { Argon2 } from "./passwords.ts";

/** The functions of Argon2's reference implementation (https://github.com/P-H-C/phc-winner-argon2, argon2.h). */
interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(length: number): number;
  free(pointer: number): void;
  argon2_hash(
    passes: number,
    memoryCost: number,
    parallelism: number,
    password: number,
    passwordLength: number,
    salt: number,
    saltLength: number,
    tag: number,
    tagLength: number,
    encoded: number,
    encodedLength: number,
    type: number,
    version: number,
  ): number;
}

const TAG_LENGTH = 32;
const ARGON2ID = 2;
const VERSION_1_3 = 0x13;

/** Hashing blocks its thread. It takes about twice as long as the native library does. */
export function wasmArgon2(module: WebAssembly.Module): Argon2 {
  // `as unknown as`: WebAssembly's types cannot say what a module exports.
  const wasm = new WebAssembly.Instance(module).exports as unknown as Exports;
  wasm._initialize();

  /** Copies `bytes` into the module's memory. The caller must free the address. */
  function copyIn(bytes: Uint8Array): number {
    const pointer = wasm.malloc(bytes.length);
    new Uint8Array(wasm.memory.buffer).set(bytes, pointer);
    return pointer;
  }

  return argon2From((password, salt, { memoryCost, timeCost, parallelism }) => {
    const passwordAt = copyIn(password);
    const saltAt = copyIn(salt);
    const tagAt = wasm.malloc(TAG_LENGTH);
    try {
      const error = wasm.argon2_hash(
        timeCost,
        memoryCost,
        parallelism,
        passwordAt,
        password.length,
        saltAt,
        salt.length,
        tagAt,
        TAG_LENGTH,
        0,
        0,
        ARGON2ID,
        VERSION_1_3,
      );
      if (error !== 0) throw new Error(`argon2_hash failed with ${error}`);
      // A hash may have grown the memory. Then the buffer was replaced.
      return new Uint8Array(wasm.memory.buffer).slice(tagAt, tagAt + TAG_LENGTH);
    } finally {
      new Uint8Array(wasm.memory.buffer).fill(0, passwordAt, passwordAt + password.length);
      for (const pointer of [passwordAt, saltAt, tagAt]) wasm.free(pointer);
    }
  });
}
