/** How the docs page and its files reach a browser: compressed, and cached permanently. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { expectProblem } from "../http/answers.ts";
import { type Service, startService } from "../service.ts";

let service: Service;
let urls: string[];
beforeAll(async () => {
  service = await startService();
  const html = await (await service.call("GET", "/swagger")).text();
  urls = Array.from(html.matchAll(/(?:src|href)="(\/[^"]+)"/g), ([, url = ""]) => url);
});
afterAll(() => service.stop());

/** An answer with the bytes that were sent. */
const raw = (path: string, encoding: string) =>
  fetch(service.url + path, { decompress: false, headers: { "accept-encoding": encoding } });

test("the page names each of its files by its content", async () => {
  expect(urls.map((url) => url.replace(/[\da-f]{16}/, "HASH"))).toEqual([
    "/swagger/assets/swagger-ui-HASH.css",
    "/swagger/assets/styles-HASH.css",
    "/swagger/assets/swagger-ui-HASH.js",
    "/swagger/assets/start-HASH.js",
  ]);
  for (const url of urls) {
    const content = await (await service.call("GET", url)).bytes();
    const hash = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    expect(url).toContain(`-${hash.slice(0, 16)}.`);
  }
});

test("a file may be kept for good, and the page and the document may not", async () => {
  for (const url of urls) {
    const { headers } = await service.call("GET", url);
    expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(headers.get("content-type")).toBe(
      url.endsWith(".css") ? "text/css;charset=utf-8" : "text/javascript;charset=utf-8",
    );
  }
  for (const path of ["/swagger", "/swagger/json"]) {
    expect((await service.call("GET", path)).headers.get("cache-control")).toBe("no-cache");
  }
});

test("everything is compressed for clients that accept it, and for no others", async () => {
  for (const path of ["/swagger", "/swagger/json", ...urls]) {
    const plain = await raw(path, "identity");
    expect([path, plain.headers.get("content-encoding")]).toEqual([path, null]);
    const content = await plain.bytes();
    for (const encoding of ["gzip", "deflate, GZIP;q=0.5, br", "*"]) {
      const compressed = await raw(path, encoding);
      expect([path, compressed.headers.get("content-encoding")]).toEqual([path, "gzip"]);
      expect(compressed.headers.get("vary")).toBe("Accept-Encoding");
      const bytes = await compressed.bytes();
      expect(bytes.length).toBeLessThan(content.length);
      expect(Bun.gunzipSync(bytes)).toEqual(content);
    }
    for (const encoding of ["gzip;q=0", "br", "*;q=0", "gzip;q=0, *"]) {
      const answer = await raw(path, encoding);
      expect([encoding, answer.headers.get("content-encoding")]).toEqual([encoding, null]);
    }
  }
});

test("a URL with the hash of another file, or with an unknown name, is no file", async () => {
  const [url = ""] = urls;
  for (const path of [
    url.replace(/[\da-f]{16}/, "0123456789abcdef"),
    "/swagger/assets/constructor",
    "/swagger/assets/..%2fjson",
  ]) {
    await expectProblem(await service.call("GET", path), [404, "not_found"]);
  }
});
