/** Keeps many streams of events open, over plain sockets. These cost a test or a measurement little. */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

/** Opens `each` streams for each token, and resolves when all of them have begun. */
export async function holdStreams(port: number, tokens: string[], each: number) {
  const sockets = await Promise.all(
    tokens.flatMap((token) => Array.from({ length: each }, () => hold(port, token))),
  );
  return {
    count: sockets.length,
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function hold(port: number, token: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect(port, "127.0.0.1", () =>
    socket.write(
      `GET /todos/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    ),
  );
  socket.on("error", reject);
  // Later data is read and dropped.
  socket.on("data", (data) =>
    String(data).startsWith("HTTP/1.1 200") ? resolve(socket) : reject(new Error(String(data))),
  );
  return promise;
}

/** Megabytes of memory that a process uses (Linux). */
export function residentMemory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1000;
}

/** Seconds of CPU time that a process has used (Linux, which counts in hundredths). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name comes first and may contain spaces. After it, user time is the twelfth field, and system time the
  // thirteenth.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
