/**
 * `bun run database-keys`: makes a key pair for your own libSQL server, and prints two lines for `.env`. The server
 * gets the public key. The services get a token that was signed with the private key. The private key is not stored.
 */
import { generateKeyPairSync, sign } from "node:crypto";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
// `a` is the access: read and write (https://github.com/tursodatabase/libsql/blob/main/docs/USER_GUIDE.md).
const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode({ a: "rw" })}`;
const signature = sign(null, Buffer.from(signed), privateKey).toString("base64url");

const { x } = publicKey.export({ format: "jwk" });
process.stdout.write(`SQLD_AUTH_JWT_KEY=${x}\nDATABASE_AUTH_TOKEN=${signed}.${signature}\n`);
