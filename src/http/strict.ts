/**
 * Rules for all resources: strict JSON bodies; only known query parameters, each given once and in UTF-8; 204 and 304
 * without a body.
 */
import { type AnyElysia, Elysia, ElysiaCustomStatusResponse } from "elysia";
import { NoQuery } from "../model/values.ts";
import { readJson } from "./body.ts";
import { exchangeOf } from "./exchange.ts";
import { failures } from "./failures.ts";
import { keptJson } from "./kept-json.ts";
import { unfitParameter } from "./problem.ts";

/** Maximum number of bytes in the body of a batch. */
const MAX_BATCH = 256 * 1024;

/**
 * Used by the routes of each resource. A route that takes a body has `parse: "strict"`, and the route for batches has
 * `parse: "batch"`.
 */
export const strict = new Elysia({ name: "strict" })
  .use(failures)
  .parser("strict", ({ request }) => readJson(request, keepTextOf(request)))
  .parser("batch", ({ request }) => readJson(request, keepTextOf(request), MAX_BATCH))
  .onBeforeHandle({ as: "scoped" }, ({ request }) => {
    refuseUnclear(request.url);
  })
  // Elysia gives a 204 and a 304 an empty body. The Fetch standard forbids this, and Deno refuses it. This is not used
  // for the whole app: where no route matches, Elysia would use the returned value as the answer.
  .mapResponse({ as: "scoped" }, ({ set, responseValue }) => {
    const { code } =
      responseValue instanceof ElysiaCustomStatusResponse ? responseValue : { code: set.status };
    if (code === 204 || code === 304) return new Response(null, { status: code });
    const json = keptJson(responseValue);
    if (json === undefined) return undefined;
    set.headers["content-type"] = "application/json";
    // `as`: Elysia also accepts a text, and makes a Response from it. Its type only has Responses.
    return json as unknown as Response;
  });

const keepTextOf = (request: Request) => (text: string) => {
  exchangeOf(request).body = text;
};

/** Makes every route without query parameters refuse all of them. Use it before the routes are added to an app. */
export function refuseUndeclared<App extends AnyElysia>(resources: App): App {
  // Not with `guard`, because its schema would replace the schema of a route.
  for (const { hooks } of resources.routes) hooks.query ??= NoQuery;
  return resources;
}

/**
 * Elysia itself would use the last value of a repeated parameter, and use a broken escape (`%FF`) as plain text.
 * @throws Failure `validation_failed` when a parameter is repeated, or is not UTF-8
 */
function refuseUnclear(url: string): void {
  // Most requests have no parameter or one, and no escape.
  if (!/[&%]/.test(url)) return;
  const { search, searchParams } = new URL(url);
  const names = Array.from(searchParams.keys());
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw unfitParameter(repeated, "Must be given only once.");
  const pairs = search
    .slice(1)
    .split("&")
    .filter((pair) => pair !== "");
  // Only known names get here, so an answer may repeat them.
  const broken = names.find((_, i) => !isUtf8(pairs[i] ?? ""));
  if (broken !== undefined) throw unfitParameter(broken, "Must be UTF-8, percent-encoded.");
}

/** Whether all escapes in a part of a URL are complete, and encode UTF-8 (RFC 3986 §2.1, RFC 3629 §3). */
function isUtf8(escaped: string): boolean {
  try {
    decodeURIComponent(escaped);
    return true;
  } catch {
    return false;
  }
}
