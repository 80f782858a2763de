/** What Deno provides for the service. */
import type { SocketIp } from "../http/client-ip.ts";
import type { Platform } from "../services.ts";
import { withResolvedUrl } from "./request-url.ts";
import type { Runtime } from "./run.ts";

/**
 * @param platformWith makes the platform with a function that returns a request's address
 * @param defaults settings for variables that the environment does not have
 */
export function denoRuntime(
  platformWith: (socketIp: SocketIp) => Platform,
  defaults: Record<string, string> = {},
): Runtime {
  const ips = new WeakMap<Request, string>();
  return {
    // Read one by one, because Deno has a permission for each variable.
    environment: new Proxy(
      {},
      {
        get: (_, name) => Deno.env.get(String(name)) ?? defaults[String(name)],
      },
    ),
    isTerminal: Deno.stdout.isTerminal(),
    noColor: Deno.noColor,
    write: (bytes) => Deno.stdout.write(bytes),
    listen(hostname, port, fetch) {
      const cut = new AbortController();
      const listening = Deno.serve(
        // By default Deno prints a line here, which is not part of the log.
        { hostname, port, signal: cut.signal, onListen() {} },
        (request, { remoteAddr }) => {
          ips.set(request, remoteAddr.hostname);
          return fetch(withResolvedUrl(request));
        },
      );
      let isStopped = false;
      return {
        url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${listening.addr.port}/`,
        async stop() {
          await listening.shutdown();
          isStopped = true;
        },
        async abort() {
          if (!isStopped) cut.abort();
          await listening.finished;
        },
      };
    },
    platform: platformWith((request) => ips.get(request) ?? null),
    onSignal(stop) {
      Deno.addSignalListener("SIGTERM", () => stop("SIGTERM"));
      Deno.addSignalListener("SIGINT", () => stop("SIGINT"));
    },
    onUncaught(tell) {
      // `preventDefault`, or Deno would end the process before the log is written.
      addEventListener("error", (event) => {
        event.preventDefault();
        tell(event instanceof ErrorEvent ? event.error : event);
      });
      addEventListener("unhandledrejection", (event) => {
        event.preventDefault();
        tell(event instanceof PromiseRejectionEvent ? event.reason : event);
      });
    },
    print: (text) => Deno.stdout.writeSync(new TextEncoder().encode(text)),
    readInput: () => new Response(Deno.stdin.readable).text(),
    writeError: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
    exit: (code) => Deno.exit(code),
  };
}
