/** What all resources share: strict JSON bodies, query parameters that are known and given once, 204 and 304 without a body. */
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
    refuseRepeated(request.url);
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
 * Elysia itself would take the last value of a repeated parameter.
 * @throws Failure `validation_failed` when a parameter is given more than once
 */
function refuseRepeated(url: string): void {
  // Most requests have none or one.
  if (!url.includes("&")) return;
  const names = Array.from(new URL(url).searchParams.keys());
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated === undefined) return;
  throw new Failure("validation_failed", {
    errors: [{ parameter: repeated, detail: "Must be given once." }],
  });
}
