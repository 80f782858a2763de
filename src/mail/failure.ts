/** What the log says when a mail server does not accept mails. */
import { getLogger } from "@logtape/logtape";
import type { SendError, Transport } from "./transport.ts";

const logger = getLogger(["todos", "mail"]);

/** The message is left out, because a server's answer repeats the address. */
export const reasonOf = ({ name, code, originalCode, responseCode }: SendError): string =>
  [code ?? name, originalCode, responseCode, EXPLANATIONS.get(code ?? "")]
    .filter((part) => part !== undefined)
    .join(" ");

/** What the operator should know about a code. */
const EXPLANATIONS = new Map([
  ["ETLS", "(the mail server offers no TLS, and nothing is sent without TLS: see MAIL_URL)"],
  ["EAUTH", "(the mail server does not accept the user and the password in MAIL_URL)"],
]);

/** Warns when no mail can be sent at the moment. Never rejects. */
export async function checkTransport(transport: Transport): Promise<void> {
  try {
    await transport.check();
  } catch (error) {
    const reason = reasonOf(error instanceof Error ? error : new Error(String(error)));
    logger.warn("no mail can be sent now: {reason}", { reason });
  }
}
