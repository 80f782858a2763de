/** What a terminal shows when the service listens: where everything is, and how to stop it. */
import { resolve } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import type { Config } from "../config.ts";

/** @param url where the service listens */
export function banner(url: string, config: Config): string {
  const base = urlForPeople(url);
  const lines = [
    ["Try it", `${base}/swagger`],
    ["API", base],
    ["Data", placeOfData(config)],
    ["Mails", placeOfMails(config)],
    ["Stop", "Ctrl+C"],
  ];
  const rows = lines.map(([name = "", value]) => `  ${name.padEnd(8)}${value}`);
  return `\n  Todos ${packageJson.version}\n\n${rows.join("\n")}\n\n`;
}

/** The address to open in a browser. When the service listens on all addresses or only on loopback, it is localhost. */
function urlForPeople(url: string): string {
  const { hostname, port } = new URL(url);
  const isHere = ["0.0.0.0", "[::]", "127.0.0.1", "[::1]"].includes(hostname);
  return `http://${isHere ? "localhost" : hostname}:${port || 80}`;
}

function placeOfData({ databaseUrl, databaseSyncUrl }: Config): string {
  if (!databaseUrl.startsWith("file:")) return new URL(databaseUrl).host;
  const file = resolve(databaseUrl.slice("file:".length));
  return databaseSyncUrl ? `${file}, a replica of ${new URL(databaseSyncUrl).host}` : file;
}

function placeOfMails({ mailUrl }: Config): string {
  if (mailUrl === "log:") return "printed here (set MAIL_URL to send them)";
  const { protocol, host } = new URL(mailUrl);
  // The URL of a mail service has its key in the place of the host.
  return /^smtps?:$/.test(protocol) ? `sent by ${host}` : `sent by ${protocol.slice(0, -1)}`;
}
