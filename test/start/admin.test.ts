/** `todos admin`, on the database of a running service. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { resetSync } from "@logtape/logtape";
import { runCommand } from "../../src/start/command-line.ts";
import { nativePlatform } from "../../src/start/platform.ts";
import { PASSWORD, SECRET, type Service, startService } from "../service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
// A command configures the log of the whole process.
afterEach(() => resetSync());

/** Runs `todos admin` as an operator does while the service runs. */
async function admin(args: string[], stdin = "", environment: Record<string, string> = {}) {
  let stdout = "";
  let stderr = "";
  let exitCode = 0;
  await runCommand(["admin", ...args], {
    environment: {
      DATABASE_URL: service.config.databaseUrl,
      DATABASE_AUTH_TOKEN: service.config.databaseAuthToken,
      JWT_SECRET: SECRET,
      MAIL_URL: service.config.mailUrl,
      ...environment,
    },
    isTerminal: false,
    noColor: true,
    platform: nativePlatform(() => null),
    print: (text) => {
      stdout += text;
    },
    writeError: (text) => {
      stderr += text;
    },
    readInput: async () => stdin,
    exit: (code) => {
      exitCode = code;
    },
    write: () => Promise.reject(new Error("an admin command writes no log to stdout")),
    listen: () => {
      throw new Error("an admin command serves nothing");
    },
    onSignal() {},
    onUncaught() {},
  });
  return { exitCode, stdout, stderr };
}

const logIn = (username: string, password = PASSWORD) =>
  service.call("POST", "/users/log-in", { json: { username, password } });

test.each([
  "",
  "user",
  "frobnicate mina",
  "mail-test",
  "mail-test mina@example.com jiho@example.com",
  "request 1 2",
  "outbox mina",
])("'%s' explains the commands", async (line) => {
  const { exitCode, stdout, stderr } = await admin(line.split(" "));
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toStartWith("Usage: todos admin <command>");
});

test("where there is no database, none is made", async () => {
  const path = join(service.folder, "nowhere/todos.db");
  for (const line of ["outbox", "user mina"]) {
    const { exitCode, stderr } = await admin(line.split(" "), "", {
      DATABASE_URL: `file:${path}`,
    });
    expect([exitCode, stderr]).toEqual([1, `There is no database at ${path}\n`]);
  }
  expect(existsSync(dirname(path))).toBe(false);
});

test("a command takes one user, and changes nothing when more are named", async () => {
  const { token } = await service.user("first");
  await service.user("second");
  const lines = ["disable", "end-sessions", "delete"].map((name) => [name, "first", "second"]);
  for (const args of [...lines, ["delete", "first", "second", "--yes"]]) {
    expect(await admin(args)).toMatchObject({ exitCode: 1, stdout: "" });
  }
  expect((await service.call("GET", "/users/me", { token })).status).toBe(200);
});

describe("a user", () => {
  test.each(["mina", "MINA", "mina@example.com"])("is found as %s", async (who) => {
    if ((await logIn("mina")).status !== 200) {
      const { token } = await service.user("mina");
      await service.call("POST", "/users/email/otp", {
        token,
        json: { email: "mina@example.com" },
      });
      const otp = await service.nextOtp("mina@example.com");
      await service.call("POST", "/users/email/otp/verify", { token, json: { otp } });
      await service.call("POST", "/todos", { token, json: { contents: "Buy milk" } });
    }
    const { exitCode, stdout } = await admin(["user", who]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^username: +mina$/m);
    expect(stdout).toMatch(/^email: +mina@example\.com$/m);
    expect(stdout).toMatch(/^todos: +1$/m);
    expect(stdout).toMatch(/^text_mib: +0$/m);
    expect(stdout).not.toContain("argon2");
  });

  test("is found by id, and nobody is by another name", async () => {
    const { id } = await service.user("by-id");
    expect((await admin(["user", `id=${id}`])).stdout).toMatch(/^username: +by-id$/m);
    for (const who of ["nobody", "id=999999", "id=0", "id=99999999999999999999", "%"]) {
      const { exitCode, stderr } = await admin(["user", who]);
      expect([who, exitCode, stderr.trim()]).toEqual([who, 1, "There is no such user"]);
    }
    expect((await admin(["user", ""])).exitCode).toBe(1);
  });
});

test("a disabled user has no session, and is refused as with a wrong password until enabled", async () => {
  const { id, token, refresh_token } = await service.user("disabled");
  const disabled = await admin(["disable", "disabled"]);
  expect(disabled).toMatchObject({
    exitCode: 0,
    stdout: "Disabled disabled. Every session has ended.\n",
  });
  // The security event has only the user's id, not the name.
  const event = JSON.parse(disabled.stderr);
  expect(event).toMatchObject({ level: "WARN", event: "disabled", user_id: id });

  expect((await service.call("GET", "/users/me", { token })).status).toBe(401);
  const refreshed = await service.call("POST", "/users/refresh", { json: { refresh_token } });
  expect(refreshed.status).toBe(401);
  const tell = async (response: Response) => {
    const { instance, ...problem } = await response.json();
    return { status: response.status, problem };
  };
  const right = await tell(await logIn("disabled"));
  expect(right).toEqual(await tell(await logIn("disabled", "wrong horse battery")));
  expect(right.status).toBe(401);

  expect((await admin(["enable", "disabled"])).exitCode).toBe(0);
  expect((await logIn("disabled")).status).toBe(200);
});

