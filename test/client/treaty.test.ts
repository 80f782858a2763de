/**
 * The input and output of the client, against a running service: values, errors, path parameters, and all their types.
 */
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "bun:test";
import type { Client, Problems, Todo } from "../../src/client/client.ts";
import { type Service, startService } from "../service.ts";
import { connectTo, logIn } from "./connect.ts";

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

async function connect() {
  const connection = connectTo(service.url);
  await logIn(connection.client);
  return connection;
}

describe("values", () => {
  test.each(["2024-01-01", "2024-01-01T00:00:00.000Z", "01/02/2024"])(
    "a todo that reads %p stays text",
    async (contents) => {
      const { client } = await connect();
      const { data } = await client.todos.post({ contents });
      expect(data?.contents).toBe(contents);
    },
  );

  test("times are the strings that the service sent", async () => {
    const { client } = await connect();
    const { data, response } = await client.users.me.get();
    expect(data?.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(response.status).toBe(200);
  });

  test("a query and a path reach the service", async () => {
    const { client } = await connect();
    await client.todos.post({ contents: "one" });
    const { data: two } = await client.todos.post({ contents: "two", is_done: true });
    const { data: page } = await client.todos.get({ query: { order: "DESC", limit: 1 } });
    expect(page?.todos).toEqual(two ? [two] : []);
    const { data: read } = await client.todos({ id: two?.id ?? 0 }).get();
    expect(read).toEqual(two);
  });

  test("headers are sent, and those of the answer can be read", async () => {
    const { client, sent } = await connect();
    await client.todos.post({ contents: "one" });
    await client.todos.post({ contents: "two" });
    const headers = { "X-Request-Id": "of-this-test" };
    const answer = await client.todos.get({ query: { limit: 1 }, headers });
    expect(sent.at(-1)?.headers.get("x-request-id")).toBe("of-this-test");
    expect(answer.headers.get("x-request-id")).toBe("of-this-test");
    expect(answer.headers.get("link")).toEndWith('; rel="next"');
  });
});

test("the options of a request without a body come after undefined or null", async () => {
  const { client } = await connect();
  const { data } = await client.todos.post({ contents: "Buy milk" });
  const todo = client.todos({ id: data?.id ?? 0 });
  const headers = { "if-match": '"999"' };
  expect((await todo.delete(undefined, { headers })).status).toBe(412);
  expect((await todo.delete(null, { headers })).status).toBe(412);
  // Otherwise they would be the body, which is not sent.
  expectTypeOf<Parameters<typeof todo.delete>[0]>().toEqualTypeOf<null | undefined>();
});

describe("errors", () => {
  test("say what went wrong in their message: the problem's detail", async () => {
    const { client } = await connect();
    const { error } = await client.todos({ id: 999_999 }).get();
    expect(error?.value.detail).toBe("You have no such todo.");
    expect(error?.message).toBe("You have no such todo.");
  });

  test("have the status as their message where the answer is no problem, as of a proxy", async () => {
    const page = () => new Response("<h1>Bad Gateway</h1>", { status: 502 });
    const { client } = connectTo(service.url, { detour: async () => page() });
    const { error, status } = await client.get();
    expect([status, error?.message]).toEqual([502, "HTTP 502"]);
  });
});

describe("a path parameter", () => {
  const refused = [
    ["a path to another route", "../users/me/sessions"],
    ["two dots", ".."],
    ["a dot", "."],
    ["their escapes", "%2e%2e"],
    ["an escaped slash", "..%2fusers%2fme%2fsessions"],
    ["a query", "1?limit=1"],
    ["a fragment", "1#"],
    ["a backslash, which URLs read as a slash", "..\\users\\me\\sessions"],
    ["a tab, which URLs leave out", ".\t."],
    ["nothing", ""],
    ["a number that is no integer", 1.5],
  ] as const;
  test.each(refused)("that is %s is refused before anything is sent", async (_, id) => {
    const { client, sent } = await connect();
    await client.users.me.get();
    sent.length = 0;
    expect(() => client.todos({ id }).delete()).toThrow(TypeError);
    expect(() => client.users.me.sessions({ id: String(id) }).delete()).toThrow(TypeError);
    expect(sent).toEqual([]);
    expect((await client.users.me.get()).status).toBe(200);
  });

  test.each([[{}], [undefined], [null], [{ id: {} }], [{ id: undefined }]])(
    "that is missing, as in %p, is refused too",
    async (parameters) => {
      const { client, sent } = await connect();
      sent.length = 0;
      // As a program without a type checker would write it.
      expect(() => client.todos(parameters as { id: number }).get()).toThrow(TypeError);
      expect(sent).toEqual([]);
    },
  );

  test("may be any id of the service", async () => {
    const { client } = await connect();
    const { data } = await client.todos.post({ contents: "Buy milk" });
    if (!data) throw new Error("no todo");
    expect((await client.todos({ id: data.id }).get()).status).toBe(200);
    expect((await client.todos({ id: String(data.id) }).get()).status).toBe(200);
    const { data: mine } = await client.users.me.sessions.get();
    const [session] = mine?.sessions ?? [];
    expect((await client.users.me.sessions({ id: session?.id ?? "" }).delete()).status).toBe(204);
  });
});

test("a part of a path may be what an async function returns", async () => {
  const { client, sent } = await connect();
  sent.length = 0;
  const todo = await (async () => client.todos({ id: 999_999 }))();
  expect(sent).toEqual([]);
  expect((await todo.get()).status).toBe(404);
});

describe("types", () => {
  test("of bodies, queries and answers", () => {
    type Added = Awaited<ReturnType<Client["todos"]["post"]>>;
    expectTypeOf<NonNullable<Added["data"]>>().toEqualTypeOf<Todo>();
    expectTypeOf<Added["headers"]>().toEqualTypeOf<Headers>();
    type NewTodo = Parameters<Client["todos"]["post"]>[0];
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
      repeat?: Todo["repeat"];
      list_id?: number | null;
    }>();
    type Query = NonNullable<NonNullable<Parameters<Client["todos"]["get"]>[0]>["query"]>;
    const refused: Query[] = [
      // @ts-expect-error the order is ASC or DESC
      { order: "UP" },
      // @ts-expect-error no such parameter
      { page: 2 },
    ];
    expect(refused).toHaveLength(2);
  });

  test("leave out what this client cannot send or read", () => {
    expectTypeOf<Extract<keyof Client, "token" | "swagger">>().toBeNever();
    expectTypeOf<Extract<keyof Client["todos"], "events">>().toBeNever();
    expectTypeOf<Extract<keyof Client["todos"], "changes">>().toEqualTypeOf<"changes">();
  });

  test("of errors are narrowed by their status, to those of the route", () => {
    type SignUp = Awaited<ReturnType<Client["users"]["sign-up"]["post"]>>;
    type SignUpError = NonNullable<SignUp["error"]>;
    expectTypeOf<SignUpError["status"]>().toEqualTypeOf<
      400 | 409 | 413 | 415 | 421 | 422 | 429 | 500 | 503
    >();
    expectTypeOf<SignUpError["message"]>().toEqualTypeOf<string>();
    type Taken = Extract<SignUpError, { status: 409 }>["value"];
    expectTypeOf<Taken>().toEqualTypeOf<Problems["username_taken"]>();
    type Invalid = Extract<SignUpError, { status: 422 }>["value"]["code"];
    expectTypeOf<Invalid>().toEqualTypeOf<"validation_failed" | "weak_password">();
    // A route that takes no values has no 422.
    type Ready = Awaited<ReturnType<Client["health"]["ready"]["get"]>>;
    expectTypeOf<NonNullable<Ready["error"]>["status"]>().toEqualTypeOf<421 | 500 | 503>();
  });
});
