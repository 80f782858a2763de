/** The development secret: made at the first start, and kept in a file. Production has JWT_SECRET. */
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { faultOf } from "../config.ts";

/**
 * Reads the secret in the file at `path`. A missing file is made, with mode 0600.
 * @throws ConfigError when the file cannot be made or read, or has less than 32 bytes (RFC 7518 §3.2)
 */
export function keptSecret(path: string): string {
  try {
    if (!existsSync(path)) makeSecret(path);
    const secret = readFileSync(path, "utf8");
    if (Buffer.byteLength(secret) < 32)
      throw new Error("less than 32 bytes; delete it for a new one");
    return secret;
  } catch (error) {
    throw faultOf(`Cannot use the secret in ${path} (JWT_SECRET)`, error);
  }
}

function makeSecret(path: string): void {
  const draft = `${path}.${crypto.randomUUID()}`;
  const secret = crypto.getRandomValues(new Uint8Array(32)).toBase64();
  writeFileSync(draft, secret, { mode: 0o600 });
  try {
    // When several processes start at once, one wins, and none sees a half-written file.
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(draft);
  }
}
