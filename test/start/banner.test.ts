/** The banner of the service on a terminal. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { banner } from "../../src/start/banner.ts";
import { temporaryFolder } from "../process.ts";

const MAIN = join(import.meta.dir, "../../src/main.bun.ts");
const SECRET = "a secret of this test run alone, long enough";

/** The rows of a banner by their names. */
const rowsOf = (text: string) =>
  Object.fromEntries(
    Array.from(text.matchAll(/^ {2}([\w ]+?) {2,}(.+?)\r?$/gm), ([, name, value]) => [name, value]),
  );

test("on a terminal it says where everything is, and takes Ctrl+C", async () => {
  using folder = temporaryFolder();
  let printed = "";
  const listening = Promise.withResolvers<void>();
  const child = Bun.spawn([process.execPath, MAIN], {
    cwd: folder.path,
    env: { PORT: "0" },
    terminal: {
      cols: 120,
      data(terminal, data) {
        printed += new TextDecoder().decode(data);
        if (!printed.includes("Stop ")) return;
        listening.resolve();
        terminal.write("\x03");
      },
    },
  });
  await Promise.race([listening.promise, child.exited]);
  expect(await child.exited).toBe(0);
  const [, url = ""] = /listening on (http:\S+:\d+)/.exec(printed) ?? [];
  const { port } = new URL(url);
  expect(rowsOf(printed)).toEqual({
    "Try it": `http://localhost:${port}/swagger`,
    API: `http://localhost:${port}`,
    Data: join(folder.path, "data/todos.db"),
    Mails: "printed here (set MAIL_URL to send them)",
    Stop: "Ctrl+C",
  });
});

test.each([
  ["http://0.0.0.0:3000/", "http://localhost:3000"],
  ["http://[::]:8080/", "http://localhost:8080"],
  ["http://192.0.2.7:3000/", "http://192.0.2.7:3000"],
])("what listens on %s is opened at %s", (url, opened) => {
  expect(rowsOf(banner(url, readConfig({}))).API).toBe(opened);
});

test.each([
  [{ DATABASE_URL: "file:/var/lib/todos.db" }, "/var/lib/todos.db"],
  [{ DATABASE_URL: "libsql://todos.example" }, "todos.example"],
  [
    { DATABASE_URL: "file:/var/lib/todos.db", DATABASE_SYNC_URL: "https://todos.example" },
    "/var/lib/todos.db, a replica of todos.example",
  ],
])("with %p the data is in %s", (environment, place) => {
  const config = readConfig({ JWT_SECRET: SECRET, ...environment });
  expect(rowsOf(banner("http://127.0.0.1:3000/", config)).Data).toBe(place);
});

test.each([
  ["smtps://user:password@mail.example:465", "sent by mail.example:465"],
  ["resend://a-key", "sent by resend"],
])("with MAIL_URL=%s the mails are %s, and no password or key is shown", (url, place) => {
  const config = readConfig({ MAIL_URL: url, MAIL_FROM: "todos@example.com" });
  expect(rowsOf(banner("http://127.0.0.1:3000/", config)).Mails).toBe(place);
});
