/** Hands mails to an SMTP server. */
import { createTransport } from "nodemailer";
import { CONCURRENCY, SEND_TIMEOUT, type Transport } from "./transport.ts";

/**
 * Milliseconds. A server may check a mail for spam before it answers, and one that is given up too early comes
 * twice: so `socketTimeout`, for silence, is the longest. SEND_TIMEOUT bounds them all.
 */
const TIMEOUTS = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 20_000,
};

/**
 * @param url `smtp://user:password@host:port`, with STARTTLS if the server offers it, or `smtps://…`, with TLS from
 *   the start. Its query may hold nodemailer's options (https://nodemailer.com/smtp), which go before those here:
 *   `requireTLS=true` refuses a server without STARTTLS, `tls.ca=…` trusts a certificate of one's own,
 *   `tls.rejectUnauthorized=false` trusts any, `socketTimeout=…` and the like change the time limits.
 * @param from see `openTransport`
 */
export function openSmtp(url: string, from: string): Transport {
  const mailer = createTransport({
    url,
    pool: true,
    maxConnections: CONCURRENCY,
    // A connection that dies gets one more try, since it may have been idle for long. Beyond that, the outbox retries.
    maxRequeues: 1,
    idleTimeout: 30_000,
    ...TIMEOUTS,
    maxRecipients: 1,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, subject, text, html }) {
      await mailer.sendMail({
        from,
        // As a string it would be parsed, and might come out as several addresses.
        to: { name: "", address: to },
        subject,
        text,
        html,
        // RFC 3834 §5: no "out of office" in reply.
        headers: { "Auto-Submitted": "auto-generated" },
        // The time limits begin anew with every byte that the server sends; this one doesn't.
        signal: AbortSignal.timeout(SEND_TIMEOUT),
      });
    },
    close: () => mailer.close(),
  };
}
