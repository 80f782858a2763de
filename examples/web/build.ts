/** Builds the app: the files for a web server, and the headers to send with them. */
import { join } from "node:path";

const FOLDER = import.meta.dir;

/** The files by their paths. */
export type Files = Record<string, Blob>;

/**
 * @param service the address of the service; "" when it has the same origin as the app
 * @throws AggregateError with the errors in the sources
 */
export async function build(service: string): Promise<Files> {
  const source = (name: string) => Bun.file(join(FOLDER, name));
  const files: Files = {
    "/": source("index.html"),
    "/app.js": await bundle("app.tsx", { SERVICE_URL: service }),
    "/style.css": source("style.css"),
    "/icon.svg": source("icon.svg"),
    "/app.webmanifest": source("app.webmanifest"),
  };
  const hash = new Bun.CryptoHasher("sha256");
  for (const file of Object.values(files)) hash.update(await file.arrayBuffer());
  const worker = { FILES: Object.keys(files), VERSION: hash.digest("hex") };
  return { ...files, "/service-worker.js": await bundle("service-worker.ts", worker) };
}

/** @param constants values for constants that the source only declares */
async function bundle(name: string, constants: Record<string, unknown>): Promise<Blob> {
  const { outputs } = await Bun.build({
    entrypoints: [join(FOLDER, name)],
    target: "browser",
    minify: true,
    define: Object.fromEntries(
      Object.entries(constants).map(([constant, value]) => [constant, JSON.stringify(value)]),
    ),
  });
  const [output] = outputs;
  if (!output) throw new Error(`${name} made no file`);
  return output;
}

/**
 * Only the app's own files may run or be shown, and only the service may be contacted.
 * @param service as above
 */
export const headersFor = (service: string) => ({
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "manifest-src 'self'",
    "worker-src 'self'",
    `connect-src 'self' ${service}`.trim(),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cache-control": "no-cache",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
});
