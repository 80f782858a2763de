/** Starts the service on Bun. */
import { fstatSync, write } from "node:fs";
import { runCommand } from "./start/command-line.ts";
import { nativePlatform } from "./start/platform.ts";
import { withResolvedUrl } from "./start/request-url.ts";

const STDOUT = 1;

let server: Bun.Server<undefined> | undefined;

/** Only a device can be a terminal. Bun makes `process.stdout` at its first use, which takes ten milliseconds. */
function isDevice(fd: number): boolean {
  try {
    return fstatSync(fd).isCharacterDevice();
  } catch {
    // It is closed.
    return false;
  }
}

// New files can be read only by the service's user from the start. Otherwise everyone could read the files of libSQL's
// replica. (Deno would need the permission `--allow-sys` for this. There, the folder of the files is private.)
process.umask(0o077);

await runCommand(process.argv.slice(2), {
  environment: process.env,
  isTerminal: isDevice(STDOUT) && process.stdout.isTTY,
  noColor: !!process.env.NO_COLOR,
  // On another thread, because `process.stdout` would block when stdout is a file on a slow disk.
  write: (bytes) =>
    new Promise((resolve, reject) =>
      write(STDOUT, bytes, (error, written) => (error ? reject(error) : resolve(written))),
    ),
  listen(hostname, port, fetch) {
    const listening = Bun.serve({
      hostname,
      port,
      fetch: (request) => fetch(withResolvedUrl(request)),
    });
    // The first server is the service itself. The second one, for metrics, needs no address.
    server ??= listening;
    return {
      url: listening.url.href,
      // It waits for the last answer, but not for idle connections.
      stop: () => listening.stop(),
      abort: () => listening.stop(true),
    };
  },
  loadMetrics: () => import("./telemetry/metrics.ts"),
  loadTraces: () => import("./telemetry/traces.ts"),
  platform: nativePlatform(
    (request) => server?.requestIP(request)?.address ?? null,
    (request) => server?.timeout(request, 0),
  ),
  onSignal(stop) {
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  },
  onUncaught(tell) {
    process.on("uncaughtException", tell);
    process.on("unhandledRejection", tell);
  },
  print: (text) => process.stdout.write(text),
  readInput: () => Bun.stdin.text(),
  writeError: (text) => process.stderr.write(text),
  exit: (code) => process.exit(code),
});
