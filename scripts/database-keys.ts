/**
 * `bun run database-keys`: a new key pair for a libSQL server of one's own, as two lines for `.env`. The server gets the
 * public key, and the services get a token that was signed with the private key, which is then thrown away.
 */
import { generateKeyPairSync, sign } from "node:crypto";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
// `a` is the access: to read and write (https://github.com/tursodatabase/libsql/blob/main/docs/USER_GUIDE.md).
const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode({ a: "rw" })}`;
const signature = sign(null, Buffer.from(signed), privateKey).toString("base64url");

const { x } = publicKey.export({ format: "jwk" });
process.stdout.write(`SQLD_AUTH_JWT_KEY=${x}\nDATABASE_AUTH_TOKEN=${signed}.${signature}\n`);
