/** A line between two programs: a TCP proxy that loses no byte, but can be slow, or stall. */
import { connect, createServer, type Socket } from "node:net";

/**
 * A line to `port` on this machine.
 * @param delay returns the milliseconds that bytes take in one direction. It is called for each piece. The order of
 *   pieces is kept.
 */
export async function openLine(port: number, delay: () => number = () => 0) {
  const sockets = new Set<Socket>();
  const counts = { connections: 0, sent: 0, received: 0 };
  let isHeld = false;

  function carry(from: Socket, to: Socket, count: (bytes: number) => void) {
    const inOrder = delayed(delay);
    sockets.add(from);
    from.on("data", (chunk) => {
      count(chunk.length);
      inOrder(() => to.write(chunk));
    });
    from.on("close", () => {
      sockets.delete(from);
      inOrder(() => to.destroy());
    });
    // A connection that has failed is closed too.
    from.on("error", () => undefined);
    if (isHeld) from.pause();
  }

  const server = createServer((near) => {
    counts.connections++;
    near.setNoDelay();
    const far = connect({ port, host: "127.0.0.1", noDelay: true });
    carry(near, far, (bytes) => {
      counts.sent += bytes;
    });
    carry(far, near, (bytes) => {
      counts.received += bytes;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");

  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    /** The number of connections so far, and the bytes that went to the far end and came back. */
    counts: () => ({ ...counts }),
    /** From now on no bytes are forwarded, but connections are still accepted. */
    hold() {
      isHeld = true;
      for (const socket of sockets) socket.pause();
    },
    /** Forwards the bytes that were held back, and all further ones. */
    release() {
      isHeld = false;
      for (const socket of sockets) socket.resume();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Runs each task after a delay, one after the other, in the order of the calls. */
function delayed(delay: () => number) {
  const waiting: { due: number; act: () => void }[] = [];
  let last = 0;

  function run() {
    for (;;) {
      const [next] = waiting;
      if (next === undefined) return;
      const wait = next.due - performance.now();
      if (wait > 0) {
        setTimeout(run, wait);
        return;
      }
      waiting.shift();
      next.act();
    }
  }

  return (act: () => void) => {
    const now = performance.now();
    last = Math.max(last, now + delay());
    waiting.push({ due: last, act });
    if (waiting.length === 1) run();
  };
}
