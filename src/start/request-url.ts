/** Corrects the URL that Bun and Deno give a request, so that Elysia's router and `URL` read the same path in it. */

/** What only an unusual URL has: a fragment, a dot segment or a backslash. */
const UNUSUAL = /[#\\]|\/\.|\/%2e/i;

/**
 * The same request with a resolved URL. Bun leaves fragments in, and gives the path alone when it has no host that it
 * can use. Deno resolves nothing.
 */
export function withResolvedUrl(request: Request): Request {
  const { url } = request;
  const isPath = url.startsWith("/");
  if (!isPath && !UNUSUAL.test(url)) return request;
  const resolved = URL.parse(isPath ? `http://localhost${url}` : url);
  if (resolved === null) return request;
  resolved.hash = "";
  // Not a new Request: that would refuse TRACE, and on Bun a copied body may never settle when it is cancelled.
  return Object.defineProperty(request, "url", { value: resolved.href });
}