test("sessions are listed and ended", async () => {
  const { token } = await service.user("sessions");
  await logIn("sessions");
  const { stdout } = await admin(["sessions", "sessions"]);
  expect(stdout.trim().split("\n")).toHaveLength(3);
  expect((await admin(["end-sessions", "sessions"])).stdout).toBe("Ended 2 sessions.\n");
  expect((await service.call("GET", "/users/me", { token })).status).toBe(401);
  expect((await admin(["sessions", "sessions"])).stdout).toBe("None.\n");
});

test("no user agent can control the terminal that lists sessions", async () => {
  await service.user("steering");
  const answer = await service.call("POST", "/users/log-in", {
    json: { username: "steering", password: PASSWORD },
    headers: { "user-agent": "before\u009b2Jafter" },
  });
  expect(answer.status).toBe(200);
  const listed = async () => {
    const { stdout } = await admin(["sessions", "steering"]);
    expect(stdout).toContain("after");
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  };
  await listed();
  // As a former version stored it.
  await service.services.database.$client.execute({
    sql: "UPDATE sessions SET user_agent = ? WHERE user_agent LIKE ?",
    args: ["before\u001b[31m\u009b2J\rafter", "before%after"],
  });
  await listed();
});

test("a user is deleted with all that is theirs, but not by mistake", async () => {
  const { id, token } = await service.user("deleted");
  await service.call("POST", "/todos", { token, json: { contents: "Buy milk" } });
  expect((await logIn("deleted", "wrong horse battery")).status).toBe(401);
  const kindsOf = async (user_id: number) => {
    const { rows } = await service.services.database.$client.execute({
      sql: "SELECT kind FROM ttl WHERE key = ? OR key LIKE ? ORDER BY kind",
      args: [`u:${user_id}`, `u:${user_id}/%`],
    });
    return rows.map((row) => row[0]);
  };
  const counted = ["account_failures", "known_network", "password_failures"];
  expect(await kindsOf(id)).toEqual(counted);
  expect(await admin(["delete", "deleted"])).toMatchObject({ exitCode: 1, stdout: "" });
  expect((await service.call("GET", "/users/me", { token })).status).toBe(200);

  expect((await admin(["delete", "deleted", "--yes"])).exitCode).toBe(0);
  expect((await service.call("GET", "/users/me", { token })).status).toBe(401);
  for (const [table, column] of Object.entries({
    users: "id",
    sessions: "user_id",
    todos: "user_id",
  })) {
    const { rows } = await service.services.database.$client.execute({
      sql: `SELECT count(*) FROM ${table} WHERE ${column} = ?`,
      args: [id],
    });
    expect([table, rows[0]?.[0]]).toEqual([table, 0]);
  }
  // The networks of their log-ins are deleted, too.
  expect(await kindsOf(id)).toEqual([]);
  await service.user("deleted");
});

test("a test mail goes out, and the reason is told when it does not", async () => {
  expect(await admin(["mail-test", "you@example.com"])).toMatchObject({ exitCode: 0 });
  expect((await service.nextMail("you@example.com")).subject).toMatch(/\w/);
  const refused = await admin(["mail-test", "you@example.com"], "", {
    MAIL_URL: "smtp://127.0.0.1:1",
  });
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toStartWith("The mail was not accepted (MAIL_URL, MAIL_FROM): ");
});

test("the outbox shows what waits, without addresses and codes", async () => {
  await service.user("waiting");
  await service.services.database.$client.execute(
    `INSERT INTO outbox (user_id, "to", template, data, attempts, next_attempt_at, expires_at, created_at)
     SELECT id, 'secret@example.com', 'verify_email', '{"otp":"424242"}', 3, 9e12, 9e12, 1
     FROM users WHERE username = 'waiting'`,
  );
  const { stdout } = await admin(["outbox"]);
  expect(stdout).toMatch(/verify_email +3 /);
  expect(stdout).not.toMatch(/secret|424242/);
  await service.services.database.$client.execute("DELETE FROM outbox");
});

test("a request is found in a log that is piped in", async () => {
  const line = (id: string, message: string) => JSON.stringify({ message, request_id: id });
  const log = [line("a", "GET /todos"), "not JSON", line("b", "GET /"), line("a", "cause")];
  const { stdout } = await admin(["request", "a"], log.join("\n"));
  expect(stdout).toBe(`${log[0]}\n${log[3]}\n`);
  expect((await admin(["request", "c"], log.join("\n"))).exitCode).toBe(1);
});
