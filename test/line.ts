/** A line between two programs that can be made to stall: a TCP proxy that then holds every byte, and drops none. */
import { connect, createServer, type Socket } from "node:net";

/** A line to `port` on this machine. */
export async function openLine(port: number) {
  const sockets = new Set<Socket>();
  let isHeld = false;
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("data", (chunk) => other.write(chunk));
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      // What failed is closed as well.
      one.on("error", () => undefined);
      if (isHeld) one.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");

  return {
    port: address.port,
    /** From now on nothing comes through, though connections are still taken. */
    hold() {
      isHeld = true;
      for (const socket of sockets) socket.pause();
    },
    /** What was held comes through, and all that follows. */
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
