/** The rows that requests make in the TTL table: all are short, and none shows a name or an address. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { PASSWORD, type Service, startService } from "../service.ts";

/** Bytes of a row: its kind, its key and its value, and its end as a number. */
const LONGEST = 200;
const SIZE = "length(CAST(kind || key || value AS BLOB)) + 8";

let service: Service;

beforeAll(async () => {
  service = await startService({ TRUST_PROXY: "1" });
});
afterAll(() => service.stop());

async function rowsOf(sql: string): Promise<unknown[][]> {
  const { rows } = await service.services.database.$client.execute(sql);
  return rows.map((row) => Object.values(row));
}

test("are at most 200 bytes long, whatever is sent to whatever route", async () => {
  // The longest possible values: an IPv6 network without zeros, and user ids and session ids of full length.
  await service.services.database.$client.execute(
    `INSERT INTO sqlite_sequence (name, seq) SELECT 'users', ${Number.MAX_SAFE_INTEGER - 1000}
     WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'users')`,
  );
  const headers = { "x-forwarded-for": "fedc:ba98:7654:3210:fedc:ba98:7654:3210" };
  const local = "Zq7canary".padEnd(64, "y");
  const domain = ["b", "c", "d"].map((letter) => letter.repeat(61)).join(".");
  const email = `${local}@${domain}.com`;
  expect(email).toHaveLength(254);
  const longName = "\u{1F98A}".repeat(254);
  const username = "Zq7canary".padEnd(32, "x");
  const password = "\u{1F98A}".repeat(256);

  const call = (method: string, path: string, json?: unknown, token?: string) =>
    service.call(method, path, {
      headers,
      ...(json !== undefined && { json }),
      ...(token !== undefined && { token }),
    });
  const signedUp = await call("POST", "/users/sign-up", { username, password: PASSWORD, email });
  expect(signedUp.status).toBe(201);
  const credentials = { username, password: PASSWORD };
  const { access_token: token } = await (await call("POST", "/users/log-in", credentials)).json();

  // Every route with the longest values, again and again, until all limits have counted.
  const bodies: Record<string, unknown> = {
    "POST /users/sign-up": { username: `${username.slice(1)}y`, password, email },
    "POST /users/log-in": { username: longName, password },
    "POST /users/refresh": { refresh_token: "x".repeat(4096) },
    "PUT /users/me/password": { current_password: password, new_password: password },
    "DELETE /users/me": { password },
    "POST /users/email/otp": { email, password },
    "POST /users/email/otp/verify": { otp: "\u{1F98A}".repeat(32) },
    "POST /users/password/otp": { email },
    "POST /users/password/reset": { email, otp: "\u{1F98A}".repeat(32), new_password: password },
    "POST /todos": { contents: "\u{1F98A}".repeat(1000) },
  };
  const untouched = new Set(Object.keys(bodies));
  for (const { method, path } of service.app.routes) {
    const name = `${method} ${path}`;
    untouched.delete(name);
    // These requests end the session, so they come last.
    if (name === "DELETE /users/me/sessions" || name === "POST /users/log-out") continue;
    for (let i = 0; i < 7; i++) {
      await call(method, path.replace(":id", "x".repeat(4000)), bodies[name], token);
    }
  }
  expect([...untouched]).toEqual([]);
  for (const name of [username, email, longName]) {
    for (let i = 0; i < 7; i++) {
      const body = new URLSearchParams({ username: name, password });
      await service.call("POST", "/token", { body, headers });
      await call("POST", "/users/log-in", { username: name, password });
    }
  }

  const kinds = (await rowsOf("SELECT DISTINCT kind FROM ttl ORDER BY kind")).flat();
  expect(kinds).toEqual([
    "account_failures",
    "known_network",
    "password_failures",
    "reset_code",
    "reset_failures",
    "reset_sends",
    "reset_wait",
    "verification_sends",
    "verification_wait",
  ]);
  const long = await rowsOf(`SELECT kind, key, value, ${SIZE} FROM ttl WHERE ${SIZE} > ${LONGEST}`);
  expect(long).toEqual([]);
  const text = JSON.stringify(await rowsOf("SELECT * FROM ttl")).toLowerCase();
  expect(text).not.toContain("zq7canary");
});
