/**
 * Serves the app on http://localhost:8080 (WEB_PORT), and starts the service. With SERVICE_URL it uses the service at
 * this address. The service must then have the app's origin in its CORS_ORIGINS.
 */
import { join } from "node:path";
import { build, headersFor } from "./build.ts";

const { WEB_PORT = "8080", PORT = "3000", SERVICE_URL } = process.env;
const service = SERVICE_URL ?? `http://localhost:${PORT}`;
const files = await build(service);
const headers = headersFor(service);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: WEB_PORT,
  fetch(request) {
    const file = files[new URL(request.url).pathname];
    return file ? new Response(file, { headers }) : new Response("Not found", { status: 404 });
  },
});

if (SERVICE_URL === undefined) await startService();
process.stdout.write(`\n  The todo app is at http://localhost:${server.port}\n\n`);

/** Starts the service and waits until it listens. From then on both stop together. */
async function startService() {
  if (await isAlive()) {
    process.stderr.write(
      `A service already runs at ${service}. Stop it, or set SERVICE_URL to its address.\n`,
    );
    process.exit(1);
  }
  const origins = ["localhost", "127.0.0.1"].map((host) => `http://${host}:${server.port}`);
  const main = join(import.meta.dir, "../../src/main.bun.ts");
  const child = Bun.spawn([process.execPath, main], {
    env: { ...process.env, CORS_ORIGINS: origins.join() },
    stdio: ["ignore", "inherit", "inherit"],
    onExit: (_, code) => process.exit(code ?? 1),
  });
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  // On a terminal, Ctrl+C also reaches the service. This process waits until the service has ended.
  process.on("SIGINT", () => {});
  while (!(await isAlive())) await Bun.sleep(100);
}

async function isAlive(): Promise<boolean> {
  try {
    return (await fetch(`${service}/health/alive`)).ok;
  } catch {
    return false;
  }
}
