/** A real SMTP server on loopback that keeps the mails it gets, and ways to make the connection to it fail. */
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

const pem = readFileSync(join(import.meta.dir, "localhost.pem"), "utf8");

/** The query of the URL for a client that trusts the server's certificate. */
export const TRUST = `tls.ca=${encodeURIComponent(pem.slice(pem.indexOf("-----BEGIN CERTIFICATE")))}`;

export interface Received {
  /** As in RCPT TO. */
  recipients: string[];
  email: Email;
  /** Whether it arrived over TLS. */
  secure: boolean;
  /** The user who logged in to send it. */
  user: unknown;
}

export interface Behaviour extends SMTPServerOptions {
  /** An answer to RCPT TO that refuses it. It repeats the address, as servers do. */
  refusal?: (address: string) => number | undefined | Promise<number>;
  /** The server accepts the mail, but does not say so before this resolves. */
  hold?: () => Promise<void>;
}

/** Without TLS, unless the options say otherwise. */
export async function startSmtp(behaviour: Behaviour = {}) {
  const { refusal, hold, ...options } = behaviour;
  const received: Received[] = [];
  const asked: string[] = [];
  const server = new SMTPServer({
    key: pem,
    cert: pem,
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    closeTimeout: 1,
    onRcptTo({ address }, _session, callback) {
      asked.push(address);
      Promise.resolve(refusal?.(address)).then((responseCode) => {
        if (responseCode === undefined) return callback();
        callback(Object.assign(new Error(`<${address}> not now`), { responseCode }));
      }, callback);
    },
    onData(stream, { envelope, secure, user }, callback) {
      const recipients = envelope.rcptTo.map(({ address }) => address);
      (async () => {
        const email = await PostalMime.parse(Buffer.concat(await stream.toArray()));
        received.push({ recipients, email, secure, user });
        await hold?.();
      })().then(() => callback(), callback);
    },
    ...options,
  });
  // If a client disconnects in the middle, the server is not at fault.
  server.on("error", () => undefined);
  const sockets = new Set<Socket>();
  server.server.on("connection", (socket: Socket) => sockets.add(socket));
  const port = await listen(server.server);
  return {
    port,
    url: `${options.secure ? "smtps" : "smtp"}://localhost:${port}`,
    received,
    /** Every address in a RCPT TO, accepted or not. */
    asked,
    /** Closes every connection. */
    disconnect() {
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** A server that accepts connections and never sends anything. */
export function startSilent() {
  return startTcp(() => undefined);
}

/** A proxy for the SMTP server on `port`, which cuts the first connection in the middle of the mail. */
export function startCutting(port: number) {
  let hasCut = false;
  return startTcp((client) => {
    const server = connect(port, "localhost");
    server.on("error", () => client.destroy());
    server.on("close", () => client.destroy());
    server.pipe(client);
    let isData = false;
    client.on("close", () => server.destroy());
    client.on("data", (chunk: Buffer) => {
      if (isData && !hasCut) {
        hasCut = true;
        server.write(chunk.subarray(0, 100), () => {
          server.destroy();
          client.destroy();
        });
        return;
      }
      isData = /^DATA\r\n/m.test(chunk.toString());
      server.write(chunk);
    });
  });
}

async function startTcp(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  const port = await listen(server);
  return {
    url: `smtp://localhost:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // `as`: it listens on TCP, so its address is neither null nor a path.
  return (server.address() as AddressInfo).port;
}
