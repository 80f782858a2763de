/**
 * The configuration for workerd itself. For Cloudflare it is in `wrangler.jsonc`.
 * https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp
 */
import { join } from "node:path";
import wrangler from "../wrangler.jsonc";

/**
 * Settings that have no effect here. workerd listens on the address below, or on that of
 * `--socket-addr=http=127.0.0.1:8080`, and it stops at once.
 */
const NOT_ITS_OWN = ["HOST", "PORT", "SHUTDOWN_TIMEOUT", "DRAIN_DELAY"];

/** @param modules file names, with the main module first */
export async function workerdConfig(modules: string[]): Promise<string> {
  const example = await Bun.file(join(import.meta.dir, "../.env.example")).text();
  const settings = Array.from(example.matchAll(/^([A-Z_]+)=/gm), ([, name = ""]) => name)
    .filter((name) => !NOT_ITS_OWN.includes(name))
    .map((name) => `(name = "${name}", fromEnvironment = "${name}")`);
  return `# Runs the service: workerd serve config.capnp. The settings are those of the environment.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "todos", worker = .todos), (name = "internet", network = .network)],
  sockets = [(name = "http", address = "127.0.0.1:3000", http = (), service = "todos")],
);

# The database and the mail server may be on this machine.
const network :Workerd.Network = (
  allow = ["public", "private", "local"],
  tlsOptions = (trustBrowserCas = true),
);

const todos :Workerd.Worker = (
  modules = [
    ${modules.map(toModule).join(",\n    ")},
  ],
  compatibilityDate = "${wrangler.compatibility_date}",
  bindings = [
    ${settings.join(",\n    ")},
  ],
);
`;
}

function toModule(name: string): string {
  const type = name.endsWith(".js") ? "esModule" : name.endsWith(".wasm") ? "wasm" : "text";
  return `(name = "${name}", ${type} = embed "${name}")`;
}
