/**
 * Searches the folded texts of a user with 10,000 todos for a text that is in none of them, so that all of them are
 * read. The database is a file with the rows of ten such users, mixed as they are when many people write. It compares
 * reading the texts from the table with reading them from an index, where a user's texts are next to each other.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocal } from "../src/database/local.ts";
import { fold } from "../src/todos/search.ts";

const TODOS = 10_000;
const USERS = 10;
const ROUNDS = 50;
const QUERIES = [fold("Quarterly Report"), fold("분기 보고서")];
const INDEXES = { table: "todos_user_id", index: "todos_user_id_folded" };
const WORDS =
  "Buy milk and call the plumber about that leaking tap 우유 사기 회의 준비 Straße fegen".split(
    " ",
  );

/** A text with about this many characters, different for each `seed`. */
function words(characters: number, seed: number): string {
  let text = `${seed}`;
  for (let i = seed; text.length < characters; i += 7) text += ` ${WORDS[i % WORDS.length]}`;
  return text;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function scan(characters: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const client = openLocal(join(folder, "todos.db"));
  await client.execute(
    "CREATE TABLE todos (id INTEGER PRIMARY KEY, user_id INTEGER, contents TEXT, folded TEXT)",
  );
  await client.execute("CREATE INDEX todos_user_id ON todos (user_id, id)");
  const texts = Array.from({ length: TODOS }, (_, i) => words(characters, i));
  const start = performance.now();
  const rows = texts.map((text) => [text, fold(text)]);
  const perFold = (1000 * (performance.now() - start)) / TODOS;
  await client.execute({
    sql: `INSERT INTO todos (user_id, contents, folded)
      SELECT user.value, row.value ->> 0, row.value ->> 1
      FROM json_each(?) AS row, json_each(?) AS user`,
    args: [JSON.stringify(rows), JSON.stringify(Array.from({ length: USERS }, (_, i) => i))],
  });
  await client.execute("CREATE INDEX todos_user_id_folded ON todos (user_id, id, folded)");

  const times = new Map(Object.keys(INDEXES).map((place) => [place, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [place, index] of Object.entries(INDEXES)) {
      const start = performance.now();
      const { rows } = await client.execute({
        sql: `SELECT id, contents FROM todos INDEXED BY ${index}
          WHERE user_id = ? AND instr(folded, ?) > 0 ORDER BY id LIMIT 51`,
        args: [round % USERS, QUERIES[round % QUERIES.length] ?? ""],
      });
      times.get(place)?.push(performance.now() - start);
      if (rows.length > 0) throw new Error("Found what is not there");
    }
  }
  const medians = Array.from(times, ([place, each]) => `${place} ${median(each).toFixed(1)} ms`);
  process.stdout.write(
    `${TODOS} texts of ${characters} characters: ${medians.join(", ")}; folding ${perFold.toFixed(1)} µs each\n`,
  );
  client.close();
  rmSync(folder, { recursive: true });
}

for (const characters of [50, 200, 500, 1000]) await scan(characters);
