/**
 * The tests that move the clock, and those of the operator's commands, on a libSQL server. The tests of the matrix run
 * in a process whose clock they cannot move. A server may return rows, numbers and `changes()` differently than a file.
 */
import { expect, test } from "bun:test";
import { runTests } from "../elsewhere.ts";

const FILES = [
  "test/auth/budgets.test.ts",
  "test/auth/security-log.test.ts",
  "test/database/removal.test.ts",
  "test/database/ttl-rows.test.ts",
  "test/otp/reset.test.ts",
  "test/otp/verification.test.ts",
  "test/sessions/sessions.test.ts",
  "test/sessions/throttle.test.ts",
  "test/users/users.test.ts",
];

test("every test that moves the clock passes on a server", async () => {
  const { passed, failures, code } = await runTests({ TODOS_ON_SERVER: "1" }, FILES, []);
  expect({ failures, code }).toEqual({ failures: [], code: 0 });
  expect(passed).toBeGreaterThan(200);
}, 600_000);

test("the operator's commands work on a server as on a file", async () => {
  const files = ["test/start/admin.test.ts"];
  const { passed, failures, code } = await runTests({ TODOS_ON_SERVER: "1" }, files, []);
  expect({ failures, code }).toEqual({ failures: [], code: 0 });
  expect(passed).toBeGreaterThan(10);
}, 120_000);
