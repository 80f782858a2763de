/**
 * The files of the docs page. They are read, hashed and compressed when the page is first requested, not at the start.
 */
import { page } from "./page.ts";

/** A body in its plain and its compressed form. */
export interface Compressible {
  plain: Uint8Array<ArrayBuffer>;
  gzip: Uint8Array<ArrayBuffer>;
}

interface Asset extends Compressible {
  type: string;
}

export interface Assets {
  page: Compressible;
  /** Files by the last segment of their URLs. This segment has a hash, so the content behind a URL never changes. */
  files: Map<string, Asset>;
}

/** @param folder the URL path of the files */
export async function loadAssets(folder: string): Promise<Assets> {
  const [bundle, swaggerStyles, styles, start] = await Promise.all([
    import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } }),
    import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } }),
    import("./styles.css", { with: { type: "text" } }),
    import("./start.js", { with: { type: "text" } }),
  ]);
  const files: Assets["files"] = new Map();

  async function add(name: string, extension: "css" | "js", text: string): Promise<string> {
    const body = await compressible(text);
    const file = `${name}-${await hashOf(body.plain)}.${extension}`;
    files.set(file, { type: extension === "css" ? "text/css" : "text/javascript", ...body });
    return `${folder}/${file}`;
  }

  const html = page({
    bundle: await add("swagger-ui", "js", bundle.default),
    swaggerStyles: await add("swagger-ui", "css", swaggerStyles.default),
    styles: await add("styles", "css", styles.default),
    start: await add("start", "js", start.default),
  });
  return { page: await compressible(html), files };
}

export async function compressible(text: string): Promise<Compressible> {
  const plain = new TextEncoder().encode(text);
  // Not Brotli, though its result is smaller: its strongest level takes many seconds, and the level cannot be chosen
  // here.
  const compressed = new Blob([plain]).stream().pipeThrough(new CompressionStream("gzip"));
  return { plain, gzip: await new Response(compressed).bytes() };
}

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex().slice(0, 16);
}
