/**
 * The Eden treaty client with the types of `App`: its input and the answer for each status, for tsc and at run time.
 */
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "bun:test";
import { treaty } from "@elysiajs/eden";
import type { App } from "../../src/app.ts";
import { PASSWORD, type Service, startService } from "../service.ts";

interface Todo {
  id: number;
  contents: string;
  notes: string | null;
  is_done: boolean;
  done_at: string | null;
  priority: number;
  due: { date: string; time: string | null; zone: string | null; at: string | null } | null;
  repeat: Repeat | null;
  list_id: number | null;
  position: number;
  rev: number;
  created_at: string;
  updated_at: string;
}

interface Repeat {
  every: number;
  unit: "day" | "week" | "month" | "year";
  weekdays?: number[];
  from: "due" | "done";
}

interface Tokens {
  access_token: string;
  token_type: "bearer";
  expires_in: number;
  refresh_token: string;
}

let service: Service;
let client: ReturnType<typeof connect>;

// Without `parseDate: false`, contents that look like a date would become a Date.
const connect = (token?: string) =>
  treaty<App>(service.url, {
    parseDate: false,
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  });

beforeAll(async () => {
  service = await startService();
  const { token } = await service.user("mina");
  client = connect(token);
});

afterAll(() => service.stop());

/** The answer's data, in a test that expects no error. */
function succeeded<Data>({ data, error }: { data: Data; error: unknown }): NonNullable<Data> {
  expect(error).toBeNull();
  if (data === null || data === undefined) throw new Error("no data");
  return data;
}

describe("users", () => {
  test("sign up", async () => {
    const json = { username: "Newcomer", password: PASSWORD };
    const answer = await connect().users["sign-up"].post(json);
    const user = succeeded(answer);
    expectTypeOf(user).toEqualTypeOf<{ id: number; username: string }>();
    expect(answer.status).toBe(201);
    expect(user).toEqual({ id: expect.any(Number), username: "Newcomer" });

    const { data, error } = await connect().users["sign-up"].post(json);
    expect(data).toBeNull();
    if (error?.status !== 409) throw new Error("expected 409");
    expectTypeOf(error.value.code).toEqualTypeOf<"username_taken">();
    expect(error.value.code).toBe("username_taken");
  });

  test("log in, and refresh", async () => {
    const json = { username: "mina", password: PASSWORD };
    const tokens = succeeded(await connect().users["log-in"].post(json));
    expectTypeOf(tokens).toEqualTypeOf<Tokens>();
    const { refresh_token } = tokens;
    const next = succeeded(await connect().users.refresh.post({ refresh_token }));
    expectTypeOf(next).toEqualTypeOf<Tokens>();
    expect(next.refresh_token).not.toBe(refresh_token);

    const { error } = await connect().users["log-in"].post({ ...json, password: "wrong horse" });
    if (error?.status !== 401) throw new Error("expected 401");
    expectTypeOf(error.value.code).toEqualTypeOf<"invalid_credentials">();
    expect(error.value.code).toBe("invalid_credentials");
  });

  test("me, and sessions", async () => {
    const me = succeeded(await client.users.me.get());
    expectTypeOf(me).toEqualTypeOf<{
      id: number;
      username: string;
      email: string | null;
      created_at: string;
    }>();
    expect(me.username).toBe("mina");
    expect(me.created_at).toBeString();

    const { sessions } = succeeded(await client.users.me.sessions.get());
    expectTypeOf(sessions).toEqualTypeOf<
      {
        id: string;
        created_at: string;
        last_used_at: string;
        expires_at: string;
        user_agent: string | null;
        ip: string | null;
        current: boolean;
      }[]
    >();
    expect(sessions.filter(({ current }) => current)).toHaveLength(1);

    const { error } = await client.users.me.sessions({ id: "none" }).delete();
    if (error?.status !== 404) throw new Error("expected 404");
    expectTypeOf(error.value.code).toEqualTypeOf<"session_not_found">();
    expect(error.value.code).toBe("session_not_found");
  });

  test("password, and log out", async () => {
    const json = { username: "Leaver", password: PASSWORD };
    await connect().users["sign-up"].post(json);
    const { access_token } = succeeded(await connect().users["log-in"].post(json));
    const leaver = connect(access_token);
    const change = { current_password: "wrong horse", new_password: "zk4#qwpj" };
    const { error } = await leaver.users.me.password.put(change);
    if (error?.status !== 403) throw new Error("expected 403");
    expectTypeOf(error.value.code).toEqualTypeOf<"wrong_password">();
    expect(error.value.code).toBe("wrong_password");

    const answer = await leaver.users["log-out"].post();
    expect(answer.status).toBe(204);
    expectTypeOf<Extract<typeof answer.data, object>>().toBeNever();
    const { error: ended } = await leaver.users.me.get();
    if (ended?.status !== 401) throw new Error("expected 401");
    expectTypeOf(ended.value.code).toEqualTypeOf<"unauthorized">();
    expect(ended.value.code).toBe("unauthorized");
  });
});

