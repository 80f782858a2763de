/** Starts the service as a separate process in a temporary folder, as its operator does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { callsTo } from "./service.ts";

/** The command that starts the service: Bun, unless `test/slow/deno.slow.ts` sets another one. */
const COMMAND: string[] = process.env.TODOS_COMMAND
  ? JSON.parse(process.env.TODOS_COMMAND)
  : [process.execPath, join(import.meta.dir, "../src/main.bun.ts")];

/** A folder that is deleted with its content at the end of the block that has it by `using`. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "todos-"));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/**
 * Starts the process in `folder` on a free port, with no environment variables except `environment`. At the end of the
 * block that has it by `await using`, it is killed if it still runs.
 */
export function launch(
  folder: string,
  environment: Record<string, string> = {},
  command = COMMAND,
) {
  const child = Bun.spawn(command, {
    cwd: folder,
    env: { PORT: "0", ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const stdout: string[] = [];
  const stderr: string[] = [];
  let heard = Promise.withResolvers<void>();
  const hear = () => {
    heard.resolve();
    heard = Promise.withResolvers();
  };
  const closed = Promise.all([
    collect(child.stdout, stdout, hear),
    collect(child.stderr, stderr, hear),
  ]);
  let hasEnded = false;
  const ended = closed.then(() => {
    hasEnded = true;
    hear();
    return child.exited;
  });

  return {
    /** The lines so far. */
    stdout,
    stderr,
    /** The exit code, when the process has ended and all its lines were read. */
    ended,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    pid: child.pid,

    /** The match of `pattern` in the first line on stdout that has one, now or later. */
    async line(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        for (const line of stdout) {
          const match = pattern.exec(line);
          if (match) return match;
        }
        if (hasEnded) throw new Error(`Ended without ${pattern}: ${stderr.join("\n")}`);
        await heard.promise;
      }
    },

    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export type ServiceProcess = Awaited<ReturnType<typeof startProcess>>;

/** The line that shows that it listens: a line of its log or, on workerd, of the runtime. */
const LISTENING = /(http:\/\/[^/"\s]+)|"event":"listen".*"port":(\d+)/;

/** Starts the service, and waits until it listens. */
export async function startProcess(
  folder: string,
  environment: Record<string, string> = {},
  command?: string[],
) {
  const launched = launch(folder, environment, command);
  const [, logged, port] = await launched.line(LISTENING);
  const url = logged ?? `http://127.0.0.1:${port}`;
  return {
    ...launched,
    url,
    port: Number(new URL(url).port),
    ...callsTo(url),

    /** Stops it as a supervisor does. Returns the exit code. */
    async stop(): Promise<number> {
      launched.kill("SIGTERM");
      return launched.ended;
    },
  };
}

async function collect(stream: ReadableStream<Uint8Array>, lines: string[], hear: () => void) {
  const decoder = new TextDecoder();
  let unfinished = "";
  for await (const chunk of stream) {
    const parts = (unfinished + decoder.decode(chunk, { stream: true })).split("\n");
    unfinished = parts.pop() ?? "";
    lines.push(...parts);
    hear();
  }
  if (unfinished !== "") lines.push(unfinished);
}
