/** Opens the mail transport that `MAIL_URL` names. */
import { loadOnce } from "../load-once.ts";
import { openMailService } from "./http.ts";
import { openLog } from "./log.ts";
import type { SmtpOptions } from "./smtp.ts";
import type { Transport } from "./transport.ts";

/**
 * @param url `log:`, one that `openSmtp` takes, or one that `openMailService` takes
 * @param from the sender: an address, or a name and an address in angle brackets
 */
export function openTransport(url: string, from: string, options?: SmtpOptions): Transport {
  if (url === "log:") return openLog();
  if (!/^smtps?:/i.test(url)) return openMailService(url, from);
  // Loaded when it is first used, because it needs modules of Node.js. With `log:` it is never loaded.
  const load = loadOnce(async () => (await import("./smtp.ts")).openSmtp(url, from, options));
  let smtp: Promise<Transport> | undefined;
  function open() {
    smtp = load();
    return smtp;
  }
  return {
    send: async (mail) => (await open()).send(mail),
    check: async () => (await open()).check(),
    close() {
      smtp?.then((transport) => transport.close()).catch(() => undefined);
    },
  };
}
