/** Eden's treaty with our own `fetch`. Its errors say what went wrong, and a path parameter is always one segment. */
import { type Treaty, treaty } from "@elysiajs/eden";
import type { App } from "../app.ts";
import type { ClientSession } from "./authenticated-fetch.ts";

/**
 * The client of the service: the path, then the method, as in `client.todos({ id: 1 }).get()`. The documentation page
 * is left out, and so are `/token`, which takes a form, and `/todos/events`, whose stream Eden types as text.
 */
export type Client = Omit<Route<Treaty.Create<App>>, "swagger" | "token"> & {
  /** Not a route: what the sync part of this package needs. */
  "~session": ClientSession;
};

/** The type that Eden gives to a route or to a part of a path, without what this client does not have. */
type Route<Eden> = Eden extends (...inputs: infer Inputs) => Promise<infer Outcome>
  ? (...inputs: { [I in keyof Inputs]: Input<Inputs[I]> }) => Promise<Answer<Outcome>>
  : (Eden extends (parameters: infer Parameters) => infer Next
      ? (parameters: Parameters) => Route<Next>
      : unknown) & { [Name in keyof Eden as Exclude<Name, "~path" | "events">]: Route<Eden[Name]> };

/**
 * A body, or the options of a request. A route without query parameters refuses any query, so its options have none. The
 * body of a route that takes none is nothing: Eden's `{}` would accept the options in its place, and not send them.
 */
type Input<Eden> = "throwHttpError" extends keyof NonNullable<Eden>
  ? Omit<NonNullable<Eden>, "throwHttpError" | "headers" | EmptyQuery<NonNullable<Eden>>> & {
      headers?: Record<string, string>;
    }
  : [keyof NonNullable<Eden>] extends [never]
    ? null | undefined
    : Eden;

type EmptyQuery<Options> = Options extends { query?: infer Query }
  ? [keyof NonNullable<Query>] extends [never]
    ? "query"
    : never
  : never;

type Answer<Eden> = Eden extends { data: infer Data; error: infer Failure; response: Response }
  ? {
      data: Data;
      error: Failed<Failure>;
      response: Response;
      status: number;
      headers: Headers;
    }
  : never;

/**
 * `message` is the problem's `detail`, for people. Elysia adds its own 422 to each route that does not declare one.
 * This service never sends that 422.
 */
type Failed<Failure> = Failure extends { status: infer Status; value: infer Value }
  ? Value extends { type: "validation" }
    ? never
    : { status: Status; value: Value; message: string }
  : Failure;

const METHODS = ["get", "post", "put", "patch", "delete"];

/** @param request sends each request; when it rejects, the call rejects too */
export function createTreaty(
  base: string,
  request: (url: string, init: RequestInit) => Promise<Response>,
  session: ClientSession,
): Client {
  const eden = treaty<App>(base, {
    keepDomain: true,
    // Text that looks like a date stays text, for example a todo's contents "2024-01-01".
    parseDate: false,
    // Eden calls it only with a URL and options. The type of a runtime's `fetch` may have more properties.
    fetcher: ((url: string, init: RequestInit) =>
      request(url, init).catch((cause) => {
        throw new Error("no answer", { cause });
      })) as typeof fetch,
    // Eden would turn a rejection into a 503, which would then not come from the service.
    throwHttpError({ value }) {
      if (value instanceof Error) throw value.cause;
      return false;
    },
  });
  const client = new Proxy(refine(eden, false), {
    get: (target, name) => (name === "~session" ? session : Reflect.get(target, name)),
  });
  // The same tree. `Route` says what the functions below change about it.
  return client as object as Client;
}

/**
 * Wraps a node of Eden's tree: a part of a path that may take a parameter, or the request itself at the name of a
 * method.
 */
function refine<Node extends object>(node: Node, isMethod: boolean): Node {
  return new Proxy(node, {
    get(target, name) {
      // Without this, a promise that resolves with a part of a path would treat that part as another promise.
      if (name === "then") return undefined;
      const next: unknown = Reflect.get(target, name);
      return typeof next === "function" ? refine(next, METHODS.includes(String(name))) : next;
    },
    apply(target, self, inputs) {
      // All of Eden's nodes are functions.
      const call = target as unknown as (...inputs: unknown[]) => object;
      if (isMethod) return explained(Reflect.apply(call, self, inputs) as Promise<EdenAnswer>);
      return refine(Reflect.apply(call, self, [checked(inputs[0])]), false);
    },
  });
}

interface EdenAnswer {
  error: { status: number; value: unknown; message: string } | null;
}

async function explained(answering: Promise<EdenAnswer>): Promise<EdenAnswer> {
  const answer = await answering;
  const { error } = answer;
  if (error) {
    const { detail } = Object(error.value);
    error.message = typeof detail === "string" ? detail : `HTTP ${error.status}`;
  }
  return answer;
}

/**
 * A path parameter, unchanged. Eden puts it into the path without escaping, so a slash or `..` would reach another
 * route.
 * @throws TypeError unless it consists of one or more letters, digits, `-` and `_`
 */
function checked(parameters: unknown): Record<string, string> {
  const [[name, value] = []] = Object.entries(Object(parameters));
  const isText = typeof value === "string" || typeof value === "number";
  if (name === undefined || !isText || !/^[\w-]+$/.test(String(value))) {
    throw new TypeError("A path parameter may have letters, digits, - and _ only.");
  }
  return { [name]: String(value) };
}
