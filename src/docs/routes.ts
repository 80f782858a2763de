/** `/swagger`: the OpenAPI document and Swagger UI to explore it, all of it served from here. */
import { type AnyElysia, Elysia } from "elysia";
import styles from "swagger-ui-dist/swagger-ui.css" with { type: "text" };
import bundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "text" };
import { describe } from "./openapi.ts";

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Todos API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/swagger/swagger-ui.css">
    <link rel="stylesheet" href="/swagger/page.css">
    <script src="/swagger/swagger-ui-bundle.js" defer></script>
    <script src="/swagger/start.js" defer></script>
  </head>
  <body>
    <div id="swagger-ui"></div>
  </body>
</html>
`;

// A file of its own, so that the policy below needs no inline script.
const start = `SwaggerUIBundle({
  url: "/swagger/json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  // There is one server, this one.
  plugins: [{ components: { ServersContainer: () => null } }],
});
// Swagger UI has a dark theme, but leaves it to the page to ask for it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
`;

// What Swagger UI leaves to be wished for: less empty space; no column for links and no fields for a client's id, secret
// and scopes, since there are none; and names of headers that can be read in the dark.
const pageStyles = `.swagger-ui .info { margin: 30px 0 10px; }
.swagger-ui .info li { margin: 0.4em 0; line-height: 1.4; }
.swagger-ui .info code { white-space: nowrap; }
.swagger-ui .info__license { display: flex; gap: 4px; font: 14px sans-serif; }
.swagger-ui .info__license::before { content: "License:"; }
.swagger-ui .scheme-container { margin: 0; padding: 15px 0; }
.swagger-ui .response-col_links,
.swagger-ui .auth-container .scope-def,
.swagger-ui .auth-container .wrapper:has(> [for="password_type"], > [for^="client_"]) { display: none; }
.dark-mode .swagger-ui .headers .header-col { color: inherit; }
`;

// Swagger UI sets styles on its elements and draws its icons from data: URLs.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Seconds that a browser keeps Swagger UI's own files, 1.9 MB of them. */
const MAX_AGE = 86_400;

/** @param routes gives what to describe */
export function docs(routes: () => AnyElysia) {
  let document: Promise<object> | undefined;
  const file = (type: string, text: string) => () =>
    new Response(text, {
      headers: { "content-type": `${type};charset=utf-8`, "cache-control": `max-age=${MAX_AGE}` },
    });
  const hidden = { detail: { hide: true } };
  return new Elysia()
    .get(
      "/swagger",
      () =>
        new Response(page, {
          headers: {
            "content-type": "text/html;charset=utf-8",
            "content-security-policy": policy,
          },
        }),
      hidden,
    )
    .get(
      "/swagger/json",
      () => {
        document ??= describe(routes());
        return document;
      },
      hidden,
    )
    .get("/swagger/swagger-ui.css", file("text/css", styles), hidden)
    .get("/swagger/page.css", file("text/css", pageStyles), hidden)
    .get("/swagger/swagger-ui-bundle.js", file("text/javascript", bundle), hidden)
    .get("/swagger/start.js", file("text/javascript", start), hidden);
}
