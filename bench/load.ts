/** Load for one server: the same requests again and again, on connections that stay open. */

const CONNECTIONS = 32;

/** The number of answers and the number of seconds. */
interface Load {
  answers: number;
  seconds: number;
}

/**
 * Sends the requests in turn, as HTTP/1.1 text, for this number of seconds. Each connection waits for an answer before
 * it sends the next request. Throws when an answer is not a success or has no Content-Length.
 */
export async function load(
  hostname: string,
  port: number,
  requests: string[],
  seconds: number,
): Promise<Load> {
  const all = requests.map((request) => Buffer.from(request));
  let sent = 0;
  const next = () => all[sent++ % all.length] ?? "";
  const start = performance.now();
  const end = start + 1000 * seconds;
  let answers = 0;

  function converse(): Promise<void> {
    return new Promise((resolve, reject) => {
      /** The bytes of the current answer that have not arrived yet, when its head has arrived. */
      let missing: number | undefined;
      let head = "";
      Bun.connect({
        hostname,
        port,
        socket: {
          open(socket) {
            socket.write(next());
          },
          data(socket, data) {
            if (missing === undefined) {
              head += data.toString("latin1");
              const headEnd = head.indexOf("\r\n\r\n");
              if (headEnd === -1) return;
              const length = /^content-length: *(\d+)/im.exec(head)?.[1];
              if (!/^HTTP\/1.1 2/.test(head) || length === undefined) {
                reject(new Error(head.slice(0, headEnd)));
                socket.end();
                return;
              }
              missing = Number(length) - (head.length - headEnd - 4);
            } else {
              missing -= data.length;
            }
            if (missing > 0) return;
            answers++;
            missing = undefined;
            head = "";
            if (performance.now() < end) socket.write(next());
            else socket.end();
          },
          close: () => resolve(),
          connectError: (_, error) => reject(error),
        },
      }).catch(reject);
    });
  }

  await Promise.all(Array.from({ length: CONNECTIONS }, converse));
  return { answers, seconds: (performance.now() - start) / 1000 };
}
