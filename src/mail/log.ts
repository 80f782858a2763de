/** Prints mails to the terminal instead of sending them, for development without a mail server. */
import type { Transport } from "./transport.ts";

/** A transport to stdout. */
export function openLog(): Transport {
  return {
    async send({ to, subject, text }) {
      const line = "─".repeat(60);
      const mail = `To: ${to}\nSubject: ${subject}\n\n${text.trimEnd()}`;
      // Not through the logger: the reader needs the plain text of the mail, in any format of the log.
      process.stdout.write(`${line}\n${mail}\n${line}\n`);
    },
    async check() {},
    close() {},
  };
}