describe("todos", () => {
  test("add, and list", async () => {
    const todo = succeeded(await client.todos.post({ contents: "2024-01-01T00:00:00.000Z" }));
    expectTypeOf(todo).toEqualTypeOf<Todo>();
    expect(todo.contents).toBe("2024-01-01T00:00:00.000Z");
    const query = { order: "DESC", is_done: false, limit: 1 } as const;
    const page = succeeded(await client.todos.get({ query }));
    expectTypeOf(page).toEqualTypeOf<{ todos: Todo[]; next_cursor: string | null }>();
    expect(page).toEqual({ todos: [todo], next_cursor: null });
  });

  test("read, change and delete", async () => {
    const { id } = succeeded(await client.todos.post({ contents: "Buy milk" }));
    const todo = succeeded(await client.todos({ id }).get());
    expectTypeOf(todo).toEqualTypeOf<Todo>();
    const changed = succeeded(await client.todos({ id }).patch({ is_done: true }));
    expectTypeOf(changed).toEqualTypeOf<Todo>();
    const { updated_at } = changed;
    expect(changed).toMatchObject({ id, is_done: true, done_at: updated_at, updated_at });

    const deleted = await client.todos({ id }).delete();
    expect(deleted.status).toBe(204);
    expect(deleted.error).toBeNull();
    expectTypeOf<Extract<typeof deleted.data, object>>().toBeNever();

    const { data, error } = await client.todos({ id }).get();
    expect(data).toBeNull();
    if (error?.status !== 404) throw new Error("expected 404");
    expectTypeOf(error.value.code).toEqualTypeOf<"todo_not_found">();
    expect(error.value.code).toBe("todo_not_found");
  });

  test("what is not valid says where", async () => {
    const { error } = await client.todos.post({ contents: "" });
    if (error?.status !== 422) throw new Error("expected 422");
    expectTypeOf(error.value.code).toEqualTypeOf<"validation_failed" | "idempotency_key_reused">();
    expectTypeOf(error.value.errors).toEqualTypeOf<
      ({ pointer: string; detail: string } | { parameter: string; detail: string })[] | undefined
    >();
    expect(error.value.errors).toEqual([{ pointer: "/contents", detail: expect.any(String) }]);
  });

  test("an error's status is one of those that its route can have", async () => {
    const { error } = await client.todos({ id: 1 }).get();
    type Status = NonNullable<typeof error>["status"];
    expectTypeOf<Status>().toEqualTypeOf<401 | 404 | 421 | 422 | 500 | 503>();
  });

  test("what a request takes is typed too", () => {
    type NewTodo = Parameters<typeof client.todos.post>[0];
    expectTypeOf<NewTodo>().toEqualTypeOf<{
      contents: string;
      notes?: string | null;
      is_done?: boolean;
      priority?: number;
      due?: {
        date: string;
        time?: string | null;
        zone?: string | null;
        at?: string | null;
      } | null;
      repeat?: Repeat | null;
      list_id?: number | null;
    }>();
    const refused: NewTodo[] = [
      // @ts-expect-error contents are text
      { contents: 5 },
      // @ts-expect-error there is no such field
      { contents: "x", user_id: 1 },
    ];
    expect(refused).toHaveLength(2);
  });
});

describe("the rest", () => {
  test("ping", async () => {
    const { data, error } = await connect().get();
    expectTypeOf(data).toEqualTypeOf<{ ping: "pong" } | null>();
    expect(data).toEqual({ ping: "pong" });
    type Status = NonNullable<typeof error>["status"];
    expectTypeOf<Extract<Status, 401 | 404 | 409>>().toBeNever();
  });

  test("the errors of /token are OAuth's", async () => {
    const { error } = await connect().token.post({});
    // Eden sends JSON, which /token does not take.
    if (error?.status !== 415) throw new Error("expected 415");
    expectTypeOf(error.value.error).toEqualTypeOf<"invalid_request">();
    expect(error.value.error).toBe("invalid_request");
  });
});
