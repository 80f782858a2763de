/** Keeps the app's own files in the browser, so that the page opens offline. The todos themselves are in the copy. */

/** The files, and a name for these versions of them. `build.ts` puts both here. */
declare const FILES: string[];
declare const VERSION: string;

/**
 * The parts of a service worker's scope that are used here. TypeScript has separate libraries for its types and for
 * those of a page.
 */
interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetched extends Event {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}
const worker = self as unknown as {
  location: Location;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetched) => void): void;
};

worker.addEventListener("install", (event) => {
  event.waitUntil(keepFiles().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  const isOurs = origin === worker.location.origin && FILES.includes(pathname);
  if (isOurs && event.request.method === "GET") event.respondWith(file(pathname));
});

async function keepFiles() {
  const cache = await caches.open(VERSION);
  // The browser's own cache is bypassed, because it may have a former version.
  await cache.addAll(FILES.map((path) => new Request(path, { cache: "reload" })));
}

async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== VERSION).map((name) => caches.delete(name)));
}

async function file(path: string): Promise<Response> {
  const cache = await caches.open(VERSION);
  return (await cache.match(path)) ?? fetch(path);
}
