/** Actions over HTTP for one user, for the tests of todos, lists and the trash. */
import { expect } from "bun:test";
import type { Service } from "../service.ts";

export interface Todo {
  id: number;
  contents: string;
  notes: string | null;
  is_done: boolean;
  done_at: string | null;
  priority: number;
  due: { date: string; time: string | null; zone: string | null; at: string | null } | null;
  repeat: { every: number; unit: string; weekdays?: number[]; from: string } | null;
  list_id: number | null;
  position: number;
  rev: number;
  created_at: string;
  updated_at: string;
}

export interface List {
  id: number;
  name: string;
  position: number;
  rev: number;
  created_at: string;
  updated_at: string;
}

export interface Page {
  todos: Todo[];
  next_cursor: string | null;
}

export type User = Awaited<ReturnType<typeof newUser>>;

/** A new user of `service`. Every function except `call` expects success, and returns the body of the answer. */
export async function newUser(service: Pick<Service, "user" | "call" | "logIn">) {
  const user = await service.user();
  let { token } = user;

  const call = (method: string, path: string, json?: unknown) =>
    service.call(method, path, { token, ...(json !== undefined && { json }) });

  async function succeed(status: number, method: string, path: string, json?: unknown) {
    const response = await call(method, path, json);
    const text = await response.text();
    expect(`${method} ${path} ${response.status} ${text}`).toStartWith(
      `${method} ${path} ${status} `,
    );
    return text === "" ? undefined : JSON.parse(text);
  }

  return {
    ...user,
    call,
    /** Needed when the clock has moved beyond the token's end. */
    async logInAgain() {
      ({ token } = await service.logIn(user.username));
    },
    add: (json: string | object): Promise<Todo> =>
      succeed(201, "POST", "/todos", typeof json === "string" ? { contents: json } : json),
    read: (id: number): Promise<Todo> => succeed(200, "GET", `/todos/${id}`),
    change: (id: number, json: object): Promise<Todo> =>
      succeed(200, "PATCH", `/todos/${id}`, json),
    move: (id: number, json: object): Promise<Todo> =>
      succeed(200, "POST", `/todos/${id}/move`, json),
    remove: (id: number): Promise<void> => succeed(204, "DELETE", `/todos/${id}`),
    list: (query = ""): Promise<Page> => succeed(200, "GET", `/todos?${query}`),

    /** All pages of a view, by following their cursors. */
    async walk(query: string, limit: number): Promise<Todo[]> {
      const seen: Todo[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const from = cursor && `&cursor=${encodeURIComponent(cursor)}`;
        const page: Page = await succeed(200, "GET", `/todos?${query}&limit=${limit}${from}`);
        seen.push(...page.todos);
        cursor = page.next_cursor;
      }
      return seen;
    },

    trash: (query = "limit=100") => succeed(200, "GET", `/trash?${query}`),
    restore: (id: number): Promise<Todo> => succeed(200, "POST", `/trash/${id}/restore`),
    purge: (id: number): Promise<void> => succeed(204, "DELETE", `/trash/${id}`),
    empty: (): Promise<void> => succeed(204, "DELETE", "/trash"),

    lists: async (): Promise<List[]> => (await succeed(200, "GET", "/lists")).lists,
    addList: (name: string): Promise<List> => succeed(201, "POST", "/lists", { name }),
    readList: (id: number): Promise<List> => succeed(200, "GET", `/lists/${id}`),
    renameList: (id: number, name: string): Promise<List> =>
      succeed(200, "PATCH", `/lists/${id}`, { name }),
    moveList: (id: number, after: number | null): Promise<List> =>
      succeed(200, "POST", `/lists/${id}/move`, { after }),
    removeList: (id: number): Promise<void> => succeed(204, "DELETE", `/lists/${id}`),
  };
}

/** The user's revision, from the table. */
export async function revisionOf({ services }: Service, { id }: { id: number }): Promise<number> {
  const { rows } = await services.database.$client.execute({
    sql: "SELECT revision FROM users WHERE id = ?",
    args: [id],
  });
  return Number(rows[0]?.[0]);
}

/** Asserts that the answer is a problem with this status and code. */
export async function expectRefused(response: Response, status: number, code: string) {
  const problem = await response.json();
  expect([response.status, problem.code]).toEqual([status, code]);
  return problem;
}

/** Asserts that the answer is a 422 with an error at each of these pointers, and at no other. */
export async function expectUnfit(response: Response, ...pointers: string[]) {
  const { errors } = await expectRefused(response, 422, "validation_failed");
  const at = errors.map(({ pointer }: { pointer: string }) => pointer);
  expect(at.sort()).toEqual(pointers.sort());
}

export const contentsOf = (todos: Todo[]) => todos.map(({ contents }) => contents);
export const idsOf = (rows: { id: number }[]) => rows.map(({ id }) => id);
