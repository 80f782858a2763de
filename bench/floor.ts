/**
 * The floor for `compare.ts`: a server on Bun.serve and bun:sqlite, with nothing in between. Its answers are the same
 * as the service's, and have the same length. Each statement checks the session, and a write is on the disk before it
 * is answered. There is no validation and no log, and writes do not share commits. Its only user and session have the
 * id `1`. PORT and DATABASE say where it listens and stores its data.
 */
import { Database } from "bun:sqlite";

const db = new Database(process.env.DATABASE);
db.run("PRAGMA journal_mode=WAL");
db.run("PRAGMA synchronous=FULL");
db.run("CREATE TABLE sessions (id INTEGER PRIMARY KEY, user_id INTEGER, expires_at INTEGER)");
db.run(`CREATE TABLE todos (
  id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, contents TEXT, is_done INTEGER, created_at INTEGER, updated_at INTEGER
)`);
db.run("CREATE INDEX todos_user_id ON todos (user_id, id)");
db.run("INSERT INTO sessions VALUES (1, 1, 1e15)");

interface Row {
  id: number;
  contents: string;
  is_done: number;
  created_at: number;
  updated_at: number;
}

const columns = "id, contents, is_done, created_at, updated_at";
const owner = "(SELECT user_id FROM sessions WHERE id = ? AND expires_at > ?)";
const list = db.prepare<Row, [number, number, number]>(
  `SELECT ${columns} FROM todos WHERE user_id = ${owner} ORDER BY id LIMIT ?`,
);
const read = db.prepare<Row, [number, number, number]>(
  `SELECT ${columns} FROM todos WHERE user_id = ${owner} AND id = ?`,
);
const create = db.prepare<Row, [number, number, string, number, number, number]>(
  `INSERT INTO todos (user_id, contents, is_done, created_at, updated_at) VALUES (${owner}, ?, ?, ?, ?) RETURNING ${columns}`,
);
const update = db.prepare<Row, [number, number, number, number, number]>(
  `UPDATE todos SET is_done = ?, updated_at = ? WHERE user_id = ${owner} AND id = ? RETURNING ${columns}`,
);

const toTodo = ({ id, contents, is_done, created_at, updated_at }: Row) => ({
  id,
  contents,
  is_done: is_done === 1,
  created_at: new Date(created_at).toISOString(),
  updated_at: new Date(updated_at).toISOString(),
});
const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  async fetch(request) {
    const { method, url } = request;
    const path = url.slice(url.indexOf("/", 8));
    if (path === "/") return json({ ping: "pong" });
    const session = Number(request.headers.get("authorization")?.slice("Bearer ".length));
    const now = Date.now();
    if (path.startsWith("/todos?")) {
      return json({ todos: list.all(session, now, 50).map(toTodo), next_cursor: null });
    }
    if (method === "POST") {
      const { contents, is_done } = await request.json();
      const row = create.get(session, now, contents, Number(is_done), now, now);
      return json(row && toTodo(row), 201);
    }
    const id = Number(path.slice("/todos/".length));
    if (method === "PATCH") {
      const { is_done } = await request.json();
      const row = update.get(Number(is_done), now, session, now, id);
      return json(row && toTodo(row));
    }
    const row = read.get(session, now, id);
    return json(row && toTodo(row));
  },
});
