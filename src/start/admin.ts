/** `todos admin`: manages users, sessions and mails, in the database that the service's environment names. */
import { randomUUID } from "node:crypto";
import { sanitizeControlSequences } from "@logtape/logtape";
import { logSecurityEvent } from "../auth/security-log.ts";
import { faultOf, isEmbedded, readConfig } from "../config.ts";
import { render } from "../mail/templates.ts";
import { adminQueries } from "../users/admin.ts";
import { embeddedPath, requireDatabase } from "./backup.ts";
import { type Command, UsageError } from "./command.ts";
import { nativePlatform, openConfigured } from "./platform.ts";

const USAGE = `Usage: todos admin <command>

  user WHO              show a user
  disable WHO           refuse log-ins, and end every session
  enable WHO            take log-ins again
  delete WHO --yes      delete the user with everything that is theirs
  sessions WHO          list the live sessions
  end-sessions WHO      end every session
  outbox                list the mails that wait
  mail-test ADDRESS     send a test mail now
  request ID            print what the log on stdin says about a request

WHO is a user name, an e-mail address, or id=1.`;

type Admin = ReturnType<typeof adminQueries>;
type User = NonNullable<Awaited<ReturnType<Admin["find"]>>>;
type UserCommand = (admin: Admin, user: User, command: Command) => Promise<void>;

/** The commands about one user, by name. */
const userCommands: Record<string, UserCommand> = {
  async user(admin, user, { print }) {
    const live = await admin.sessions(user.id);
    for (const [name, value] of Object.entries({ ...user, sessions: live.length })) {
      print(`${`${name}:`.padEnd(14)}${value ?? "-"}`);
    }
  },
  async disable(admin, { id, username }, { print }) {
    await admin.disable(id);
    logSecurityEvent("disabled", { id: randomUUID(), traceId: undefined, ip: null }, id);
    print(`Disabled ${username}. Every session has ended.`);
  },
  async enable(admin, { id, username }, { print }) {
    await admin.enable(id);
    print(`Enabled ${username}.`);
  },
  async delete(admin, { id, username }, { args, print }) {
    if (!args.includes("--yes")) {
      throw new UsageError(`This cannot be undone. Add --yes to delete ${username} (id=${id}).`);
    }
    await admin.delete(id);
    print(`Deleted ${username}.`);
  },
  async sessions(admin, { id }, { print }) {
    printTable(print, await admin.sessions(id));
  },
  async "end-sessions"(admin, { id }, { print }) {
    print(`Ended ${await admin.endSessions(id)} sessions.`);
  },
};

/** @throws ConfigError, UsageError */
export async function adminCommand(command: Command): Promise<void> {
  const [name = "", subject = "", ...rest] = command.args;
  const hasSubject = subject !== "" && rest.length === 0;
  if (name === "mail-test" && hasSubject) return testMail(subject, command);
  if (name === "request" && hasSubject) return showRequest(subject, command);
  const onUser = Object.hasOwn(userCommands, name) ? userCommands[name] : undefined;
  const isConfirmed = name === "delete" && subject !== "" && rest.join(" ") === "--yes";
  const isComplete = onUser
    ? hasSubject || isConfirmed
    : name === "outbox" && command.args.length === 1;
  if (!isComplete) throw new UsageError(USAGE);

  const config = readConfig(command.environment);
  if (isEmbedded(config)) requireDatabase(embeddedPath(config));
  const database = await openConfigured(config);
  try {
    const admin = adminQueries(database, Date.now);
    if (!onUser) return printTable(command.print, await admin.outbox());
    const user = await admin.find(subject);
    if (!user) throw new UsageError("There is no such user");
    await onUser(admin, user, command);
  } finally {
    database.$client.close();
  }
}

/** Sends a mail that users get, so that the test includes the filters on its way. */
async function testMail(to: string, { environment, print }: Command): Promise<void> {
  const config = readConfig(environment);
  const transport = nativePlatform(() => null).openTransport(config);
  const test = { otp: "000000", language: "en", expires_in: config.otpTtl } as const;
  try {
    await transport.send({ to, ...render("verify_email", test) });
    print(`Sent. ${config.mailUrl === "log:" ? "MAIL_URL is log:, so it is printed above." : ""}`);
  } catch (error) {
    throw faultOf("The mail was not accepted (MAIL_URL, MAIL_FROM)", error);
  } finally {
    transport.close();
  }
}

/** Prints every line of a JSON log that names the request. */
async function showRequest(id: string, { readInput, print }: Command): Promise<void> {
  const lines = (await readInput()).split("\n").filter((line) => isAbout(id, line));
  if (lines.length === 0) throw new UsageError("The log on stdin does not name this request");
  for (const line of lines) print(line);
}

function isAbout(id: string, line: string): boolean {
  try {
    return JSON.parse(line).request_id === id;
  } catch {
    // A line from another program, such as the supervisor.
    return false;
  }
}

/** Prints rows as a table, with their names as the header. No value can control the terminal (ECMA-48 §5.3). */
function printTable(print: (line: string) => void, rows: Record<string, unknown>[]): void {
  const [first] = rows;
  if (!first) {
    print("None.");
    return;
  }
  const lines = [Object.keys(first), ...rows.map((row) => Object.values(row).map(shown))];
  const widths = Object.keys(first).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? "").length)),
  );
  for (const line of lines) {
    print(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  }
}

/** Former versions stored a user agent with its control characters. */
const shown = (value: unknown) =>
  sanitizeControlSequences(String(value ?? "-"), { sgr: "escape", newlines: "escape" });
