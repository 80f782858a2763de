/**
 * What syncing needs of the contract, in memory and over HTTP: todos and lists with revisions, changes, batches,
 * idempotency keys, ETags and events. It has no passwords: whoever gives a name is logged in.
 */

export interface Row {
  type: "todo" | "list";
  id: number;
  rev: number;
  position: number;
  updated_at: string;
  /** Of a todo. */
  list_id?: number | null;
  [field: string]: unknown;
}

type Json = Record<string, unknown>;

interface Answer {
  status: number;
  content?: unknown;
}

const GAP = 1024;

const newUser = () => ({
  rev: 0,
  ids: 0,
  rows: new Map<number, Row>(),
  trash: new Map<number, Row>(),
  /** Each with its revision. */
  deleted: new Map<number, { type: Row["type"]; id: number; rev: number }>(),
  /** By idempotency key. */
  answers: new Map<string, { request: string; answer: Answer }>(),
  streams: new Set<(event: string) => void>(),
});
type User = ReturnType<typeof newUser>;

const problem = (status: number, code: string, more: Json = {}): Answer => ({
  status,
  content: { type: "about:blank", title: code, status, code, detail: `It is ${code}.`, ...more },
});

export type Contract = ReturnType<typeof startContract>;

export function startContract() {
  const users = new Map<string, User>();
  const received: { route: string; query: URLSearchParams; body: string; status: number }[] = [];
  /** What a test may set to make life harder for clients. */
  const behaviour = {
    /** Cursors from before this revision have expired. */
    horizon: 0,
    /** Todos that a user may keep. */
    limit: 10_000,
    /** Answers in place of the service, unless it gives nothing. */
    instead: (_route: string): Response | undefined => undefined,
  };

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, searchParams: query } = new URL(request.url);
      const route = `${request.method} ${pathname}`;
      const body = await request.text();
      const answer = behaviour.instead(route) ?? answerTo(request, route, query, body);
      received.push({ route, query, body, status: answer.status });
      return answer;
    },
  });

  function answerTo(request: Request, route: string, query: URLSearchParams, body: string) {
    if (route === "POST /users/log-in") return Response.json(tokensOf(JSON.parse(body).username));
    const name = userIn(request.headers.get("authorization"));
    if (name === undefined) return toResponse(problem(401, "unauthorized"));
    if (route === "POST /users/log-out") return new Response(null, { status: 204 });
    const user = users.get(name) ?? newUser();
    users.set(name, user);
    if (route === "GET /todos/events") return events(user, query.get("since"));
    if (route === "GET /todos/changes") return toResponse(changes(user, query));
    if (route === "GET /todos") {
      const headers = { etag: `W/"${user.rev}"` };
      const isSame = request.headers.get("if-none-match") === headers.etag;
      return isSame
        ? new Response(null, { status: 304, headers })
        : Response.json({ todos: [], next_cursor: null }, { headers });
    }
    return toResponse(once(user, request, route, body));
  }

  /** A request that comes again by its key is answered as before, and nothing is done twice. */
  function once(user: User, request: Request, route: string, body: string): Answer {
    const key = request.headers.get("idempotency-key") ?? "";
    const known = user.answers.get(key);
    if (known?.request === route + body) return known.answer;
    if (known) return problem(422, "idempotency_key_reused");
    const before = user.rev;
    const answer = write(user, route, JSON.parse(body), request.headers.get("if-match"));
    if (key !== "" && answer.status < 300) user.answers.set(key, { request: route + body, answer });
    if (user.rev > before) for (const tell of user.streams) tell("event: changed\n");
    return answer;
  }

  function write(user: User, route: string, content: Json, ifMatch: string | null): Answer {
    const id = Number(/\d+/.exec(route)?.[0]);
    const if_match = ifMatch === null ? undefined : Number(ifMatch.replaceAll('"', ""));
    switch (route.replace(/\d+/, ":id")) {
      case "POST /todos/batch": {
        // As written by the client under test.
        const results = (content.operations as Json[]).map(({ op, id, ...rest }) => {
          const { status, content } = change(user, "todo", String(op), Number(id), rest);
          return { status, [status < 300 ? "todo" : "problem"]: content };
        });
        return { status: 200, content: { results } };
      }
      case "POST /trash/:id/restore":
        return restore(user, id);
      case "POST /lists":
        return change(user, "list", "create", id, content);
      case "PATCH /lists/:id":
        return change(user, "list", "update", id, { ...content, if_match });
      case "POST /lists/:id/move":
        return change(user, "list", "move", id, content);
      case "DELETE /lists/:id":
        return change(user, "list", "delete", id, {});
      default:
        return problem(404, "not_found");
    }
  }

  function change(user: User, type: Row["type"], op: string, id: number, content: Json): Answer {
    const { if_match, after, ...fields } = content;
    if ([fields.contents, fields.name].includes("")) return problem(422, "validation_failed");
    const list_id = fields.list_id === undefined ? undefined : Number(fields.list_id);
    if (list_id && user.rows.get(list_id)?.type !== "list") return problem(404, "list_not_found");
    if (op === "create") {
      const count = [...user.rows.values()].filter((row) => row.type === type).length;
      if (type === "todo" && count >= behaviour.limit) return problem(403, "limit_reached");
      const row = { ...blank(type), id: ++user.ids, ...fields };
      return { status: 201, content: save(user, { ...row, position: positionIn(user, row) }) };
    }
    const row = user.rows.get(id);
    if (row?.type !== type) return problem(404, `${type}_not_found`);
    if (if_match !== undefined && if_match !== row.rev) {
      return problem(412, "precondition_failed", { current: shown(row) });
    }
    if (op === "delete") {
      const todos = [...user.rows.values()].filter(
        ({ list_id }) => type === "list" && list_id === id,
      );
      user.rev++;
      for (const gone of [row, ...todos]) {
        user.rows.delete(gone.id);
        user.deleted.set(gone.id, { type: gone.type, id: gone.id, rev: user.rev });
        if (gone.type === "todo") user.trash.set(gone.id, gone);
      }
      return { status: 204 };
    }
    if (op === "update") return { status: 200, content: save(user, { ...row, ...fields }) };
    const moved = { ...row, ...fields };
    const anchor = typeof after === "number" ? user.rows.get(after) : undefined;
    if (after != null && (!anchor || !isBeside(anchor, moved))) {
      const errors = [{ pointer: "/after", detail: "Not there." }];
      return problem(422, "validation_failed", { errors });
    }
    const position = positionIn(user, moved, after === null ? null : anchor);
    return { status: 200, content: save(user, { ...moved, position }) };
  }

  function restore(user: User, id: number): Answer {
    const row = user.trash.get(id);
    if (!row) return problem(404, "todo_not_found");
    user.trash.delete(id);
    user.deleted.delete(id);
    const list_id = row.list_id && user.rows.has(row.list_id) ? row.list_id : null;
    const position = positionIn(user, { ...row, list_id });
    return { status: 200, content: save(user, { ...row, list_id, position }) };
  }

  /** By revision; a page may end between two rows of one revision. */
  function changes(user: User, query: URLSearchParams): Answer {
    const since = query.get("since");
    const [rev = 0, id = 0, walk = user.rev] = since?.split(".").map(Number) ?? [];
    if (since !== null && rev < behaviour.horizon) return problem(410, "cursor_expired");
    const deletions = [...user.deleted.values()].filter((each) => walk === -1 || each.rev > walk);
    const all = [...user.rows.values(), ...deletions]
      .filter((each) => each.rev > rev || (each.rev === rev && each.id > id))
      .sort((a, b) => a.rev - b.rev || a.id - b.id);
    const page = all.slice(0, Number(query.get("limit")));
    const last = page.at(-1);
    const has_more = page.length < all.length;
    const next = has_more && last ? `${last.rev}.${last.id}.${walk}` : `${user.rev}.${user.ids}.-1`;
    const told = page.map((each) =>
      "position" in each ? each : { type: each.type, id: each.id, deleted: true },
    );
    return { status: 200, content: { changes: told, next, has_more } };
  }

  function events(user: User, since: string | null): Response {
    let tell: (event: string) => void;
    let telling = Promise.resolve();
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        tell = (event) => {
          const text = `${event}data: {"rev": ${user.rev}}\n\n`;
          // In two pieces, as networks have it.
          telling = telling.then(async () => {
            for (const piece of [text.slice(0, 9), text.slice(9)]) {
              if (user.streams.has(tell)) controller.enqueue(new TextEncoder().encode(piece));
              await Bun.sleep(1);
            }
            if (event !== "event: end\n" || !user.streams.delete(tell)) return;
            controller.close();
          });
        };
        user.streams.add(tell);
        tell(
          since !== null && Number.parseInt(since, 10) < user.rev ? "event: changed\n" : ": hi\n",
        );
      },
      cancel: () => void user.streams.delete(tell),
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }

  const inOrder = (name: string, type: Row["type"]) =>
    [...(users.get(name)?.rows.values() ?? [])]
      .filter((row) => row.type === type)
      .sort((a, b) => a.position - b.position || a.id - b.id);

  return {
    url: server.url.href,
    received,
    behaviour,
    count: (route: string) => received.filter((each) => each.route === route).length,
    /** What the service has of a user, by position. */
    todos: (name: string) => inOrder(name, "todo"),
    lists: (name: string) => inOrder(name, "list"),
    trash: (name: string) => [...(users.get(name)?.trash.values() ?? [])],
    streams: (name: string) => users.get(name)?.streams.size ?? 0,
    /** Ends all streams of events, as a service does that is about to stop. */
    endStreams() {
      for (const { streams } of users.values()) for (const tell of streams) tell("event: end\n");
    },
    stop: () => server.stop(true),
  };
}

