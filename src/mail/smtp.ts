/** Hands mails to an SMTP server. */
import { createTransport } from "nodemailer";
import type { SMTPTransportGetSocket } from "nodemailer/lib/smtp-transport";
import { CONCURRENCY, SEND_TIMEOUT, type SendError, type Transport } from "./transport.ts";

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

const POOL = {
  pool: true,
  maxConnections: CONCURRENCY,
  // A connection may have been idle for long. If it dies, the mail gets another one. Beyond that, the outbox retries.
  maxRequeues: 1,
  idleTimeout: 30_000,
};

/** Hosts that a mail reaches without leaving the machine. */
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/i;

/**
 * Whether a mail may only go out after STARTTLS, when the URL leaves that open. Otherwise whoever sits between could
 * leave it out of the server's greeting and read the credentials and one-time passwords (RFC 8314 §3).
 */
function needsStartTls(url: string): boolean {
  const { protocol, hostname, searchParams } = new URL(url);
  return protocol === "smtp:" && !searchParams.has("requireTLS") && !LOOPBACK.test(hostname);
}

/** Throws the error, and tells whether it is about this service and not about one mail. */
function judge(error: SendError & { command?: string }): never {
  const { code = "", command, permanent } = error;
  error.refusesService =
    // No TLS, or the credentials are wrong or missing.
    ["ETLS", "EAUTH", "ENOAUTH"].includes(code) ||
    // The server does not take mails from this sender, or not without credentials.
    (command === "MAIL FROM" && permanent === true);
  // The mail itself may be sent later.
  if (error.refusesService) error.permanent = false;
  throw error;
}

export interface SmtpOptions {
  /** Whether connections are kept for the mails to come (true). */
  pooled?: boolean;
  /** Opens a connection, where nodemailer's own way of it does not work. */
  getSocket?: SMTPTransportGetSocket;
}

/**
 * @param url `smtp://user:password@host:port`, with STARTTLS, or `smtps://…`, with TLS from the start. Its query may
 *   hold nodemailer's options (https://nodemailer.com/smtp), which go before those here: `requireTLS=false` takes a
 *   server without STARTTLS (on loopback that is the default), `tls.ca=…` trusts a certificate of one's own,
 *   `tls.rejectUnauthorized=false` trusts any, `socketTimeout=…` and the like change the time limits.
 * @param from see `openTransport`
 */
export function openSmtp(
  url: string,
  from: string,
  { pooled = true, getSocket }: SmtpOptions = {},
): Transport {
  const mailer = createTransport({
    url,
    ...(needsStartTls(url) && { requireTLS: true }),
    ...(pooled && POOL),
    ...(getSocket && { getSocket }),
    ...TIMEOUTS,
    maxRecipients: 1,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, subject, text, html }) {
      const sending = mailer.sendMail({
        from,
        // As a string it would be parsed, and might come out as several addresses.
        to: { name: "", address: to },
        subject,
        text,
        html,
        // RFC 3834 §5: no "out of office" in reply.
        headers: { "Auto-Submitted": "auto-generated" },
        // The other time limits begin anew with every byte that the server sends. This one does not.
        signal: AbortSignal.timeout(SEND_TIMEOUT),
      });
      await sending.catch(judge);
    },
    async check() {
      await mailer.verify().catch(judge);
    },
    close: () => mailer.close(),
  };
}
