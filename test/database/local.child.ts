/**
 * The second process in the tests of openLocal, on the database file in its second argument. `hold` keeps the write
 * lock until its input ends. `write NAME WRITERS [COUNT]` writes as fast as it can, and `groups NAME SIZE` writes SIZE
 * rows at a time. Both print each acknowledged write on a line.
 */
import { writeSync } from "node:fs";
import Database from "libsql";
import { openLocal } from "../../src/database/local.ts";

const [, , command, path = "", name = "", size = "1", count = "Infinity"] = process.argv;
// Printed at once, because the process may be killed right after.
const print = (line: string) => writeSync(1, `${line}\n`);

/** Each row is written twice, so that a half-finished write is visible. */
const insert = (id: string) => [
  { sql: "INSERT INTO notes (id) VALUES (?)", args: [id] },
  { sql: "INSERT INTO copies (id) VALUES (?)", args: [id] },
];

if (command === "hold") {
  const database = new Database(path);
  database.exec("BEGIN IMMEDIATE");
  print("locked");
  for await (const _ of Bun.stdin.stream()) {
    // The parent ends the input when it wants the lock released.
  }
  database.exec("COMMIT");
} else {
  // The other process keeps its lock while the disk stalls.
  const client = openLocal(path, { busyTimeout: 30_000 });
  if (command === "groups") {
    for (let group = 0; ; group++) {
      const ids = Array.from({ length: Number(size) }, (_, i) => `${name}-${group}-${i}`);
      await Promise.all(ids.map((id) => client.batch(insert(id))));
      print(`${name}-${group}`);
    }
  }
  const writer = async (_: unknown, number: number) => {
    for (let i = 0; i < Number(count); i++) {
      const id = `${name}-${number}-${i}`;
      await client.batch(insert(id));
      print(id);
    }
  };
  await Promise.all(Array.from({ length: Number(size) }, writer));
  client.close();
}