/** A row that changed: with a new revision, as answers have it. */
function save(user: User, row: Row): Json {
  const done_at = row.is_done ? (row.done_at ?? now()) : null;
  const given: Json = { time: null, zone: null, ...(row.due as object | null) };
  const due = row.due ? { ...given, at: given.zone && "2026-12-01T00:00:00.000Z" } : null;
  const made = row.type === "todo" ? { ...row, done_at, due } : row;
  if (Bun.deepEquals(user.rows.get(row.id), made)) return shown(made);
  const saved = { ...made, rev: ++user.rev, updated_at: now() };
  user.rows.set(row.id, saved);
  return shown(saved);
}

const isBeside = (a: Row, b: Row) => a.type === b.type && a.list_id === b.list_id && a.id !== b.id;

/** The position behind `anchor`, or first for null, or last without one. The rows behind it make room. */
function positionIn(user: User, row: Row, anchor?: Row | null): number {
  const others = [...user.rows.values()].filter((each) => isBeside(each, row));
  const positions = others.map(({ position }) => position);
  if (anchor === undefined) return Math.max(0, ...positions) + GAP;
  if (anchor === null) return Math.min(GAP, ...positions) - GAP;
  const next = Math.min(...positions.filter((position) => position > anchor.position));
  if (next === Number.POSITIVE_INFINITY) return anchor.position + GAP;
  if (next - anchor.position > 1) return Math.floor((anchor.position + next) / 2);
  for (const each of others) {
    if (each.position <= anchor.position) continue;
    user.rows.set(each.id, { ...each, position: each.position + GAP, rev: user.rev + 1 });
  }
  return anchor.position + 1;
}

const now = () => new Date().toISOString();

const blank = (type: Row["type"]): Row => ({
  type,
  id: 0,
  ...(type === "todo" && {
    notes: null,
    is_done: false,
    done_at: null,
    priority: 0,
    due: null,
    repeat: null,
    list_id: null,
  }),
  position: 0,
  rev: 0,
  created_at: now(),
  updated_at: now(),
});

const shown = ({ type, ...row }: Row) => row;

const toResponse = ({ status, content }: Answer) =>
  content === undefined
    ? new Response(null, { status })
    : new Response(JSON.stringify(content), {
        status,
        headers: { "content-type": `application/${status < 300 ? "json" : "problem+json"}` },
      });

/** The user's name is the whole of their token, and their id. */
const tokensOf = (username: string) => ({
  access_token: `e30.${Buffer.from(JSON.stringify({ sub: username })).toString("base64url")}.x`,
  token_type: "bearer",
  expires_in: 1800,
  refresh_token: username,
});

function userIn(authorization: string | null): string | undefined {
  const [, claims = ""] = authorization?.split(".") ?? [];
  return claims ? JSON.parse(Buffer.from(claims, "base64url").toString()).sub : undefined;
}
