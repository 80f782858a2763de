/** Opens the way out for mails that `MAIL_URL` names. */
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
  // Loaded with the first mail, and so never where there is only the log: it needs modules of Node.js.
  let smtp: Promise<Transport> | undefined;
  return {
    async send(mail) {
      smtp ??= import("./smtp.ts").then(({ openSmtp }) => openSmtp(url, from, options));
      return (await smtp).send(mail);
    },
    close() {
      smtp?.then((transport) => transport.close()).catch(() => undefined);
    },
  };
}
