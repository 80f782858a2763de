/** What all resources share: strict JSON bodies, query parameters that are known, given once and UTF-8, 204 and 304 without a body. */
import { type AnyElysia, Elysia, ElysiaCustomStatusResponse } from "elysia";
import { NoQuery } from "../model/values.ts";
import { readJson } from "./body.ts";
import { exchangeOf } from "./exchange.ts";
import { failures } from "./failures.ts";
import { keptJson } from "./kept-json.ts";
import { Failure } from "./problem.ts";

/** Bytes that the body of a batch may have. */
const MAX_BATCH = 256 * 1024;

/** Used by each resource's routes. One that takes a body says `parse: "strict"`, and that of batches `parse: "batch"`. */
export const strict = new Elysia({ name: "strict" })
  .use(failures)
  .parser("strict", ({ request }) => readJson(request, keepTextOf(request)))
  .parser("batch", ({ request }) => readJson(request, keepTextOf(request), MAX_BATCH))
  .onBeforeHandle({ as: "scoped" }, ({ request }) => {
    refuseUnclear(request.url);
  })
  // Elysia gives a 204 and a 304 an empty body, which the Fetch standard forbids and Deno refuses. Not for the whole
  // app: where no route matches, Elysia takes whatever this returns for the answer.
  .mapResponse({ as: "scoped" }, ({ set, responseValue }) => {
    const { code } =
      responseValue instanceof ElysiaCustomStatusResponse ? responseValue : { code: set.status };
    if (code === 204 || code === 304) return new Response(null, { status: code });
    const json = keptJson(responseValue);
    if (json === undefined) return undefined;
    set.headers["content-type"] = "application/json";
    // `as`: Elysia takes a text too, and makes the one Response of it; its type has Responses alone.
    return json as unknown as Response;
  });

const keepTextOf = (request: Request) => (text: string) => {
  exchangeOf(request).body = text;
};

/** Makes every route that declares no query parameters refuse them all. Used before the routes are used in an app. */
export function refuseUndeclared<App extends AnyElysia>(resources: App): App {
  // Not by `guard`: its schema would take the place of a route's own.
  for (const { hooks } of resources.routes) hooks.query ??= NoQuery;
  return resources;
}

/**
 * Elysia itself would take the last value of a repeated parameter, and take a broken escape (`%FF`) for plain text.
 * @throws Failure `validation_failed` when a parameter is given more than once, or is not UTF-8
 */
function refuseUnclear(url: string): void {
  // Most requests have one parameter or none, and nothing escaped.
  if (!/[&%]/.test(url)) return;
  const { search, searchParams } = new URL(url);
  const names = Array.from(searchParams.keys());
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw unfitParameter(repeated, "Must be given once.");
  const pairs = search
    .slice(1)
    .split("&")
    .filter((pair) => pair !== "");
  // The names are known by now, so they may be repeated in an answer.
  const broken = names.find((_, i) => !isUtf8(pairs[i] ?? ""));
  if (broken !== undefined) throw unfitParameter(broken, "Must be UTF-8, percent-encoded.");
}

const unfitParameter = (parameter: string, detail: string) =>
  new Failure("validation_failed", { errors: [{ parameter, detail }] });

/** Whether the escapes in a part of a URL are whole, and UTF-8 (RFC 3986 §2.1, RFC 3629 §3). */
function isUtf8(escaped: string): boolean {
  try {
    decodeURIComponent(escaped);
    return true;
  } catch {
    return false;
  }
}
