/** The command line: `todos [serve]`, and the other commands for the operator. */
import packageJson from "../../package.json" with { type: "json" };
import { ConfigError } from "../config.ts";
import { configureLog } from "../log/configure.ts";
import { type Command, UsageError } from "./command.ts";
import { type Runtime, run } from "./run.ts";

const USAGE = `Usage: todos [command]

  serve                 start the service (this is the default)
  check                 look at the settings, the database and the mail server; change no data
  migrate               bring the database's schema up to date
  backup FILE           copy the database to FILE, also while the service runs
  restore FILE          put a backup in the place of the database; stop the service first
  admin ...             look after users, sessions and mails; "todos admin" lists the commands

  --version             print the version
  --help                print this

Settings are environment variables; .env.example lists them.`;

/** Each command is loaded only when it is called, so that the service starts quickly. */
const commands: Record<string, () => Promise<(command: Command) => Promise<void>>> = {
  check: () => import("./check.ts").then((module) => module.checkCommand),
  migrate: () => import("./migrate.ts").then((module) => module.migrateCommand),
  backup: () => import("./backup.ts").then((module) => module.backupCommand),
  admin: () => import("./admin.ts").then((module) => module.adminCommand),
  restore: () => import("./restore.ts").then((module) => module.restoreCommand),
};

/** @param args the arguments after the program's name */
export async function runCommand(args: string[], runtime: Runtime): Promise<void> {
  const [name = "serve", ...rest] = args;
  const print = (line: string) => runtime.print(`${line}\n`);
  if (name === "serve" && rest.length === 0) return run(runtime);
  try {
    if (name === "--help" || name === "-h") {
      print(USAGE);
      return;
    }
    if (name === "--version") {
      print(packageJson.version);
      return;
    }
    const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!load) throw new UsageError(`There is no such command.\n\n${USAGE}`);
    const { startProgress } = await import("./progress.ts");
    const progress = startProgress(runtime);
    const log = logToErrors(runtime);
    const { environment, readInput } = runtime;
    try {
      const command = await load();
      await command({
        args: rest,
        environment,
        print(line) {
          progress.clear();
          print(line);
        },
        progress,
        readInput,
      });
    } finally {
      progress.end();
      await log.flush();
    }
  } catch (error) {
    if (error instanceof ConfigError) runtime.writeError(`${error.faults.join("\n")}\n`);
    else if (error instanceof UsageError) runtime.writeError(`${error.message}\n`);
    else throw error;
    runtime.exit(1);
  }
}

/** A command's log goes to stderr, so that its output can be piped. */
function logToErrors({ isTerminal, noColor, writeError }: Runtime) {
  const decoder = new TextDecoder();
  return configureLog({
    format: isTerminal ? "pretty" : "json",
    colors: isTerminal && !noColor,
    level: "info",
    async write(bytes) {
      writeError(decoder.decode(bytes, { stream: true }));
      return bytes.length;
    },
  });
}
