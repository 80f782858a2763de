/** `/swagger`: the OpenAPI document and Swagger UI to explore it, all of it served from here. */
import { type AnyElysia, Elysia } from "elysia";
import { acceptsGzip } from "../http/negotiation.ts";
import { Failure } from "../http/problem.ts";
import { loadOnce } from "../load-once.ts";
import { type Compressible, compressible, loadAssets } from "./assets.ts";
import { POLICY } from "./page.ts";

const ASSETS = "/swagger/assets";

/** For a file whose URL has a hash: the browser keeps it for a year, and does not ask again (RFC 8246). */
const FOR_GOOD = "public, max-age=31536000, immutable";

/**
 * Nothing here is made before the first request for it, so it does not slow down the start of the service.
 * @param routes makes the routes to describe
 */
export function docs(routes: () => AnyElysia) {
  const assets = loadOnce(() => loadAssets(ASSETS));
  const document = loadOnce(async () => {
    const { describe } = await import("./openapi.ts");
    return compressible(JSON.stringify(await describe(routes())));
  });

  const hidden = { detail: { hide: true } };
  return new Elysia()
    .get(
      "/swagger",
      async ({ request, set }) => {
        set.headers["content-security-policy"] = POLICY;
        return answer(request, set, (await assets()).page, "text/html", "no-cache");
      },
      hidden,
    )
    .get(
      "/swagger/json",
      async ({ request, set }) => {
        return answer(request, set, await document(), "application/json", "no-cache");
      },
      hidden,
    )
    .get(
      `${ASSETS}/:file`,
      async ({ request, set, params }) => {
        const file = (await assets()).files.get(params.file);
        if (!file) throw new Failure("not_found");
        return answer(request, set, file, file.type, FOR_GOOD);
      },
      hidden,
    );
}

/** @param set what Elysia adds to the answer */
function answer(
  request: Request,
  set: { headers: Record<string, string | number | undefined> },
  { plain, gzip }: Compressible,
  type: string,
  caching: string,
): Response {
  const isCompressed = acceptsGzip(request, set.headers);
  return new Response(isCompressed ? gzip : plain, {
    headers: {
      "content-type": `${type};charset=utf-8`,
      "cache-control": caching,
      ...(isCompressed && { "content-encoding": "gzip" }),
    },
  });
}
