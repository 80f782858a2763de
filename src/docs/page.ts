/** The HTML of the docs page, and the policy that only lets the browser contact this service. */

/** Swagger UI sets styles on its elements and draws its icons from `data:` URLs. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** @param urls where each of the page's files is */
export const page = (
  urls: Record<"bundle" | "swaggerStyles" | "styles" | "start", string>,
) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Todos API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="${urls.swaggerStyles}">
    <link rel="stylesheet" href="${urls.styles}">
    <script src="${urls.bundle}" defer></script>
    <script src="${urls.start}" defer></script>
  </head>
  <body>
    <div id="swagger-ui"></div>
  </body>
</html>
`;
