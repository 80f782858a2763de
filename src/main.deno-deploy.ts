/**
 * Starts the service on Deno Deploy, from the single file that `bun run build:deno` makes. Deno Deploy has an older
 * Deno, which cannot import text, and whose WebCrypto may have no Argon2.
 */
import { wasmArgon2 } from "./auth/argon2-wasm.ts";
import { hasWebCryptoArgon2, webCryptoArgon2 } from "./auth/argon2-webcrypto.ts";
import { denoRuntime } from "./start/deno.ts";
import { edgePlatform, readEdgeConfig } from "./start/edge.ts";
import { run } from "./start/run.ts";

/** The build puts the file there. */
const WASM = new URL("./argon2.wasm", import.meta.url);

/** From SIGINT to SIGKILL there are 5 seconds, and no load balancer has to notice the stop. */
const DEFAULTS = { SHUTDOWN_TIMEOUT: "4", DRAIN_DELAY: "0" };

/** Milliseconds. */
const MINUTE_RUN = 10_000;

const argon2 = (await hasWebCryptoArgon2())
  ? webCryptoArgon2
  : wasmArgon2(new WebAssembly.Module(await Deno.readFile(WASM)));

// Without requests the service does not run. This starts it each minute, and the service then looks for mails by
// itself.
if ("cron" in Deno) {
  Deno.cron("mails", "* * * * *", () => new Promise((resolve) => setTimeout(resolve, MINUTE_RUN)));
}

const runtime = denoRuntime((socketIp) => edgePlatform(argon2, socketIp), DEFAULTS);
await run({ ...runtime, readConfig: readEdgeConfig });
