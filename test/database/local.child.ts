/** The other process in local.test.ts: `hold` or `write` on the database file given as second argument. */
import { writeSync } from "node:fs";
import Database from "libsql";
import { openLocal } from "../../src/database/local.ts";

const [, , command, path = "", writer = "", limit = "Infinity"] = process.argv;
// Written at once, since the process may be killed right after.
const print = (line: string) => writeSync(1, `${line}\n`);

if (command === "hold") {
  const database = new Database(path);
  database.exec("BEGIN IMMEDIATE");
  print("locked");
  for await (const _ of Bun.stdin.stream()) {
    // Holds the lock until the parent ends the input.
  }
  database.exec("COMMIT");
} else {
  const client = openLocal(path);
  for (let i = 0; i < Number(limit); i++) {
    const id = `${writer}-${i}`;
    await client.execute("INSERT INTO notes (id) VALUES (?)", [id]);
    print(id);
  }
  client.close();
}
